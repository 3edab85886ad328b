"""One setting as a row of a form: name, editor, range, reset button, and a message when a value is invalid."""

from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QToolButton, QWidget

from distill.config.setting_fields import SettingField
from distill.gui.training.setting_editors import make_editor
from distill.gui.widgets import theme
from distill.gui.widgets.icons import icon

#: Widths of the columns of editors and of ranges, in device-independent pixels at the usual text size.
EDITOR_WIDTH, SPAN_WIDTH = 104, 124


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
