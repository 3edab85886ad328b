"""Labels: elided, of a fixed number of lines, and of a field."""

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QEvent, QRect, QSize, Qt, Signal
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QToolTip, QWidget

from distill.gui.widgets.plain_text import plain_tip


class ElidedLabel(QLabel):
    """Shows one line of plain text, elided in the middle, so that the end of a file name stays.

    Where the text does not fit, and there is no other tooltip, the tooltip is the whole text.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def minimumSizeHint(self) -> QSize:
        """Accept any width."""
        return QSize(0, super().minimumSizeHint().height())

    def shown_text(self) -> str:
        """Return the text as it is shown."""
        return self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideMiddle, self.contentsRect().width())

    def event(self, event: QEvent) -> bool:
        """Offer the whole text where it does not fit."""
        is_asked = isinstance(event, QHelpEvent) and event.type() is QEvent.Type.ToolTip
        if is_asked and not self.toolTip() and self.shown_text() != self.text():
            QToolTip.showText(event.globalPos(), plain_tip(self.text()), self)  # type: ignore[attr-defined]
            return True
        return super().event(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the text, elided to fit."""
        painter, area, text = QPainter(self), self.contentsRect(), self.shown_text()
        alignment = self.alignment() | Qt.TextFlag.TextSingleLine
        self.style().drawItemText(
            painter, area, int(alignment), self.palette(), self.isEnabled(), text, self.foregroundRole()
        )


class FewLinesLabel(QLabel):
    """Shows plain text in a fixed number of lines; what does not fit ends with dots and has a tooltip with all of it.

    Its height is the same for each text, so that nothing around it moves.
    """

    #: The text fits no longer, or fits again.
    elided = Signal(bool)

    def __init__(self, lines: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lines = lines
        #: Whether the text ends with dots, because there is more of it.
        self.is_elided = False
        self._note = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Return the height of all lines."""
        return QSize(0, self._room())

    def minimumSizeHint(self) -> QSize:
        """Return the height of all lines."""
        return self.sizeHint()

    def setText(self, text: str) -> None:
        """Show a text."""
        super().setText(text)
        self._update_tip()

    def show_note(self, text: str) -> None:
        """Add something to the tooltip that the label has no room for."""
        self._note = text
        self._update_tip()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Offer the whole text where it no longer fits."""
        super().resizeEvent(event)
        self._update_tip()

    def shown_text(self) -> str:
        """Return the text as it is shown."""
        text = self.text()
        if self._fits(text):
            return text
        words = text.split(" ")  # line breaks stay
        low, high = 0, len(words)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._fits(" ".join(words[:middle]) + "…") else (low, middle - 1)
        return " ".join(words[:low]) + "…"

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the lines, in the middle of the height."""
        painter = QPainter(self)
        alignment = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap
        self.style().drawItemText(
            painter, self.contentsRect(), int(alignment), self.palette(), self.isEnabled(), self.shown_text(),
            self.foregroundRole(),
        )  # fmt: skip

    def _room(self) -> int:
        """Return the height of all lines by their spacing, or as they are laid out, which may be more."""
        lines, metrics = "\n".join(["X"] * self._lines), self.fontMetrics()
        laid_out = metrics.boundingRect(QRect(0, 0, 1 << 16, 1 << 16), 0, lines).height()
        return max(self._lines * metrics.lineSpacing(), laid_out)

    def _fits(self, text: str) -> bool:
        metrics, width = self.fontMetrics(), max(1, self.contentsRect().width())
        needed = metrics.boundingRect(QRect(0, 0, width, 1 << 20), int(Qt.TextFlag.TextWordWrap), text).height()
        return needed <= self._room()

    def _update_tip(self) -> None:
        is_elided = not self._fits(self.text())
        lines = [*([self.text()] if is_elided else []), *([self._note] if self._note else [])]
        self.setToolTip(plain_tip(*lines) if lines else "")
        if is_elided != self.is_elided:
            self.is_elided = is_elided
            self.elided.emit(is_elided)


class ShortenedLabel(FewLinesLabel):
    """Shows one sentence a line, each in the longest of its wordings that fits; the tooltip has the whole ones."""

    def __init__(self, lines: int, parent: QWidget | None = None) -> None:
        super().__init__(lines, parent)
        self._wordings: list[list[str]] = []

    def show_lines(self, lines: Iterable[Sequence[str]]) -> None:
        """Show lines, each given as its wordings from the longest to the shortest; empty ones are left out."""
        wordings = [[text for text in line if text] for line in lines if line and line[0]]
        if wordings == self._wordings:
            return  # a redraw of the curves costs no layout of their summary
        self._wordings = wordings
        self.setText("\n".join(line[0] for line in self._wordings))
        self.update()

    def shown_text(self) -> str:
        """Return the wordings that fit; the shortest one of a line is elided if it has to be."""
        metrics, width = self.fontMetrics(), self.contentsRect().width()
        fitting = (
            next((text for text in line if metrics.horizontalAdvance(text) <= width), None) for line in self._wordings
        )
        return "\n".join(
            metrics.elidedText(line[-1], Qt.TextElideMode.ElideRight, width) if text is None else text
            for text, line in zip(fitting, self._wordings, strict=True)
        )

    def _fits(self, text: str) -> bool:
        return text == self.shown_text() if text == self.text() else super()._fits(text)


def field_label(text: str, field: QWidget) -> QLabel:
    """Return the label over a field, whose access key leads to it."""
    label = QLabel(text)
    label.setObjectName("fieldLabel")
    label.setBuddy(field)
    return label
