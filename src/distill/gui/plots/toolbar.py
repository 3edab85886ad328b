"""The choices above the plots: details, and in a list that opens the plots, a logarithmic axis, and smoothing."""

from itertools import pairwise

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from distill.gui.widgets import theme
from distill.gui.widgets.icons import icon


class PlotToolbar(QWidget):
    """A row of choices.  Those that are made seldom are in a list, so that the plots have the room."""

    #: Show or hide a plot: its name, and whether to show it.
    plot_toggled = Signal(str, bool)
    #: All curves and plots are to be shown, or only the main curve.
    details_toggled = Signal(bool)
    log_toggled = Signal(bool)
    smoothing_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.buttons: dict[str, QToolButton] = {}
        self.details = self._make_button("plotDetailsButton", self.tr("Details"))
        self.details.setToolTip(self.tr("Show all curves, checkpoints and early warning signs."))
        self.details.toggled.connect(self.details_toggled)
        self.choose = self._make_button("plotChoicesButton", self.tr("Curves"))
        self.choose.setToolTip(self.tr("Choose the plots, and how their curves are drawn."))
        self.choose.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.choose.toggled.connect(self._on_choose_toggled)
        self.choices = _Choices(self)
        self.choices.closed.connect(self._on_choices_closed)
        self.log = self._make_button("logButton", self.tr("Log"))
        self.log.setToolTip(self.tr("Logarithmic axis: late, small improvements become visible."))
        self.log.toggled.connect(self.log_toggled)
        self.smoothing = QComboBox()
        self.smoothing.setObjectName("smoothingCombo")
        self.smoothing.setAccessibleName(self.tr("Smoothing"))
        self.smoothing.setToolTip(
            self.tr("Moving averages over 10, 50 or 250 steps and 3, 7 or 15 epochs, in front of the curve.")
        )
        self.smoothing.addItems([self.tr("Raw"), self.tr("Smooth"), self.tr("Smoother"), self.tr("Smoothest")])
        self.smoothing.currentIndexChanged.connect(self.smoothing_chosen)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.HALF)
        row.addWidget(self.details)
        row.addWidget(self.choose)
        row.addStretch(1)
        self._draw()

    def add_plot(self, name: str, label: str, help: str) -> None:
        """Add the button of a plot."""
        button = self._make_button(f"{name}PlotButton", label)
        button.setToolTip(help)
        button.toggled.connect(lambda on: self.plot_toggled.emit(name, on))
        self.buttons[name] = button
        self.choices.column.addWidget(button)

    def show_choices(self, are_shown: bool) -> None:
        """Offer more than the details button, or not."""
        self.choose.setVisible(are_shown)
        if not are_shown:
            self.choices.close()

    def finish(self) -> None:
        """Append what concerns all plots."""
        for widget in (self.log, self.smoothing):
            self.choices.column.addWidget(widget)
        for first, second in pairwise((*self.buttons.values(), self.log, self.smoothing)):
            QWidget.setTabOrder(first, second)

    def changeEvent(self, event: QEvent) -> None:
        """Draw the icon in the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "choose"):
            self._draw()

    def _on_choose_toggled(self, is_on: bool) -> None:
        if is_on:
            self.choices.open_below(self.choose)
        else:
            self.choices.close()

    def _on_choices_closed(self) -> None:
        self.choose.setChecked(False)

    def _draw(self) -> None:
        self.choose.setIcon(icon("down", theme.colors().text))

    def _make_button(self, object_name: str, label: str) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName(object_name)
        button.setText(label)
        button.setCheckable(True)
        button.setProperty("chip", True)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        return button


class _Choices(QFrame):
    """The list of choices: it stays open while they are made, and closes with Escape or a click elsewhere."""

    closed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("plotChoices")
        self.setAccessibleName(self.tr("Plots and curves"))
        self.setAttribute(Qt.WidgetAttribute.WA_NoMouseReplay)  # a click on its button would open it again
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(theme.GAP, theme.GAP, theme.GAP, theme.GAP)
        self.column.setSpacing(theme.HALF)
        self.column.setSizeConstraint(QVBoxLayout.SizeConstraint.SetFixedSize)

    def open_below(self, widget: QWidget) -> None:
        """Open below a widget, within its window."""
        self.show()  # the style sheet reaches the list with the first show
        window = widget.window()
        corner = widget.mapToGlobal(QPoint(0, widget.height() + theme.HALF))
        right = window.mapToGlobal(QPoint(window.width() - self.sizeHint().width() - theme.GAP, 0)).x()
        self.move(min(corner.x(), right), corner.y())

    def hideEvent(self, event: QHideEvent) -> None:
        """Report that it is closed."""
        super().hideEvent(event)
        self.closed.emit()
