"""Writes sounds and kits of the Play page where the user wants them, and remembers that place."""

import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from distill.errors import DistillError
from distill.files import write_whole
from distill.generation.kits.kit_sounds import KitPlan
from distill.generation.kits.kit_writer import free_folder
from distill.generation.map.map_session import MapSession, WrittenKit
from distill.gui.background_tasks import BackgroundTask, TaskQueue
from distill.gui.desktop.dialog_folders import StartFolders, first_folder
from distill.gui.desktop.show_in_folder import reveal
from distill.gui.engine.engine_protocol import EngineSource
from distill.gui.play.export.kit_dialog import KitDialog
from distill.gui.play.page import PlayPage
from distill.gui.widgets.notices import NoticeAction, NoticeBar
from distill.names import plain_name


class ExportPresenter(QObject):
    """Saves the current sound, and writes the pads as a kit; nothing is overwritten without asking.

    Parameters
    ----------
    page
        The pads are its, and dialogs open above it.
    session
        Makes the versions of a kit's sounds.
    engine
        Waits for the import of torch.
    notices, topic
        Where it is said what was written.
    """

    def __init__(
        self, page: PlayPage, session: MapSession, engine: EngineSource, notices: NoticeBar, topic: str, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._page, self._session, self._engine = page, session, engine
        self._notices, self._topic = notices, topic
        self._plan = KitPlan()
        self._dialog: KitDialog | None = None
        #: Name of the model that is played; kits are called after it.
        self.model_name = ""
        #: Where a sound or a kit was written last.
        self.folder = first_folder()
        self._starts = StartFolders(self)
        #: What is said of the kit that is being written; empty for none.
        self.busy = ""
        # What is played meanwhile, also by another model, neither takes the place of a kit nor ends it.
        self._kits = TaskQueue("kit", self)
        self._kits.idle.connect(lambda: self._show_busy(""))
        page.stop_requested.connect(self._stop_kits)
        page.appeared.connect(lambda: self._starts.look(self.folder))

    def restore(self, folder: str) -> None:
        """Use the folder of the last session.  It is not looked at: a share may not answer."""
        if folder and "\0" not in folder:
            self.folder = Path(folder)

    def ask_for_sound_file(self, source: Path) -> None:
        """Let the user choose a file to save a sound as."""
        start = self._starts.start(self.folder)
        dialog = QFileDialog(self._page.window(), self.tr("Save the sound"), str(start / source.name))
        dialog.setObjectName("saveSoundDialog")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(source.suffix.lstrip("."))
        dialog.fileSelected.connect(lambda target: self.save_as(source, Path(target)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def save_as(self, source: Path, target: Path) -> None:
        """Copy a sound to a file that the user chose."""

        def work(_notify: Callable[[Any], None], _cancel: threading.Event) -> None:
            try:
                content = source.open("rb")
            except OSError as exc:
                text = self.tr("{0} cannot be read: {1}.").format(source.name, exc.strerror or exc)
                raise DistillError(text) from exc
            try:
                with content, write_whole(target, tidies=False) as file:
                    shutil.copyfileobj(content, file)
            except OSError as exc:
                text = self.tr("{0} cannot be written: {1}.").format(target, exc.strerror or exc)
                raise DistillError(text) from exc

        task = BackgroundTask(work, self)
        task.setObjectName("save sound")
        task.succeeded.connect(lambda _done: self._notify_written(self.tr("{0} is saved.").format(target.name), target))
        task.failed.connect(self._on_failed)
        task.start()

    def ask_for_kit(self) -> None:
        """Let the user choose what a kit is made of and where it is written."""
        name = plain_name(self.tr("{0} kit").format(self.model_name), self.tr("Kit"))
        dialog = KitDialog(len(self._page.pads.sounds()), self._plan, self.folder, name, self._page.window())
        dialog.folder_chosen.connect(partial(self._look_into, dialog))
        dialog.kit_requested.connect(self.export_kit)
        dialog.finished.connect(self._on_dialog_finished)
        dialog.finished.connect(dialog.deleteLater)
        self._dialog = dialog
        dialog.open()
        self._look_into(dialog, self.folder)

    def _on_dialog_finished(self, _result: int) -> None:
        self._dialog = None

    def _look_into(self, dialog: KitDialog, folder: Path) -> None:
        """Find out in the background which names are taken in a folder."""

        def work(_notify: Callable[[Any], None], _cancel: threading.Event) -> list[str]:
            with suppress(OSError):
                return [path.name for path in folder.iterdir()]
            return []  # it is made with the kit, or said then why not

        def show(names: list[str]) -> None:
            if dialog is self._dialog and dialog.folder == folder:
                dialog.show_taken(names)

        task = BackgroundTask(work, self)
        task.setObjectName("kit folder")
        task.succeeded.connect(show)
        task.start()

    def export_kit(self, folder: Path, plan: KitPlan) -> None:
        """Write the sounds of the pads as a kit into a new folder; if there is one of that name, a number follows."""
        self._plan = plan
        pad_sounds = {number: pad.sound for number, pad in enumerate(self._page.pads.pads, 1) if pad.sound is not None}
        session, engine, pads, sounds = self._session, self._engine, tuple(pad_sounds), tuple(pad_sounds.values())
        progress = self.tr("Kit: {0} of {1}. Esc stops.")

        def work(notify: Callable[[Any], None], cancel: threading.Event) -> WrittenKit:
            engine()
            target = free_folder(folder)
            return session.export_kit(
                target, target.name, sounds, plan, lambda done: notify(progress.format(done, len(sounds))), pads, cancel
            )

        def on_started() -> None:
            self._notices.forget(self._topic)
            self._show_busy(self.tr("Writing the kit… Esc stops."))

        self._kits.submit(
            work, self._on_kit_written, self._on_failed, on_progress=self._show_busy, on_started=on_started
        )

    def _stop_kits(self) -> None:
        """Write no kit, if that is what the page says is done."""
        if self.busy and self._page.busy == self.busy:
            self._kits.clear()
            self._kits.cancel()

    def _show_busy(self, text: str) -> None:
        """Say what is done for a kit, unless the page says what it generates."""
        if self._page.busy in ("", self.busy):
            self._page.show_busy(text)
        self.busy = text

    def _on_failed(self, error: Exception) -> None:
        self._notices.notify_error(self._topic, error)

    def _on_kit_written(self, written: WrittenKit) -> None:
        kit = written.kit
        text = self.tr("The kit is in {0}. Open {1} in your sampler, or the SFZ file.")
        preset = next((path for path in kit.presets if path.suffix == ".dspreset"), kit.presets[0])
        text = text.format(kit.folder.name, preset.name)
        if 0 < written.varied < written.sounds:
            text += " " + self.tr("This model made {0} of its {1} sounds; only these have versions.").format(
                written.varied, written.sounds
            )
        self._notify_written(text, kit.folder, preset)

    def _notify_written(self, text: str, written: Path, shown: Path | None = None) -> None:
        self.folder = written.parent
        self._starts.look(self.folder)
        action = NoticeAction(self.tr("Show in folder"), lambda: reveal(shown or written, self))
        self._notices.notify(self._topic, text, "info", action)
