"""Settings as rows of a form: name, editor, range, reset button, and a message when a value is invalid.

There is an editor for each kind of value.  It accepts a valid text at once, and shows at once why another is invalid.
It never holds an invalid value: an invalid text goes back to the value before the edit.
"""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QToolButton, QWidget

from distill.config.setting_fields import SettingField
from distill.errors import ConfigurationError
from distill.gui.widgets import theme
from distill.gui.widgets.icons import icon
from distill.gui.widgets.input_fields import QuietCombo

#: Widths of the columns of editors and of ranges, in device-independent pixels at the usual text size.
EDITOR_WIDTH, SPAN_WIDTH = 104, 124

#: How much the arrow keys change a number that is not whole.
STEP_FACTOR = 1.1

#: Narrowest that a control gets, in device-independent pixels.
_MINIMUM_WIDTH = 76


class SettingRow(QObject):
    """Shows a setting's value, marks it when it differs from the preset, and emits the requested value."""

    #: The user has typed another value.
    value_wanted = Signal(str, object)  # name, value
    #: A message has appeared under the setting.
    problem_shown = Signal(object)  # the setting's editor
    #: The user wants the preset's value back.
    reset_wanted = Signal(str)  # name

    def __init__(self, field: SettingField, grid: QGridLayout, row: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.field = field
        self._preset_value: Any = field.default
        self._is_read_only = False
        self.label = QLabel(field.label)
        self.label.setObjectName("settingLabel")
        self.label.setWordWrap(True)
        self.editor = make_editor(field)
        self.editor.setFixedWidth(theme.roomy(EDITOR_WIDTH))
        self.label.setBuddy(self.editor.control)
        self._span = QLabel(field.span)
        self._span.setObjectName("muted")
        self.reset = QToolButton()
        self.reset.setObjectName(f"reset {field.name}")
        self.reset.setAccessibleName(self.tr("Reset {0}").format(field.label))
        self.message = QLabel()
        self.message.setObjectName("settingMessage")
        self.message.setWordWrap(True)
        self.message.hide()
        keep = self.reset.sizePolicy()
        keep.setRetainSizeWhenHidden(True)  # the form does not move when a value changes
        self.reset.setSizePolicy(keep)
        for column, widget in enumerate((self.label, self.editor, self._span, self.reset)):
            grid.addWidget(widget, 2 * row, column)
        grid.addWidget(self.message, 2 * row + 1, 0, 1, 4)
        self.editor.value_changed.connect(lambda value: self.value_wanted.emit(field.name, value))
        self.editor.refused.connect(self.show_problem)
        self.reset.clicked.connect(lambda: self.reset_wanted.emit(field.name))
        self.draw_icon()

    @property
    def is_changed(self) -> bool:
        """Whether the value is another than the preset's."""
        return bool(self.editor.value() != self._preset_value)

    def show_value(self, value: Any, base: Any, is_read_only: bool) -> None:
        """Show a value, and what the preset says."""
        self._preset_value, self._is_read_only = base, is_read_only
        self.editor.show_value(value)
        self.editor.set_read_only(is_read_only)
        self.show_problem("")
        self._mark()

    def show_problem(self, text: str) -> None:
        """Say why what is typed is not taken; nothing, when it is."""
        kept = self.tr("{0} It stays {1}.").format(text, self.field.text(self.editor.value()))
        self.message.setText(kept if text else "")
        self.message.setVisible(bool(text))
        if text:
            self.problem_shown.emit(self.editor)
        theme.set_style_property(self.editor.control, "refused", bool(text))

    def draw_icon(self) -> None:
        """Draw the icon in the colours of the theme."""
        self.reset.setIcon(icon("undo", theme.colors().text))

    def _mark(self) -> None:
        field, changed = self.field, self.is_changed
        if isinstance(self._preset_value, bool):
            preset_text = self.tr("on") if self._preset_value else self.tr("off")
        else:
            preset_text = field.text(self._preset_value)
        # A sign and weight, not colour alone.
        self.label.setText(f"• {field.label}" if changed else field.label)
        theme.set_style_property(self.label, "changed", changed)
        self.reset.setVisible(changed and not self._is_read_only)
        self.reset.setToolTip(self.tr("Back to the default, {0}.").format(preset_text))
        state = self.tr("Changed; default {0}.").format(preset_text) if changed else self.tr("Default.")
        span = self.tr(" Range {0}.").format(field.span) if field.span else ""
        tip = f"<p>{field.help}</p><p>{state}{span}</p>"
        for widget in (self.label, self.editor.control, self._span):
            widget.setToolTip(tip)
        self.editor.control.setAccessibleDescription(f"{field.help} {state}{span}")


class SettingGroup(QWidget):
    """Settings that belong together, under a heading."""

    def __init__(self, title: str, fields: list[SettingField], parent: QWidget | None = None) -> None:
        self.rows: list[SettingRow] = []
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, theme.GAP)
        grid.setHorizontalSpacing(theme.GAP)
        grid.setVerticalSpacing(theme.HALF)
        grid.setColumnStretch(0, 1)
        grid.setColumnMinimumWidth(1, theme.roomy(EDITOR_WIDTH))  # the columns of all groups stand under each other
        grid.setColumnMinimumWidth(2, theme.roomy(SPAN_WIDTH))
        heading = QLabel(title)
        heading.setIndent(0)
        heading.setObjectName("settingGroup")
        grid.addWidget(heading, 0, 0, 1, 4, Qt.AlignmentFlag.AlignLeft)
        self.rows = [SettingRow(field, grid, n, self) for n, field in enumerate(fields, 1)]

    def changeEvent(self, event: QEvent) -> None:
        """Draw the icons in the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            for row in self.rows:
                row.draw_icon()


class SettingEditor(QWidget):
    """Shows and edits the value of one setting."""

    value_changed = Signal(object)
    #: Why what is typed cannot be taken; empty when it can.
    refused = Signal(str)

    def __init__(self, field: SettingField, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.field = field
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)

    def take(self, control: QWidget, read: Callable[[], Any], show: Callable[[Any], None]) -> None:
        """Hold the widget that does the work, and how its value is read and shown."""
        control.setObjectName(f"setting {self.field.name}")
        control.setAccessibleName(self.field.label)
        control.setMinimumWidth(_MINIMUM_WIDTH)
        self._layout.addWidget(control)
        self.control, self._read, self._show = control, read, show

    def value(self) -> Any:
        """Return the value: of what is typed, the last that could be taken."""
        return self._read()

    def show_value(self, value: Any) -> None:
        """Show a value, without telling that it has changed."""
        self._show(value)

    def set_read_only(self, is_read_only: bool) -> None:
        """Let the value be read but not changed."""
        self.control.setEnabled(not is_read_only)


class SwitchEditor(SettingEditor):
    """A check box."""

    def __init__(self, field: SettingField, parent: QWidget | None = None) -> None:
        super().__init__(field, parent)
        self._box = QCheckBox()
        self.take(self._box, self._box.isChecked, lambda value: self._box.setChecked(bool(value)))
        self._box.clicked.connect(lambda is_on: self.value_changed.emit(is_on))


class ChoiceEditor(SettingEditor):
    """A menu of words."""

    def __init__(self, field: SettingField, parent: QWidget | None = None) -> None:
        super().__init__(field, parent)
        self._combo = QuietCombo()
        self._combo.addItems(field.choices)
        self.take(self._combo, self._combo.currentText, lambda value: self._combo.setCurrentText(str(value)))
        self._combo.activated.connect(lambda _row: self.value_changed.emit(self.value()))


class TypedEditor(SettingEditor):
    """A line of text: a number, a text, or a word in place of a number."""

    def __init__(self, field: SettingField, parent: QWidget | None = None) -> None:
        super().__init__(field, parent)
        self._value: Any = field.default
        self._value_before_edit: Any = field.default  # what counts again when the final text is refused
        self._is_typing = False
        self._line = _Line(self._on_left, self._on_step)
        self._line.setAcceptDrops(False)  # dropped files are for the window, as everywhere
        self._line.setAlignment(Qt.AlignmentFlag.AlignRight if field.low is not None else Qt.AlignmentFlag.AlignLeft)
        self.take(self._line, lambda: self._value, self._show_value)
        self._line.textEdited.connect(self._on_edited)
        self._line.returnPressed.connect(self._on_left)

    def _show_value(self, value: Any) -> None:
        """Show a value; what is being typed is left alone where it means the same."""
        self._value = value
        if self._is_typing:
            return
        self._value_before_edit = value
        try:
            is_same = bool(self._line.text()) and self.field.parse(self._line.text()) == value
        except ConfigurationError:
            is_same = False
        if not is_same:
            self._line.setText(self.field.text(value))

    def set_read_only(self, is_read_only: bool) -> None:
        """Let the value be read, and copied, but not changed."""
        self._line.setReadOnly(is_read_only)

    def _on_edited(self, text: str) -> None:
        self._is_typing = True
        try:
            value = self.field.parse(text)
        except ConfigurationError as exc:
            self._set_value(self._value_before_edit)  # not the beginning of what was typed: 20 must not leave 2
            self.refused.emit(str(exc))
        else:
            self._set_value(value)
            self.refused.emit("")
        finally:
            self._is_typing = False

    def _set_value(self, value: Any) -> None:
        if value != self._value:
            self._value = value
            self.value_changed.emit(value)

    def _on_left(self) -> None:
        self._value_before_edit = self._value
        self._line.setText(self.field.text(self._value))

    def _on_step(self, direction: int) -> None:
        value, field = self._value, self.field
        if field.low is None or field.high is None or isinstance(value, str):
            return
        stepped_value: float = value + direction if field.whole else float(f"{value * STEP_FACTOR**direction:.3g}")
        stepped_value = min(max(stepped_value, field.low), field.high)
        self._line.setText(field.text(int(stepped_value) if field.whole else float(stepped_value)))
        self._on_edited(self._line.text())


class _Line(QLineEdit):
    """Tells when it is left, and of the up and down keys."""

    def __init__(self, on_left: Callable[[], None], on_step: Callable[[int], None]) -> None:
        super().__init__()
        self._on_left, self._on_step = on_left, on_step

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Show the value that counts, in place of one that could not be taken."""
        super().focusOutEvent(event)
        self._on_left()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Step with the up and down keys."""
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down) and not self.isReadOnly():
            self._on_step(1 if event.key() == Qt.Key.Key_Up else -1)
            return
        super().keyPressEvent(event)


def make_editor(field: SettingField) -> SettingEditor:
    """Return the editor for a setting."""
    if isinstance(field.default, bool):
        return SwitchEditor(field)
    if field.choices and field.low is None:
        return ChoiceEditor(field)
    return TypedEditor(field)
