"""What is shown of a run, and how: a button for each plot, the kind of axis, and the smoothing."""

from itertools import pairwise

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QToolButton, QWidget

from distill.gui.widgets import theme
from distill.gui.widgets.layout import FlowBox


class PlotToolbar(FlowBox):
    """A row of choices, which wraps in a narrow window."""

    #: A plot is to be shown or hidden: its name, and whether.
    plot_toggled = Signal(str, bool)
    log_toggled = Signal(bool)
    smoothing_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__(theme.HALF, theme.HALF)
        self.buttons: dict[str, QToolButton] = {}
        self.log = self._make_button("logButton", self.tr("Log"))
        self.log.setToolTip(self.tr("Draw loss and KL over logarithms: late, small improvements are seen better."))
        self.log.toggled.connect(self.log_toggled)
        self.smoothing = QComboBox()
        self.smoothing.setObjectName("smoothingCombo")
        self.smoothing.setAccessibleName(self.tr("Smoothing"))
        self.smoothing.setToolTip(
            self.tr("Draw moving averages, over 10, 50 or 250 steps and 3, 7 or 15 epochs; the curve stays behind it.")
        )
        self.smoothing.addItems([self.tr("Raw"), self.tr("Smooth"), self.tr("Smoother"), self.tr("Smoothest")])
        self.smoothing.currentIndexChanged.connect(self.smoothing_chosen)

    def add_plot(self, name: str, label: str, help: str) -> None:
        """Offer a plot."""
        button = self._make_button(f"{name}PlotButton", label)
        button.setToolTip(help)
        button.toggled.connect(lambda on: self.plot_toggled.emit(name, on))
        self.buttons[name] = button
        self.addWidget(button)

    def finish(self) -> None:
        """Put what is not about one plot at the end of the row."""
        self.addWidget(self.log)
        self.addWidget(self.smoothing)
        for first, second in pairwise((*self.buttons.values(), self.log, self.smoothing)):
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
