"""The choices above the plots: details, a button for each plot, logarithmic axis, smoothing."""

from itertools import pairwise

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QToolButton, QWidget

from distill.gui.widgets import theme
from distill.gui.widgets.layout import FlowBox


class PlotToolbar(FlowBox):
    """A row of choices, which wraps in a narrow window."""

    #: Show or hide a plot: its name, and whether to show it.
    plot_toggled = Signal(str, bool)
    #: All curves and plots are to be shown, or only the main curve.
    details_toggled = Signal(bool)
    log_toggled = Signal(bool)
    smoothing_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__(theme.HALF, theme.HALF)
        self.buttons: dict[str, QToolButton] = {}
        self.details = self._make_button("plotDetailsButton", self.tr("Details"))
        self.details.setToolTip(self.tr("Show all curves, checkpoints and early warning signs."))
        self.details.toggled.connect(self.details_toggled)
        self.addWidget(self.details)
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

    def add_plot(self, name: str, label: str, help: str) -> None:
        """Add the button of a plot."""
        button = self._make_button(f"{name}PlotButton", label)
        button.setToolTip(help)
        button.toggled.connect(lambda on: self.plot_toggled.emit(name, on))
        self.buttons[name] = button
        self.addWidget(button)

    def show_choices(self, are_shown: bool) -> None:
        """Show or hide everything but the details button."""
        for widget in (*self.buttons.values(), self.log, self.smoothing):
            widget.setVisible(are_shown)

    def finish(self) -> None:
        """Append what concerns all plots."""
        self.addWidget(self.log)
        self.addWidget(self.smoothing)
        for first, second in pairwise((self.details, *self.buttons.values(), self.log, self.smoothing)):
            QWidget.setTabOrder(first, second)

    def _make_button(self, object_name: str, label: str) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName(object_name)
        button.setText(label)
        button.setCheckable(True)
        button.setProperty("chip", True)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return button
