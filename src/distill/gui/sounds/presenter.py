"""Between the sounds on disk and the browser: choosing, dropping, scanning, checking, excluding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, QObject, QTimer, QUrl, Signal
from PySide6.QtWidgets import QApplication, QFileDialog

from distill import paths
from distill.audio.demo.sounds import write_demo_sounds
from distill.config.training import TrainingConfig
from distill.gui.sounds.exclusions import Exclusions
from distill.gui.sounds.loader import Scan, SoundLoader
from distill.gui.sounds.panel import SoundsPanel
from distill.gui.sounds.row import CheckedSound, SoundStatus
from distill.gui.widgets.background import BackgroundTask
from distill.gui.widgets.notices import NoticeBar
from distill.gui.widgets.panel import WindowPart
from distill.gui.widgets.show_in_folder import reveal
from distill.settings import WindowSettings
from distill.training.data.split import split_by_file

#: Topic of the notices about the list of sounds.
TOPIC = "sounds"
#: The excluded sounds are worth saving once they have not been changed for this long.
SETTLED_MILLISECONDS = 500


@dataclass(frozen=True)
class _Sound:
    """A sound as the split sees it."""

    source: Path
    content_hash: str


class SoundsPresenter(QObject, WindowPart):
    """Carries out what the browser asks for, and shows it what the loader finds."""

    #: There are other sounds to train on than before.
    sounds_changed = Signal()
    #: Sounds were found in these folders.
    folders_shown = Signal(object)  # list of Path
    #: The preferences are worth saving.
    exclusions_settled = Signal()

    def __init__(self, browser: SoundsPanel, notices: NoticeBar, parent: QObject) -> None:
        super().__init__(parent)
        self._browser, self._notices = browser, notices
        self.loader = SoundLoader(self)
        self.exclusions = Exclusions(self)
        #: Files and folders that are shown, in the order they came.
        self.roots: tuple[Path, ...] = ()
        self._folders: frozenset[Path] = frozenset()  # those of them that are folders
        self._held_out_share = TrainingConfig().val_fraction
        self._settling = QTimer(self, interval=SETTLED_MILLISECONDS, singleShot=True)
        self._settling.timeout.connect(self.exclusions_settled)
        self.exclusions.changed.connect(self._on_exclusions_changed)
        browser.exclusion_requested.connect(self.exclusions.choose)
        browser.reveal_requested.connect(reveal)
        browser.copy_requested.connect(self._on_copy_requested)
        browser.folder_wanted.connect(self.choose_folder)
        browser.demo_wanted.connect(self.use_demo_sounds)
        self.loader.scan_started.connect(browser.show_scanning)
        self.loader.scan_finished.connect(self._on_scanned)
        self.loader.failed.connect(self._on_failed)
        self.loader.sounds_checked.connect(self._on_checked)
        self.loader.check_progressed.connect(browser.show_progress)

    @property
    def name(self) -> str:
        """What a run on these sounds is called: the name of the folder."""
        if len(self.roots) == 1:
            root = self.roots[0]
            return root.name if root in self._folders else root.stem
        return self.tr("sounds")

    def usable(self) -> tuple[Path, ...]:
        """The sounds to train on."""
        return self._browser.usable_paths()

    def restore(self, settings: WindowSettings) -> None:
        """List the sounds of the last session, with its exclusions and the layout of the list."""
        self.exclusions.restore(Path(text) for text in settings.excluded)
        self._settling.stop()  # nothing has changed
        self._browser.show_hears_walking(settings.hears_walking)
        self._browser.view.restore_layout(settings.sound_columns, settings.sound_list)
        if settings.sounds:
            self._load([Path(text) for text in settings.sounds], is_restored=True)
        else:
            self._browser.show_busy("")

    def save(self, settings: WindowSettings) -> None:
        """Keep the sounds, the exclusions and the layout of the list."""
        view = self._browser.view
        settings.sounds = [str(path) for path in self.roots]
        settings.excluded = sorted(str(path) for path in self.exclusions.paths)
        settings.sound_columns, settings.sound_list = view.columns.names(), view.layout_state()
        settings.hears_walking = view.hears_walking

    def show(self, roots: Sequence[Path]) -> None:
        """Show the sounds of these files and folders, in place of those that are shown."""
        new = tuple(dict.fromkeys(path.absolute() for path in roots))
        if not set(self.roots) <= set(new):  # to take back what one does not see any more would be a surprise
            self.exclusions.undo_stack.clear()
        self._load(new)

    def _load(self, roots: Sequence[Path], is_restored: bool = False) -> None:
        self.roots = tuple(roots)
        self._notices.forget(TOPIC)
        self.loader.load(self.roots, drops_missing=is_restored)

    def add(self, roots: Sequence[Path]) -> None:
        """Show these files and folders too."""
        self.show([*self.roots, *roots])

    def choose_folder(self) -> None:
        """Let the user choose a folder."""
        start = str(self.roots[0] if self.roots else Path.home())
        folder = QFileDialog.getExistingDirectory(self._browser, self.tr("Choose a folder of sounds"), start)
        if folder:
            self.show([Path(folder)])

    def use_demo_sounds(self) -> None:
        """Make the demo sounds, where they are not there yet, and show them."""
        self._browser.show_busy(self.tr("Making the demo sounds…"))
        task = BackgroundTask(lambda _progress, _cancel: write_demo_sounds(), self)
        task.succeeded.connect(self._on_demo_made)
        task.failed.connect(self._on_failed)
        task.ended.connect(lambda: self._browser.show_busy(""))
        task.start()

    def show_changes(self, changes: Mapping[str, Any]) -> None:
        """Show which sounds are held out by a training whose settings differ from the defaults in this."""
        share = float(changes.get("val_fraction", TrainingConfig().val_fraction))
        if share != self._held_out_share:
            self._held_out_share = share
            self._update_split()

    def close(self) -> None:
        """Wait for nothing any more; the preferences are being saved anyway."""
        self._settling.stop()

    def _on_demo_made(self, _files: object) -> None:
        self.show([paths.demo_dir()])

    def _on_failed(self, error: Exception) -> None:
        self._browser.show_busy("")
        self._notices.notify_error(TOPIC, error, self.tr("The sounds could not be read: {0}"))

    def _on_scanned(self, found: Scan) -> None:
        result, self._folders = found.result, frozenset(found.folders)
        self.roots = found.roots
        self._browser.show_scan(result, self.exclusions.paths)
        self._update_split()
        self._report_skipped()
        if not result.entries and not result.skipped:
            self._notices.notify(
                TOPIC, self.tr("There are no sounds in there. Choose a folder that holds audio files.")
            )
        elif found.folders:
            self.folders_shown.emit(list(found.folders))
        self.sounds_changed.emit()

    def _on_checked(self, results: list[CheckedSound]) -> None:
        self._browser.show_checked(results)
        self._update_split()
        if any(result.reason is not None for result in results):
            self._report_skipped()
            self.sounds_changed.emit()

    def _on_exclusions_changed(self) -> None:
        self._browser.show_excluded(self.exclusions.paths)
        self._update_split()
        self._settling.start()
        self.sounds_changed.emit()

    def _update_split(self) -> None:
        """Show which sounds will be held out, as soon as that is certain: when all that are wanted are decoded.

        The split ranks the files by their content, as the training will do: a file more or less may change it.
        """
        usable = [row for row in self._browser.table.rows if row.is_usable]
        if len(usable) < 2 or any(row.status is not SoundStatus.READY for row in usable):
            self._browser.show_held_out(None)
            return
        _, held_out = split_by_file([_Sound(row.path, row.content_hash) for row in usable], self._held_out_share)
        self._browser.show_held_out({sound.source for sound in held_out})

    def _on_copy_requested(self, files: list[Path]) -> None:
        data = QMimeData()
        data.setText("\n".join(str(path) for path in files))
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in files])  # for a file manager, or a DAW
        QApplication.clipboard().setMimeData(data)

    def _report_skipped(self) -> None:
        rows = self._browser.skipped()
        if len(rows) == 1:
            self._notices.notify(TOPIC, self.tr("{0} is left out: {1}").format(rows[0].path.name, rows[0].reason))
        elif rows:
            text = self.tr("{0} files are left out; the list says why. One of them: {1}, {2}")
            self._notices.notify(TOPIC, text.format(len(rows), rows[0].path.name, rows[0].reason))
