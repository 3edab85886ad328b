"""The panel of the dataset doctor: a card for each finding."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from distill.gui.doctor.finding_card import FindingCard
from distill.gui.widgets import theme
from distill.gui.widgets.formatting import count_of
from distill.gui.widgets.panel import Panel, PanelScrollArea
from distill.training.data.doctor.findings import Finding

translate = QCoreApplication.translate


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
