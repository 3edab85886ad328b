"""Lists the sounds of files and folders: choosing, adding, removing, scanning, checking, excluding."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, QObject, QTimer, QUrl, Signal
from PySide6.QtWidgets import QApplication, QFileDialog

from distill import paths
from distill.audio.decoding.sound_fix import SoundFix
from distill.audio.demo.demo_sounds import write_demo_sounds
from distill.audio.scan_result import ScanResult
from distill.config.training import TrainingConfig
from distill.gui.background_tasks import BackgroundTask
from distill.gui.desktop.dialog_folders import StartFolders
from distill.gui.desktop.show_in_folder import reveal
from distill.gui.sounds.background_scan import BackgroundScan, Scan
from distill.gui.sounds.panel import SoundsPanel
from distill.gui.sounds.sound_row import CheckedSound, SoundStatus
from distill.gui.sounds.split_finder import SplitFinder
from distill.gui.sounds.training_set_warnings import TrainingSetWarnings
from distill.gui.sounds.undoable_choices import Choice, Exclusions
from distill.gui.widgets.notices import NoticeBar
from distill.gui.window_part import WindowPart
from distill.settings import WindowSettings
from distill.training.data.known_split import KnownSplit
from distill.training.data.split import SplitFiles

#: Changes are saved once there has been none for this long.
SETTLED_MILLISECONDS = 500


class SoundsPresenter(QObject, WindowPart):
    """Carries out what the panel requests, and shows there what the scan finds."""

    #: The sounds to train on are different.
    sounds_changed = Signal()
    #: Sounds were found in these folders.
    folders_shown = Signal(object)  # list of Path
    #: Other folders are listed instead of those before.
    replaced = Signal()
    #: The preferences should be saved.
    exclusions_settled = Signal()

    def __init__(self, browser: SoundsPanel, notices: NoticeBar, parent: QObject) -> None:
        super().__init__(parent)
        self._browser = browser
        self.scanner = BackgroundScan(self)
        self.exclusions = Exclusions(self)
        self._scan: Scan | None = None
        self._choice_before: Choice | None = None  # what is listed again if the new roots hold no sounds
        self._folders: frozenset[Path] = frozenset()  # those of them that are folders
        self._making_demo: BackgroundTask | None = None  # generates the demo sounds, which are then listed
        self._starts = StartFolders(self)
        self._warnings = TrainingSetWarnings(notices)
        defaults = TrainingConfig()
        self._known: KnownSplit | None = None  # of the model that the next training starts from
        self._share, self._chunk_seconds = defaults.val_fraction, defaults.chunk_duration_s
        self.splitting = SplitFinder(self)
        self.splitting.found.connect(self._show_split)
        self._split_of: tuple[object, ...] = ()  # what the split on display, or the one being found, is the split of
        self._settling = QTimer(self, interval=SETTLED_MILLISECONDS, singleShot=True)
        self._settling.timeout.connect(self.exclusions_settled)
        self.exclusions.changed.connect(self._on_exclusions_changed)
        self.exclusions.listing_changed.connect(self._on_listing_changed)
        browser.exclusion_requested.connect(self.exclusions.choose)
        browser.reveal_requested.connect(lambda path: reveal(path, self))
        browser.copy_requested.connect(self._on_copy_requested)
        browser.folder_requested.connect(self.choose_folder)
        browser.adding_requested.connect(self.choose_added_folder)
        browser.removal_requested.connect(self.exclusions.remove)
        browser.demo_requested.connect(self.use_demo_sounds)
        self.scanner.scan_started.connect(browser.show_scanning)
        self.scanner.scan_finished.connect(self._on_scanned)
        self.scanner.failed.connect(self._on_failed)
        self.scanner.sounds_checked.connect(self._on_checked)
        self.scanner.sounds_check_progressed.connect(browser.show_progress)

    @property
    def roots(self) -> tuple[Path, ...]:
        """Files and folders that are listed, in the order they were added."""
        return self.exclusions.choice.roots

    @property
    def name(self) -> str:
        """The proposed name of a run on these sounds: that of the folder."""
        if len(self.roots) == 1:
            root = self.roots[0]
            return root.name if root in self._folders else root.stem
        return self.tr("sounds")

    @property
    def is_checked(self) -> bool:
        """Whether all sounds that are trained on have been decoded."""
        usable = [row for row in self._browser.table.rows if row.is_usable]
        return all(row.status is SoundStatus.READY for row in usable)

    def usable(self) -> tuple[Path, ...]:
        """The sounds to train on."""
        return self._browser.usable_paths()

    def fixes(self) -> dict[Path, SoundFix]:
        """What the next training changes in the listed sounds, with those that it leaves out."""
        listed = {row.path: row for row in self._browser.table.rows}
        left_out = self.exclusions.left_out
        fixes = {}
        for path, fix in self.exclusions.choice.fixes.items():
            fix = fix if path in left_out else replace(fix, leaves_out=False)
            if path in listed and (path in left_out or listed[path].is_usable) and fix != SoundFix():
                fixes[path] = fix
        return fixes

    def restore(self, settings: WindowSettings) -> None:
        """List the sounds of the last session, with its exclusions and the layout of the list."""
        fixes: dict[Path, SoundFix] = {}
        for name, fix in settings.fixes.items():
            with suppress(TypeError, ValueError, AttributeError):  # damaged: the sound is not fixed
                fixes[Path(name)] = SoundFix.from_dict(fix)
        self.exclusions.restore(map(Path, settings.excluded), map(Path, settings.removed), fixes)
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
        settings.removed = sorted(str(path) for path in self.exclusions.choice.removed)
        settings.fixes = {str(path): fix.to_dict() for path, fix in self.exclusions.choice.fixes.items()}
        settings.excluded = sorted(str(path) for path in self.exclusions.paths)
        settings.sound_columns, settings.sound_list = view.columns.names(), view.layout_state()
        settings.hears_walking = view.hears_walking

    def show(self, roots: Sequence[Path]) -> None:
        """List the sounds of these files and folders, in place of those that are listed.

        Folders without sounds change nothing: the list stays as it was.
        """
        new_roots = tuple(dict.fromkeys(path.absolute() for path in roots))
        self._forget_demo()
        self._warnings.forget_empty()
        are_others = set(new_roots) != set(self.roots)
        if are_others and self._choice_before is None:  # otherwise the search for others is still under way
            self._choice_before = self.exclusions.choice
        self._load(new_roots)

    def add(self, roots: Sequence[Path]) -> None:
        """List these files and folders too; undo takes them off again.  What is listed already is searched anew."""
        new_roots, before = [path.absolute() for path in roots], self.exclusions.choice
        if not self.roots:
            self.show(new_roots)
            return
        self._forget_demo()
        self.exclusions.add(new_roots)
        if self.exclusions.choice is before:
            self._load(self.roots)

    def _load(self, roots: Sequence[Path], is_restored: bool = False) -> None:
        self._warnings.forget()
        self._read(roots, is_restored)

    def _read(self, roots: Sequence[Path], is_restored: bool = False, removed: frozenset[Path] | None = None) -> None:
        self.exclusions.set_roots(roots, removed)
        self.scanner.load(self.roots, drops_missing=is_restored)

    def _on_listing_changed(self) -> None:
        """Follow adding, removing, and their undo."""
        self._settling.start()
        if self._scan is not None and self._scan.requested == self.roots and not self.scanner.is_busy:
            self._show_scan(self._scan)
        elif self.roots:
            self._load(self.roots)

    def choose_added_folder(self) -> None:
        """Let the user choose a folder to add."""
        start = str(self._starts.start(self._folder_of(self.roots[-1])) if self.roots else Path.home())
        folder = QFileDialog.getExistingDirectory(self._browser, self.tr("Add a folder of sounds"), start)
        if folder:
            self.add([Path(folder)])

    def choose_folder(self) -> None:
        """Let the user choose a folder."""
        start = str(self._starts.start(self._folder_of(self.roots[0])) if self.roots else Path.home())
        folder = QFileDialog.getExistingDirectory(self._browser, self.tr("Choose a folder of sounds"), start)
        if folder:
            self.show([Path(folder)])

    def _folder_of(self, root: Path) -> Path:
        return root if root in self._folders else root.parent

    def use_demo_sounds(self) -> None:
        """Generate the demo sounds, unless they exist, and list them."""
        if self._making_demo is not None:
            return
        self._browser.show_busy(self.tr("Generating the demo sounds…"))
        self._making_demo = task = BackgroundTask(lambda _progress, _cancel: write_demo_sounds(), self)
        task.succeeded.connect(self._on_demo_made)
        task.failed.connect(self._on_failed)
        task.ended.connect(self._on_demo_ended)
        task.start()

    def _forget_demo(self) -> None:
        """List no demo sounds when they are ready: the user has chosen others."""
        if self._making_demo is not None:
            self._making_demo.cancel()
            self._making_demo = None

    def _on_demo_ended(self) -> None:
        self._making_demo = None
        if not self.scanner.is_busy:  # it has failed
            self._browser.show_busy("")

    def show_changes(self, changes: Mapping[str, Any]) -> None:
        """Show which sounds a training with these changed settings holds out."""
        defaults = TrainingConfig()
        self._share = float(changes.get("val_fraction", defaults.val_fraction))
        self._chunk_seconds = float(changes.get("chunk_duration_s", defaults.chunk_duration_s))
        self._update_split()

    def show_known(self, known: KnownSplit | None) -> None:
        """Show which sounds a training holds out that starts from a model with this split; None for no model."""
        self._known = known
        self._update_split()

    def close(self) -> None:
        """Stop the timer; the preferences are saved anyway."""
        self._settling.stop()

    def _on_demo_made(self, _files: object) -> None:
        self.show([paths.demo_dir()])

    def _on_failed(self, error: Exception) -> None:
        self._browser.show_busy("")
        self._warnings.report_error(error)

    def _on_scanned(self, scan: Scan) -> None:
        before, self._choice_before = self._choice_before, None
        is_empty = not scan.result.entries and not scan.result.skipped
        if is_empty and before is not None and before.roots:
            self._read(before.roots, removed=before.removed)  # the notices of the list still hold
        else:
            self._show_scan(scan)
        if is_empty and scan.requested and not scan.drops_missing:
            self._warnings.report_empty()
            return
        if scan.folders and not is_empty:
            self.folders_shown.emit(list(scan.folders))
        if before is not None and not set(before.roots) & set(self.roots):
            self.replaced.emit()

    def _show_scan(self, scan: Scan) -> None:
        """List what a scan has found, without the removed files."""
        self._scan, self._folders = scan, frozenset(scan.folders)
        if scan.drops_missing:
            self.exclusions.set_roots(scan.roots)
        for root in {*self.roots[:1], *self.roots[-1:]}:  # where the choice of another folder starts
            self._starts.look(self._folder_of(root))
        removed = self.exclusions.choice.removed
        result = ScanResult(
            tuple(entry for entry in scan.result.entries if entry.path not in removed),
            tuple(skipped for skipped in scan.result.skipped if skipped.path not in removed),
        )
        self._browser.show_scan(result, self.exclusions.paths)
        rows = self._browser.table.rows  # a sound that was removed and has come back is not checked yet
        self.scanner.check(row.entry for row in rows if row.status is SoundStatus.LISTED and row.entry is not None)
        self._update_split()
        self._warnings.report_skipped(self._browser.skipped())
        self.sounds_changed.emit()

    def _on_checked(self, results: list[CheckedSound]) -> None:
        self._browser.show_checked(results)
        self._update_split()
        if any(result.reason is not None for result in results):
            self._warnings.report_skipped(self._browser.skipped())
            self.sounds_changed.emit()

    def _on_exclusions_changed(self) -> None:
        self._browser.show_excluded(self.exclusions.paths)
        self._update_split()
        self._settling.start()
        self.sounds_changed.emit()

    def _update_split(self) -> None:
        """Find which sounds will be held out, once that is certain: when all wanted sounds are decoded.

        The split depends on the content of all files: one more or less may change it.
        """
        usable = [row for row in self._browser.table.rows if row.is_usable]
        if not usable or any(row.status is not SoundStatus.READY for row in usable):
            self._split_of = ()
            self.splitting.cancel()
            self._browser.show_held_out(None)
            return
        fixes = self.fixes()
        split_inputs = (
            *((row.path, row.content_hash) for row in usable), self._share, self._chunk_seconds, self._known,
            *fixes.items(),
        )  # fmt: skip
        if split_inputs != self._split_of:
            self._split_of = split_inputs
            self._browser.show_held_out(None)
            self.splitting.start([row.path for row in usable], self._share, self._chunk_seconds, self._known, fixes)

    def _show_split(self, split: SplitFiles | None) -> None:
        if split is None:
            self._browser.show_held_out(None)
            self._warnings.forget_material()
            return
        self._browser.show_held_out(split.held_out, split.divided)
        self._warnings.report_material([row for row in self._browser.table.rows if row.is_usable], split)

    def _on_copy_requested(self, files: list[Path]) -> None:
        data = QMimeData()
        data.setText("\n".join(str(path) for path in files))
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in files])  # for a file manager, or a DAW
        QApplication.clipboard().setMimeData(data)
