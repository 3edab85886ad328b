"""What plays the page from outside: MIDI ports, their controllers, and OSC."""

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QFormLayout, QHBoxLayout, QLabel, QWidget

from distill.control.osc import PORT_IN, PORT_OUT
from distill.control.pads_keys_and_knobs import POINT_X, POINT_Y
from distill.gui.play.sound_sliders import label_of
from distill.gui.widgets import theme
from distill.gui.widgets.buttons import ActionButton
from distill.gui.widgets.input_fields import QuietCombo, QuietSpin
from distill.gui.widgets.panel import HEADER_HEIGHT

#: Data of the choices of the list of ports that are no port.
ALL, NONE = "", None


class MidiPanel(QWidget):
    """Shows ports and controllers, and emits what is chosen."""

    port_chosen = Signal(object)  # name, "" for all, None for none
    pitches_toggled = Signal(bool)
    gate_toggled = Signal(bool)
    learning_requested = Signal(str)  # target
    osc_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("midiPanel")
        self.ports, self.keys, self.targets = QuietCombo(), QuietCombo(), QuietCombo()
        self.gate, self.osc = QCheckBox(self.tr("Pads end at release")), QCheckBox(self.tr("OSC in"))
        self.osc_in, self.osc_out = QuietSpin(), QuietSpin()
        self.learn = ActionButton(self.tr("Learn"))
        self.state, self.controller = QLabel(), QLabel()
        self._port_names: tuple[str, ...] = ()
        self._wanted_port: str | None = ALL
        self._set_up()
        self._lay_out()
        self.show_ports((), ())
        self.ports.currentIndexChanged.connect(lambda _index: self._on_port_chosen())
        self.keys.currentIndexChanged.connect(lambda index: self.pitches_toggled.emit(index == 1))
        self.gate.toggled.connect(self.gate_toggled)
        self.learn.clicked.connect(lambda: self.learning_requested.emit(self.targets.currentData()))
        self.osc.toggled.connect(lambda _is_on: self.osc_changed.emit())
        for spin in (self.osc_in, self.osc_out):
            spin.editingFinished.connect(self.osc_changed)

    @property
    def wanted(self) -> str | None:
        """Name of the chosen port, "" for all, None for none."""
        return self._wanted_port

    def choose(self, wanted: str | None) -> None:
        """Choose a port, whether it is connected or not."""
        self._wanted_port = wanted
        self.show_ports(self._port_names, ())

    def show_ports(self, names: Sequence[str], opened: Sequence[str]) -> None:
        """List the ports that are connected, and say which are open."""
        self._port_names = tuple(names)
        with QSignalBlocker(self.ports):
            self.ports.clear()
            self.ports.addItem(self.tr("All ports"), ALL)
            self.ports.addItem(self.tr("None"), NONE)
            for name in names:
                self.ports.addItem(name, name)
            if self._wanted_port and self._wanted_port not in names:
                self.ports.addItem(self.tr("{0}: not connected").format(self._wanted_port), self._wanted_port)
            wanted_row = next((n for n in range(self.ports.count()) if self.ports.itemData(n) == self._wanted_port), 0)
            self.ports.setCurrentIndex(wanted_row)
        if opened:
            self.show_state(self.tr("Open: {0}").format(", ".join(opened)))
        elif not names:
            self.show_state(self.tr("No MIDI port is connected."))
        else:
            self.show_state(self.tr("No port is open."))

    def show_state(self, text: str) -> None:
        """Say what was received, or what is open."""
        self.state.setText(text)

    def show_targets(self, sliders: Sequence[str]) -> None:
        """List what controllers can move: the point, and these sliders."""
        knob_targets = [(POINT_X, self.tr("Point, across")), (POINT_Y, self.tr("Point, up"))]
        knob_targets += [(name, label_of(name)) for name in sliders]
        with QSignalBlocker(self.targets):
            self.targets.clear()
            for name, label in knob_targets:
                self.targets.addItem(label, name)

    def show_controller(self, text: str) -> None:
        """Say which controller moves the chosen target, or that one is waited for."""
        self.controller.setText(text)

    def _on_port_chosen(self) -> None:
        self._wanted_port = self.ports.currentData()
        self.port_chosen.emit(self._wanted_port)

    def _set_up(self) -> None:
        keys_tip = self.tr("Pads: C2 to D#3 play them. Current sound: every key plays it, C4 at its own pitch.")
        osc_out_tip = self.tr("UDP port on this computer that receives what is played.")
        osc_in_tip = self.tr("UDP port on which Distill listens.")
        target_tip = self.tr("The control that Learn assigns to a knob.")
        for widget, name, label, tip in (
            (
                self.ports,
                "midiPortCombo",
                self.tr("MIDI port"),
                self.tr("Inputs that play this page."),
            ),
            (self.keys, "keysCombo", self.tr("What the keys play"), keys_tip),
            (self.targets, "targetCombo", self.tr("What a knob moves"), target_tip),
            (self.osc_in, "oscInSpin", self.tr("OSC input port"), osc_in_tip),
            (self.osc_out, "oscOutSpin", self.tr("OSC output port"), osc_out_tip),
        ):
            widget.setObjectName(name)
            widget.setAccessibleName(label)
            widget.setToolTip(tip)
        self.keys.addItems([self.tr("Pads"), self.tr("The current sound, at pitches")])
        for spin, port in ((self.osc_in, PORT_IN), (self.osc_out, PORT_OUT)):
            spin.lineEdit().setTextMargins(theme.HALF, 0, 0, 0)  # the style sheet's padding does not reach it
            spin.setRange(1, 65_535)
            spin.setValue(port)
        self.gate.setObjectName("gateCheck")
        self.gate.setToolTip(self.tr("The sound of a pad ends when its key is released; else it plays to its end."))
        self.osc.setObjectName("oscCheck")
        self.osc.setToolTip(self.tr("OSC: /distill/pad/N, /note, /point, /slider/NAME and /stop, in and out."))
        self.learn.setObjectName("learnButton")
        self.learn.setProperty("small", True)
        self.learn.setToolTip(self.tr("Click, then turn a knob of your controller: it moves this from now on."))
        self.state.setObjectName("muted")
        self.state.setWordWrap(True)
        self.state.setTextFormat(Qt.TextFormat.PlainText)  # names of devices are in it
        self.controller.setObjectName("muted")
        for combo in (self.ports, self.keys, self.targets):
            combo.setMinimumContentsLength(8)
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)

    def _lay_out(self) -> None:
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(theme.HALF)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        learning = QHBoxLayout()
        learning.setSpacing(theme.HALF)
        learning.addWidget(self.targets, 1)
        learning.addWidget(self.learn)
        learning.addWidget(self.controller)
        self.osc.setMinimumHeight(theme.roomy(HEADER_HEIGHT))  # on one line with its field
        form.addRow(self.tr("MIDI"), self.ports)
        form.addRow(self.tr("Keys"), self.keys)
        form.addRow("", self.gate)
        form.addRow(self.tr("Knobs"), learning)
        form.addRow(self.osc, self.osc_in)
        form.addRow(self.tr("OSC out"), self.osc_out)
        form.addRow(self.state)
