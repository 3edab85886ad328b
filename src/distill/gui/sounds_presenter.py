"""Between the sounds on disk and the browser: choosing, dropping, scanning, checking."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog

from distill import paths
from distill.audio.corpus import ScanResult
from distill.audio.demo import write_demo_sounds
from distill.gui.background import BackgroundTask
from distill.gui.notices import NoticeBar
from distill.gui.sound_browser import SoundBrowser
from distill.gui.sound_loader import SoundLoader

#: Topic of the notices about the list of sounds.
TOPIC = "sounds"


class SoundsPresenter(QObject):
    """Carries out what the browser asks for, and shows it what the loader finds."""

    sounds_changed = Signal()

    def __init__(self, browser: SoundBrowser, notices: NoticeBar, parent: QObject) -> None:
        super().__init__(parent)
        self._browser, self._notices = browser, notices
        self.loader = SoundLoader(self)
        #: Files and folders that are shown, in the order they came.
        self.roots: tuple[Path, ...] = ()
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
            return self.roots[0].stem if self.roots[0].is_file() else self.roots[0].name
        return self.tr("sounds")

    def usable(self) -> tuple[Path, ...]:
        """The sounds to train on."""
        return self._browser.usable_paths()

    def show(self, roots: Sequence[Path]) -> None:
        """Show the sounds of these files and folders, in place of those that are shown."""
        self.roots = tuple(dict.fromkeys(path.absolute() for path in roots))
        self._notices.forget(TOPIC)
        self.loader.load(self.roots)

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
        task.start()

    def _on_demo_made(self, _files: object) -> None:
        self.show([paths.demo_dir()])

    def _on_failed(self, error: Exception) -> None:
        self._browser.show_busy("")
        self._notices.tell(TOPIC, self.tr("The sounds could not be read: {0}").format(error), "error")

    def _on_scanned(self, result: ScanResult) -> None:
        self._browser.show_scan(result)
        self._tell_left_out()
        if not result.entries and not result.skipped:
            self._notices.tell(TOPIC, self.tr("There are no sounds in there. Choose a folder that holds audio files."))
        self.sounds_changed.emit()

    def _on_checked(self, results: list[tuple[Path, str | None]]) -> None:
        self._browser.show_checked(results)
        if any(reason is not None for _, reason in results):
            self._tell_left_out()
            self.sounds_changed.emit()

    def _tell_left_out(self) -> None:
        rows = self._browser.left_out()
        if len(rows) == 1:
            self._notices.tell(TOPIC, self.tr("{0} is left out: {1}").format(rows[0].path.name, rows[0].reason))
        elif rows:
            text = self.tr("{0} files are left out; the list says why. One of them: {1}, {2}")
            self._notices.tell(TOPIC, text.format(len(rows), rows[0].path.name, rows[0].reason))
