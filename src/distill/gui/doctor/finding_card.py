"""A finding of the dataset doctor: what it is, why it matters, its sounds, and a button that fixes it."""

from pathlib import Path

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QListWidget, QListWidgetItem, QVBoxLayout

from distill.gui.lists.sound_clicks import Audition
from distill.gui.widgets import theme
from distill.gui.widgets.buttons import ActionButton
from distill.gui.widgets.plain_text import plain_tip, readable
from distill.training.data.doctor.findings import Finding

#: Rows of the list of sounds that are seen at once.
_ROWS = 5


class FoundSounds(QListWidget):
    """The sounds of a finding: a click, Enter or Space plays; Space also stops."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        super().__init__()
        self.setObjectName("findingSounds")
        self.setAccessibleName(self.tr("Sounds of this finding"))
        self.setToolTip(self.tr("Click a sound to hear it."))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        for path in files:
            item = QListWidgetItem(readable(path.name))
            item.setData(Qt.ItemDataRole.UserRole, path)
            item.setToolTip(plain_tip(str(path)))
            self.addItem(item)
        self._fit_rows()
        #: The sound that is heard now.
        self.heard: Path | None = None
        self.audition = Audition(self)

    def showEvent(self, event: QShowEvent) -> None:
        """Measure the rows anew: the style sheet reaches them with the first show."""
        super().showEvent(event)
        self._fit_rows()

    def _fit_rows(self) -> None:
        """Be as high as the rows, up to a number of them."""
        row = self.sizeHintForRow(0) if self.count() else 0
        frame = self.height() - self.viewport().height() if self.isVisible() else 2 * self.frameWidth()
        self.setFixedHeight(min(self.count(), _ROWS) * row + frame + 2)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Play or stop with Space, and follow the arrow keys."""
        if event.key() == Qt.Key.Key_Space:
            path = self.currentIndex().data(Qt.ItemDataRole.UserRole)
            self.audition.take_space(event, is_heard=path is not None and path == self.heard)
            return
        before = self.currentIndex()
        super().keyPressEvent(event)
        self.audition.follow_walk(event, before)


class FindingCard(QFrame):
    """Shows a finding and emits what the user requests."""

    play_requested = Signal(object)  # Path
    fix_requested = Signal(object, bool)  # Finding, whether to fix it or to undo that

    def __init__(self, finding: Finding, is_fixed: bool) -> None:
        super().__init__()
        self.setObjectName("findingCard")
        self.finding = finding
        self._is_fixed = is_fixed
        title = QLabel(finding.title)
        title.setObjectName("findingTitle")
        title.setWordWrap(True)
        self.setAccessibleName(finding.title)
        self.sounds = FoundSounds(finding.sounds)
        self.sounds.audition.asked.connect(self._on_asked)
        self.state = self._muted("")
        self.button = ActionButton()
        self.button.setObjectName("fixButton")
        self.button.clicked.connect(self._on_clicked)
        self.button.setVisible(bool(finding.fixes))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, theme.HALF, 0, theme.MARGIN)
        layout.setSpacing(theme.HALF)
        layout.addWidget(title)
        layout.addWidget(self._muted(finding.why))
        layout.addWidget(self.sounds)
        row = QHBoxLayout()
        row.setSpacing(theme.GAP)
        row.addWidget(self.button)
        row.addWidget(self.state, 1)
        layout.addLayout(row)
        self.show_fixed(is_fixed)

    def show_fixed(self, is_fixed: bool) -> None:
        """Show whether the finding is fixed."""
        self._is_fixed = is_fixed
        self.button.setText(self.tr("Undo") if is_fixed else self.tr("Fix"))
        self.button.setAccessibleName(
            (self.tr("Undo: {0}") if is_fixed else self.tr("Fix: {0}")).format(self.finding.fix_text)
        )
        self.button.setToolTip(
            self.tr("Train on these sounds unchanged again.")
            if is_fixed
            else self.tr("For training only: your files stay as they are.")
        )
        state_texts = [self.finding.done_text] if self.finding.done_text else []
        if self.finding.fixes:
            state_texts.append((self.tr("Done: {0}") if is_fixed else "{0}").format(self.finding.fix_text))
        self.state.setText(" ".join(state_texts))
        self.state.setVisible(bool(state_texts))

    def _muted(self, text: str) -> QLabel:
        label = QLabel(text)
        label.setObjectName("muted")
        label.setWordWrap(True)
        return label

    def _on_asked(self, index: QModelIndex) -> None:
        path = index.data(Qt.ItemDataRole.UserRole)
        if path is not None:
            self.play_requested.emit(path)

    def _on_clicked(self) -> None:
        self.fix_requested.emit(self.finding, not self._is_fixed)
