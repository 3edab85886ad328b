"""The list of previews: how the model sounds, epoch by epoch."""

from pathlib import Path

from PySide6.QtCore import QElapsedTimer, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QLabel, QStackedWidget, QTreeView, QWidget

from distill.gui.panel import EmptyState, Panel
from distill.gui.preview_tree import SOUND_ROLE, PreviewSound, PreviewTree
from distill.models.catalog import FamilyInfo


class PreviewView(QTreeView):
    """The tree; a click, Enter or Space on a row asks to hear it."""

    playing_asked = Signal(object)  # PreviewSound

    def __init__(self) -> None:
        super().__init__()
        self._since_click = QElapsedTimer()
        self._clicked = QPersistentModelIndex()
        self.clicked.connect(self._on_clicked)
        self.activated.connect(self._on_activated)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space plays, as Enter does."""
        if event.key() == Qt.Key.Key_Space and self.currentIndex().isValid():
            self._ask(self.currentIndex())
            return
        super().keyPressEvent(event)

    def _on_clicked(self, index: QModelIndex) -> None:
        self._clicked = QPersistentModelIndex(index)
        self._since_click.start()
        self._ask(index)

    def _on_activated(self, index: QModelIndex) -> None:
        interval = QGuiApplication.styleHints().mouseDoubleClickInterval()
        is_double_click = self._since_click.isValid() and self._since_click.elapsed() < interval
        if not (is_double_click and self._clicked == QPersistentModelIndex(index)):  # its first click plays already
            self._ask(index)

    def _ask(self, index: QModelIndex) -> None:
        sound = index.data(SOUND_ROLE)
        if isinstance(sound, PreviewSound):
            self.playing_asked.emit(sound)


class PreviewPanel(Panel):
    """Shows the previews of the run that is shown."""

    playing_asked = Signal(object)  # PreviewSound
    current_changed = Signal(object)  # PreviewSound

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.title.setText(self.tr("Previews"))
        self.setAccessibleName(self.tr("Previews"))
        self.tree = PreviewTree(self)
        self.view = PreviewView()
        self.view.setObjectName("previewList")
        self.view.setAccessibleName(self.tr("Previews by epoch"))
        self.view.setToolTip(
            self.tr("Click a preview to hear it, or press Space. An epoch opens with the right arrow key.")
        )
        self.view.setModel(self.tree)
        self.view.setHeaderHidden(True)
        self.view.setUniformRowHeights(True)
        self.view.setExpandsOnDoubleClick(True)
        self.view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.view.setIndentation(18)
        self.view.playing_asked.connect(self.playing_asked)
        self.view.selectionModel().currentChanged.connect(self._on_current_changed)
        self.empty = EmptyState("play", self.tr("Nothing to hear yet"), "")
        self.note = QLabel(
            self.tr("Sounds that it is not trained on, and its copies of them. It makes no new sounds yet.")
        )
        self.note.setObjectName("muted")
        self.note.setWordWrap(True)
        self.note.hide()
        self.body.addWidget(self.note)
        self._makes_new_sounds = True
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.view)
        self.body.addWidget(self._stack, 1)
        self.tree.modelReset.connect(self._on_count_changed)
        self.tree.rowsInserted.connect(self._on_count_changed)

    def show_previews(self, previews: list[PreviewSound]) -> None:
        """Show the previews of another run; its newest epoch is open."""
        self.tree.set_previews(previews)
        self._expand(self.tree.rowCount() - 1)

    def show_family(self, info: FamilyInfo) -> None:
        """Say what the models of a family can be heard with."""
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
            was_empty = self.tree.rowCount() == 0
            self.tree.add(sound)
            if was_empty:  # a newcomer sees what an epoch holds
                self._expand(0)

    def show_playing(self, path: Path | None) -> None:
        """Mark the sound that is heard."""
        self.tree.set_playing(path)

    def _on_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        sound = current.data(SOUND_ROLE)
        if isinstance(sound, PreviewSound):
            self.current_changed.emit(sound)

    def _expand(self, row: int) -> None:
        if row >= 0:
            self.view.expand(self.tree.index(row, 0))

    def _on_count_changed(self) -> None:
        count = self.tree.sound_count
        self._stack.setCurrentIndex(1 if count else 0)
        self.note.setVisible(count > 0 and not self._makes_new_sounds)
        self.detail.setText(self.tr("1 sound") if count == 1 else self.tr("{0} sounds").format(count) if count else "")
