"""The panel of previews: how the model sounds, epoch by epoch, beside the originals; and the menu of a preview."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel, QMenu, QStackedWidget, QWidget

from distill.config.family_catalog import FamilyInfo
from distill.gui.previews.grid_with_originals import PreviewTable
from distill.gui.previews.model import PreviewModel
from distill.gui.previews.stars import are_all_starred
from distill.gui.previews.toolbar import PreviewTools
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets.empty_state import EmptyState
from distill.gui.widgets.panel import Panel
from distill.runs.preview_files import PreviewKind, PreviewSound, expected_slots


class PreviewPanel(Panel):
    """Shows the previews of the selected run."""

    #: Switch between a reconstruction and its original.
    comparing_requested = Signal(object, object)  # PreviewSound, PreviewSound
    reveal_requested = Signal(object)  # Path
    saving_requested = Signal(object)  # PreviewSound
    #: Make others of this sound on the Play page; put these sounds on pads.
    play_page_requested = Signal(object)  # Path
    pads_requested = Signal(object)  # list of Path
    #: The previews of another folder are shown; None when there are none.
    folder_changed = Signal(object)  # Path or None

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.title.setText(self.tr("Previews"))
        self.setAccessibleName(self.tr("Previews"))
        self.grid = PreviewModel(self)
        self.thumbnails = Thumbnails(self)
        self.tools = PreviewTools()
        self.table = PreviewTable(self.grid, self.thumbnails)
        self.view = self.table.view
        self.empty = EmptyState("play", self.tr("Nothing to hear yet"), "")
        self.note = QLabel(
            self.tr("Sounds that it is not trained on, and its copies of them. It makes no new sounds yet.")
        )
        self.note.setObjectName("muted")
        self.note.setWordWrap(True)
        self.note.hide()
        self._folder: Path | None = None
        self._makes_new_sounds = True
        self._lay_out()
        self.tools.compare_clicked.connect(self._on_comparing_requested)
        self.tools.starred_only_toggled.connect(self.table.show_starred_only)
        self.tools.newest_clicked.connect(self.view.show_newest)
        for cells in self.table.cells:
            cells.comparing_requested.connect(self._on_comparing_requested)
            cells.menu_requested.connect(self._on_menu_requested)
        self.table.chosen_changed.connect(self._update_comparing)
        for signal in (self.grid.modelReset, self.grid.rowsInserted, self.grid.columnsInserted, self.grid.dataChanged):
            signal.connect(self._on_count_changed)

    def _lay_out(self) -> None:
        self.header.removeWidget(self.detail)
        self.header.insertWidget(1, self.detail)
        self.header.addWidget(self.tools)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.table)
        self.body.addWidget(self.note)
        self.body.addWidget(self._stack, 1)

    def expect_previews(self, info: FamilyInfo) -> None:
        """Make room for the previews of a new run of a family: nothing moves when they come, one after the other."""
        self.show_previews([])
        self.grid.set_previews([], expected_slots(info.makes_new_sounds))
        self.show_family(info)

    def show_previews(self, previews: Sequence[PreviewSound]) -> None:
        """Show the previews of another run, from its newest epoch on."""
        self._show_folder(previews[0].folder if previews else None)
        self.tools.starred_only.setChecked(False)
        self.grid.set_previews(previews)
        self.thumbnails.prefetch_waveforms([sound.path for sound in previews])
        self.view.show_newest()
        self._update_comparing()

    def show_family(self, info: FamilyInfo) -> None:
        """Show which previews a family has."""
        self._makes_new_sounds = info.makes_new_sounds
        self.empty.text.setText(
            self.tr("While the model learns, it plays here what it can do: new sounds, and yours as it remembers them.")
            if info.makes_new_sounds
            else self.tr(
                "While the model learns, it plays here sounds that it is not trained on, and its copies of them. "
                "This family makes no new sounds yet."
            )
        )
        self._on_count_changed()

    def add(self, path: Path) -> None:
        """Add a preview that was made just now."""
        sound = PreviewSound.from_path(path)
        if sound is not None:
            self._show_folder(sound.folder)
            self.grid.add(sound)
            self.thumbnails.prefetch_waveforms([path])  # an epoch that is trained again overwrites its previews

    def show_losses(self, losses: Mapping[int, float]) -> None:
        """Say beside each epoch, which counts from 0, how far the loss on held-out sounds has fallen."""
        self.grid.set_losses(losses)

    def show_playing(self, path: Path | None, pair: tuple[Path, Path] | None = None) -> None:
        """Mark the sound that is heard; ``pair`` are the two that are compared."""
        self.grid.set_playing(path)
        for cells in self.table.cells:
            cells.show_heard(() if path is None else (path, *(pair or ())))
        self.table.show_playing()
        heard = PreviewSound.from_path(path) if path is not None else None
        self.tools.show_hears_original(heard is not None and heard.kind is PreviewKind.ORIGINAL)

    def show_starred(self, paths: frozenset[Path]) -> None:
        """Mark the sounds that are starred."""
        self.grid.set_starred(paths)
        self.tools.show_has_stars(bool(paths))

    def _show_folder(self, folder: Path | None) -> None:
        if folder != self._folder:
            self._folder = folder
            self.folder_changed.emit(folder)

    def _on_comparing_requested(self) -> None:
        pair = self.table.pair()
        if pair is not None:
            self.comparing_requested.emit(*pair)

    def _update_comparing(self) -> None:
        self.tools.show_comparable(self.table.chosen, self.table.pair() is not None)

    def _on_menu_requested(self, position: QPoint) -> None:
        sound = self.table.chosen
        if sound is None:
            return
        chosen = self.table.chosen_sounds()
        menu = PreviewMenu(chosen, self.grid.starred, self.table.pair() is not None, self)
        menu.play.triggered.connect(lambda: self.view.playing_requested.emit(sound))
        menu.compare.triggered.connect(self._on_comparing_requested)
        menu.star.triggered.connect(lambda: self.view.starring_requested.emit(chosen))
        menu.use.triggered.connect(lambda: self.play_page_requested.emit(sound.path))
        menu.pad.triggered.connect(lambda: self.pads_requested.emit([item.path for item in chosen]))
        menu.reveal.triggered.connect(lambda: self.reveal_requested.emit(sound.path))
        menu.copy.triggered.connect(self.table.copy_chosen)
        menu.save.triggered.connect(lambda: self.saving_requested.emit(sound))
        menu.popup(position)

    def _on_count_changed(self) -> None:
        count = self.grid.sound_count
        self._stack.setCurrentIndex(1 if count else 0)
        self.tools.setVisible(count > 0)
        self.note.setVisible(count > 0 and not self._makes_new_sounds)
        self._update_comparing()
        self.detail.setText(self.tr("1 sound") if count == 1 else self.tr("{0} sounds").format(count) if count else "")


class PreviewMenu(QMenu):
    """The actions of the sound under the cursor and of the selected sounds."""

    def __init__(
        self,
        chosen: Sequence[PreviewSound],
        starred: Collection[Path],
        can_compare: bool,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("previewMenu")
        can_star = [sound for sound in chosen if sound.kind is not PreviewKind.ORIGINAL]
        loses_star = are_all_starred([sound.path for sound in can_star], starred)
        self.play = self._entry(self.tr("Play"), self.tr("Space"))
        self.compare = self._entry(self.tr("Compare with the original"), "B")
        self.compare.setEnabled(can_compare)
        self.star = self._entry(self.tr("Remove star") if loses_star else self.tr("Star"), "S")
        self.star.setEnabled(bool(can_star))
        self.addSeparator()
        self.use = self._entry(self.tr("Use on the Play page"))
        self.pad = self._entry(self.tr("Put on a pad"))
        self.addSeparator()
        self.reveal = self._entry(self.tr("Show in folder"))
        self.copy = self._entry(self.tr("Copy file path") if len(chosen) < 2 else self.tr("Copy file paths"), "Ctrl+C")
        self.save = self._entry(self.tr("Save a copy as…"))

    def _entry(self, text: str, keys: str = "") -> QAction:
        return self.addAction(f"{text}\t{keys}" if keys else text)
