"""The panel of the dataset doctor: a card for each finding, with its sounds and a button that fixes it."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QModelIndex, Qt, Signal
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from distill.gui.lists.sound_clicks import Audition
from distill.gui.widgets import theme
from distill.gui.widgets.buttons import ActionButton
from distill.gui.widgets.formatting import count_of
from distill.gui.widgets.panel import Panel, PanelScrollArea
from distill.gui.widgets.plain_text import plain_tip, readable
from distill.training.data.doctor.findings import Finding

translate = QCoreApplication.translate

#: Rows of the list of sounds that are seen at once.
_ROWS = 5


def doctor_button_text(pending_count: int, finding_count: int) -> str:
    """Return what the button that opens the panel says: how many of the findings are still to be looked at."""
    if pending_count:
        return count_of(
            pending_count,
            translate("DoctorPresenter", "1 thing to look at"),
            translate("DoctorPresenter", "{0} things to look at"),
        )
    if finding_count:
        return translate("DoctorPresenter", "Check: nothing left to do")
    return translate("DoctorPresenter", "Check: nothing is wrong")


class DoctorPanel(Panel):
    """Shows findings and emits what the user requests; it measures nothing."""

    play_requested = Signal(object)  # Path
    fix_requested = Signal(object, bool)  # Finding, whether to fix it or to undo that
    fix_all_requested = Signal()
    close_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.setAccessibleIdentifier("doctorPanel")
        self.title.setText(self.tr("Check of the sounds"))
        self.setAccessibleName(self.tr("Check of the sounds"))
        self.cards: list[FindingCard] = []
        self._heard: Path | None = None
        self._message = QLabel()
        self._message.setObjectName("muted")
        self._message.setWordWrap(True)
        self.area = PanelScrollArea()
        self.fix_all = QPushButton(self.tr("Fix all"))
        self.fix_all.setObjectName("fixAllButton")
        self.fix_all.setToolTip(self.tr("Apply every fix that is proposed here. Your files stay as they are."))
        self.fix_all.clicked.connect(self.fix_all_requested)
        self.done = QPushButton(self.tr("Done"))
        self.done.setObjectName("doctorDoneButton")
        self.done.setToolTip(self.tr("Back to the previews (Escape)."))
        self.done.clicked.connect(self.close_requested)
        buttons = QHBoxLayout()
        buttons.setSpacing(theme.GAP)
        buttons.addStretch(1)
        buttons.addWidget(self.fix_all)
        buttons.addWidget(self.done)
        self.body.addWidget(self._message)
        self.body.addWidget(self.area, 1)
        self.body.addLayout(buttons)
        self.show_message("")

    def show_message(self, text: str) -> None:
        """Show a sentence above the findings; nothing if empty."""
        self._message.setText(text)
        self._message.setVisible(bool(text))

    def show_findings(self, findings: Sequence[Finding], is_fixed: Callable[[Finding], bool]) -> None:
        """Show findings, in place of those before."""
        for card in self.cards:
            self.area.column.removeWidget(card)
            card.deleteLater()
        self.cards = [FindingCard(finding, is_fixed(finding)) for finding in findings]
        for number, card in enumerate(self.cards):
            card.play_requested.connect(self.play_requested)
            card.fix_requested.connect(self.fix_requested)
            card.sounds.heard = self._heard
            self.area.column.insertWidget(number, card)
        self._order_focus()
        self.show_fixed(is_fixed)

    def show_playing(self, path: Path | None) -> None:
        """Note which sound is heard: Space stops it."""
        self._heard = path
        for card in self.cards:
            card.sounds.heard = path

    def show_fixed(self, is_fixed: Callable[[Finding], bool]) -> None:
        """Show which findings are fixed by now."""
        for card in self.cards:
            card.show_fixed(is_fixed(card.finding))
        self.fix_all.setEnabled(any(card.finding.fixes and not is_fixed(card.finding) for card in self.cards))

    def _order_focus(self) -> None:
        """Let Tab visit the cards before the buttons below them; Qt puts new widgets behind all of the window."""
        first = self.fix_all.previousInFocusChain() or self
        stops = (stop for card in self.cards for stop in (card.sounds, card.button))
        for before, after in pairwise((first, *stops)):
            QWidget.setTabOrder(before, after)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape closes."""
        if event.key() == Qt.Key.Key_Escape:
            self.close_requested.emit()
            return
        super().keyPressEvent(event)


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
