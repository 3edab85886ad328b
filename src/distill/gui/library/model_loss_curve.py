"""The curve of a model: its loss on held-out sounds, from the first epoch to the last."""

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from distill.gui.lists.row_painting import paint_curve
from distill.gui.widgets import theme
from distill.library.model_entry import ModelEntry


class ModelCurve(QWidget):
    """Draws the curve that the library keeps of a model, with its highest and its lowest value."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("modelCurve")
        self.setAccessibleName(self.tr("Loss over the epochs"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._losses: tuple[float, ...] = ()

    def show_model(self, entry: ModelEntry) -> None:
        """Show a model's curve; one that has none takes no room."""
        self._losses = entry.facts.curve
        self.setVisible(len(self._losses) > 1)
        if self.isHidden():
            return
        losses_text = self.tr("Loss on held-out sounds: {0:.4g} at the first epoch, {1:.4g} at the best.").format(
            self._losses[0], min(self._losses)
        )
        self.setToolTip(self.tr("{0} The dot is the epoch that the model's weights are from.").format(losses_text))
        self.setAccessibleDescription(losses_text)
        self.update()

    def sizeHint(self) -> QSize:
        """Return a width that any column has, and the height of a small plot."""
        return QSize(120, 96)

    def changeEvent(self, event: QEvent) -> None:
        """Draw in the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw two lines for the highest and the lowest value, and the curve between them."""
        if len(self._losses) < 2:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colors, metrics = theme.colors(), self.fontMetrics()
        texts = [f"{value:.3g}" for value in (max(self._losses), min(self._losses))]
        left = max(metrics.horizontalAdvance(text) for text in texts) + theme.GAP
        half = metrics.height() / 2
        area = QRectF(left, half, self.width() - left - theme.HALF, self.height() - 2 * half)
        for text, y in zip(texts, (area.top(), area.bottom()), strict=True):
            painter.setPen(QPen(QColor(colors.border), 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(QColor(colors.muted))
            position = QRectF(0, y - half, left - theme.GAP, 2 * half)
            painter.drawText(position, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        paint_curve(painter, area, self._losses, 1.8)
