"""The sounds of a model: a click plays one, a drag copies its file."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QPointF, QRectF, QSize, Qt, QUrl, Signal
from PySide6.QtGui import QColor, QDrag, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QSizePolicy, QVBoxLayout, QWidget

from distill.generation.audition_samples import AuditionKind, AuditionSample
from distill.gui.sounds.waveform_thumbnails import Thumbnails
from distill.gui.widgets import theme
from distill.gui.widgets.icons import SIDE, pixmap
from distill.gui.widgets.plain_text import plain_tip, readable
from distill.gui.widgets.waveform import draw_waveform

#: Least width of a name, so that the waveforms stand in one column, and height of a row.
_LABEL_WIDTH, _HEIGHT = 92, 34


class ModelSoundRow(QAbstractButton):
    """One sound: its name and waveform.  A click, Space or Enter plays it, a drag copies its file."""

    #: It plays at Space and Enter: see `distill.gui.player.window_wide_keys`.
    plays_itself = True

    def __init__(self, sample: AuditionSample, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sample, self._thumbnails = sample, thumbnails
        self.setObjectName("probeSound")
        self.setText(self._name(sample))
        spoken = self.text()
        if sample.source and sample.kind is AuditionKind.MODEL:
            spoken = self.tr("the copy of {0}").format(readable(Path(sample.source).stem))
        self.setAccessibleName(self.tr("Play {0}").format(spoken))
        self.setToolTip(plain_tip(sample.source, self._meaning(sample)))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self._drag_start: QPointF | None = None
        self._is_playing = False

    def show_playing(self, path: Path | None) -> None:
        """Show whether this is the sound that is heard."""
        is_playing = path == self.sample.path
        if is_playing != self._is_playing:
            self._is_playing = is_playing
            self.update()

    def make_drag(self) -> QDrag:
        """Return what is dragged out: the sound's file."""
        drag, data = QDrag(self), QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(self.sample.path))])
        drag.setMimeData(data)
        drag.setPixmap(self.grab())
        return drag

    def sizeHint(self) -> QSize:
        """Return a height that is easy to hit."""
        return QSize(160, _HEIGHT)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Play at Enter, as a button does at Space."""
        if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            super().keyPressEvent(event)
        elif not event.isAutoRepeat():
            self.click()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Note where a drag may begin."""
        super().mousePressEvent(event)
        self._drag_start = event.position() if event.button() is Qt.MouseButton.LeftButton else None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Let a double click play as a click does; its second click would stop."""
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Begin a drag when the mouse has gone far enough with its button down."""
        super().mouseMoveEvent(event)
        if self._drag_start is None:
            return
        if (event.position() - self._drag_start).manhattanLength() >= QApplication.startDragDistance():
            self._drag_start = None
            self.setDown(False)
            self.make_drag().exec(Qt.DropAction.CopyAction)

    def changeEvent(self, event: QEvent) -> None:
        """Draw in the colours of the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the icon, the name and the waveform."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colors, area = theme.colors(), QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        if self._is_playing or self.underMouse() or self.hasFocus():
            painter.setPen(QPen(QColor(colors.second), 1) if self.hasFocus() else Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.accent_soft if self._is_playing else colors.hover))
            painter.drawRoundedRect(area, 6, 6)
        middle = area.center().y()
        picture = "stop" if self._is_playing else "play"
        image = pixmap(picture, colors.accent, SIDE, self.devicePixelRatioF())
        painter.drawPixmap(self._mirrored(QRectF(theme.HALF, middle - SIDE / 2, SIDE, SIDE)).topLeft(), image)
        left = 2 * theme.HALF + SIDE
        painter.setPen(QColor(colors.text))
        label_width = max(_LABEL_WIDTH, *(self.fontMetrics().horizontalAdvance(name) for name in self._names()))
        name = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideMiddle, label_width)
        label = self._mirrored(QRectF(left, 0, label_width, self.height()))
        painter.drawText(label, Qt.AlignmentFlag.AlignVCenter, name)
        self._thumbnails.request(self.sample.path)
        peaks = self._thumbnails.peaks(self.sample.path)
        if peaks is not None:
            color = QColor(colors.second if self.sample.kind is AuditionKind.ORIGINAL else colors.accent)
            wave = area.adjusted(left + label_width + theme.GAP, theme.HALF, -theme.GAP, -theme.HALF)
            draw_waveform(painter, self._mirrored(wave), peaks, color)

    def _mirrored(self, area: QRectF) -> QRectF:
        """Return an area, which is given as for reading from the left, for the direction of the window."""
        if self.layoutDirection() is Qt.LayoutDirection.RightToLeft:
            area.moveLeft(self.width() - area.right())
        return area

    def _name(self, sample: AuditionSample) -> str:
        if sample.source and sample.kind is AuditionKind.ORIGINAL:
            return readable(Path(sample.source).stem)
        if sample.source and sample.kind is AuditionKind.MODEL:
            return self.tr("its copy")
        return self._names(sample.number)[list(AuditionKind).index(sample.kind)]

    def _names(self, number: int = 0) -> tuple[str, ...]:
        """Return the names of sounds that have none of their own, in the order of `AuditionKind`."""
        texts = self.tr("New sound {0}"), self.tr("Original {0}"), self.tr("Copy {0}")
        return tuple(text.format(number + 1) for text in texts)

    def _meaning(self, sample: AuditionSample) -> str:
        if sample.kind is AuditionKind.NEW:
            return self.tr("A new sound. Click to hear it, drag it out to keep it.")
        if sample.kind is AuditionKind.MODEL:
            return self.tr("The model's copy of it. Click to hear it, drag it out.")
        if not sample.source:
            return self.tr("One of your sounds.")
        if sample.is_trained:
            return self.tr("One of your sounds that the model was trained on.")
        return self.tr("One of your sounds that was held out of training.")


class ModelSoundsList(QWidget):
    """The sounds of a model, or one line that says why there are none."""

    play_requested = Signal(object)  # path
    stop_requested = Signal()

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("probeSounds")
        self._thumbnails = thumbnails
        self._playing: Path | None = None
        self.rows: tuple[ModelSoundRow, ...] = ()
        #: What Tab leaves for the first row; rows are made anew for each model.
        self.tab_after: QWidget | None = None
        self._message = QLabel()
        self._message.setObjectName("muted")
        self._message.setWordWrap(True)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(2)
        self._column.addWidget(self._message)
        thumbnails.ready.connect(self._on_thumbnail)

    def show_samples(self, samples: Sequence[AuditionSample], message: str = "") -> None:
        """Show these sounds, or a sentence."""
        self._message.setText(message)
        self._message.setVisible(bool(message))
        if [row.sample for row in self.rows] == list(samples):
            return
        for row in self.rows:
            row.hide()  # at once: it is deleted only in the next turn of the event loop
            row.deleteLater()
        self.rows = tuple(ModelSoundRow(sample, self._thumbnails) for sample in samples)
        for row in self.rows:
            self._column.addWidget(row)
            row.clicked.connect(lambda _checked=False, r=row: self._on_clicked(r))
            row.show_playing(self._playing)
        if self.tab_after is not None:
            for before, after in pairwise((self.tab_after, *self.rows)):
                QWidget.setTabOrder(before, after)

    def show_playing(self, path: Path | None) -> None:
        """Show which sound is heard."""
        self._playing = path
        for row in self.rows:
            row.show_playing(path)

    def _on_clicked(self, row: ModelSoundRow) -> None:
        if row.sample.path == self._playing:
            self.stop_requested.emit()
        else:
            self.play_requested.emit(row.sample.path)

    def _on_thumbnail(self, path: Path) -> None:
        for row in self.rows:
            if row.sample.path == path:
                row.update()
