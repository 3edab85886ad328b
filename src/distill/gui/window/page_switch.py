"""The switch between the pages of the window: its buttons, and the progress of the training under one of them."""

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QSizePolicy, QToolButton, QWidget

from distill.gui.widgets import theme

#: Page numbers, in display order.
TRAINING, MODELS, PLAY = 0, 1, 2
#: Distance of a line of progress from the sides of its button, and from its lower edge, in device-independent pixels.
_LINE_MARGIN, _LINE_BELOW = 14, 5


class _PageButton(QToolButton):
    """A button of the switch; a line under its text shows the progress of what runs on its page."""

    page_progress: float | None = None

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the button and the line."""
        super().paintEvent(event)
        if self.page_progress is not None:
            page_line = QRectF(self.rect()).adjusted(_LINE_MARGIN, 0, -_LINE_MARGIN, 0)
            page_line.setTop(page_line.bottom() - _LINE_BELOW)
            page_line.setHeight(2)
            painter = QPainter(self)
            painter.fillRect(page_line, QColor(theme.colors().border_strong))
            page_line.setWidth(page_line.width() * min(1.0, self.page_progress))
            painter.fillRect(page_line, QColor(theme.colors().accent))


class PageSwitch(QWidget):
    """Shows which page is open, and emits the one that the user chooses."""

    page_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pageSwitch")
        self.setAccessibleName(self.tr("Pages"))
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        for page, name, text, tip in (
            (TRAINING, "trainingPageButton", self.tr("Training"), self.tr("Choose sounds and train a model on them.")),
            (
                MODELS,
                "modelsPageButton",
                self.tr("Models"),
                self.tr("All models that you keep, and what they sound like."),
            ),
            (
                PLAY,
                "playPageButton",
                self.tr("Play"),
                self.tr("Play the chosen model: map, sliders, pads."),
            ),
        ):
            button = _PageButton()
            button.setObjectName(name)
            button.setText(text)
            button.setAccessibleName(text)
            button.setToolTip(tip)
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.setProperty("segment", True)
            self._group.addButton(button, page)
            row.addWidget(button)
        self._group.button(TRAINING).setChecked(True)
        self._group.idClicked.connect(self.page_chosen)

    def show_page(self, page: int) -> None:
        """Show that a page is open."""
        self._group.button(page).setChecked(True)

    def show_progress(self, share: float | None, text: str = "") -> None:
        """Show under *Training* how far the training is, from 0 to 1, and in words; None for no training."""
        button = self._group.button(TRAINING)
        assert isinstance(button, _PageButton)
        if share != button.page_progress:
            button.page_progress = share
            button.update()
        button.setAccessibleDescription(text)
