"""The look of the window: two sets of colours, one style sheet, one grid.

Light or dark follows the system (`QStyleHints.colorScheme`).  A widget that paints itself uses `colors()` and repaints
on ``QEvent.PaletteChange``.  Copper is the accent for actions and playing, blue for selection and focus.  The three
curve colours, copper, blue and plum, can be distinguished with any kind of colour vision.
"""

import logging
from dataclasses import asdict, dataclass
from enum import Enum
from functools import cache

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontInfo, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from distill.paths import resources_dir

log = logging.getLogger(__name__)

#: The application's property that holds the `Appearance`.
_PROPERTY = "distillAppearance"

#: Property of windows that have the style sheet.
_HAS_STYLE_SHEET = "distillHasStyleSheet"

#: The grid, in device-independent pixels: small gap, gap, margin of a panel.
HALF, GAP, MARGIN = 4, 8, 12


#: The three sizes of type: titles, text, and secondary facts, in device-independent pixels at the usual text size.
TITLE, TEXT, SMALL = 16, 13, 11


#: Smallest size of the window at which nothing is cut off at the usual text size, and what the frame and the title bar
#: around it take, in device-independent pixels.
SMALLEST_SIZE, FRAME_SIZE = (1006, 604), (8, 36)


@dataclass(frozen=True)
class Colors:
    """A set of colours, each as ``#rrggbb``."""

    window: str
    surface: str
    border: str
    border_strong: str
    grid: str
    text: str
    muted: str
    disabled: str
    hover: str
    pressed: str
    accent: str
    accent_hover: str
    accent_soft: str
    accent_text: str
    selection: str
    info: str
    warning: str
    error: str
    second: str
    faint: str
    good: str
    fair: str
    bad: str
    third: str
    steps: str


LIGHT = Colors(
    window="#f5f3f0", surface="#ffffff", border="#e2ddd6", border_strong="#cfc8bf",
    grid="#f0ece7", text="#24211d", muted="#6b645c", disabled="#a79f96", hover="#f3efea", pressed="#e7e1d9",
    accent="#b5541c", accent_hover="#9c4716", accent_soft="#f8e7db", accent_text="#ffffff", selection="#dfeaf5",
    info="#e8eff7", warning="#fdf1d3", error="#fbe4e1", second="#1f6fb5", faint="#dcc0ad", good="#2f7d4f",
    fair="#8a5a00", bad="#b3261e", third="#8a2f6b", steps="#8f8880",
)  # fmt: skip

DARK = Colors(
    window="#1a1918", surface="#232220", border="#353330", border_strong="#4a4743",
    grid="#302e2b", text="#ece8e3", muted="#a8a199", disabled="#6f6963", hover="#2c2a28", pressed="#383532",
    accent="#e58a4e", accent_hover="#f09a60", accent_soft="#43301f", accent_text="#1d130b", selection="#22384d",
    info="#1e2d3d", warning="#3d3215", error="#47211d", second="#6fb1ea", faint="#6b4c38", good="#7cc79a",
    fair="#e8b44c", bad="#ff8a7d", third="#ffadc9", steps="#8d867e",
)  # fmt: skip


class Appearance(Enum):
    """What decides between light and dark."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"

    @classmethod
    def named(cls, name: str) -> "Appearance":
        """Return the appearance of this name, or SYSTEM."""
        return next((a for a in cls if a.value == name), cls.SYSTEM)


def appearance() -> Appearance:
    """Return what decides between light and dark."""
    return Appearance.named(str(QApplication.instance().property(_PROPERTY)))  # type: ignore[union-attr]


def is_dark() -> bool:
    """Whether windows are dark now."""
    chosen = appearance()
    if chosen is Appearance.SYSTEM:
        return QApplication.styleHints().colorScheme() is Qt.ColorScheme.Dark
    return chosen is Appearance.DARK


def colors() -> Colors:
    """Return the colours that are current."""
    return DARK if is_dark() else LIGHT


def install(app: QApplication, chosen: Appearance = Appearance.SYSTEM) -> None:
    """Give the application its colours and let it follow the system, or what was chosen instead."""
    is_first = app.property(_PROPERTY) is None
    app.setProperty(_PROPERTY, chosen.value)
    if is_first:
        app.setStyle("Fusion")
        _set_text_size(app)
        app.styleHints().colorSchemeChanged.connect(lambda _scheme: _apply(app))
    _apply(app)


def sized(font: QFont, size: int) -> QFont:
    """Return a font in one of the three sizes, larger where the system's text is."""
    result = QFont(font)
    result.setPixelSize(_scaled(size))
    return result


def roomy(length: int) -> int:
    """Return a length of the layout, given for the usual text size, in proportion to the application's text.

    It grows only as far as the smallest window still fits on the screen.
    """
    available = QApplication.primaryScreen().availableSize().toTuple()
    room = (
        (pixels - frame) / smallest
        for pixels, frame, smallest in zip(available, FRAME_SIZE, SMALLEST_SIZE, strict=True)
    )
    return round(length * max(1.0, min(_text_factor(), *room)))


def _scaled(size: int) -> int:
    """Return one of the three sizes in pixels, in proportion to the application's text."""
    return round(size * _text_factor())


def _text_factor() -> float:
    return max(1.0, QFontInfo(QApplication.font()).pixelSize() / TEXT)


def _set_text_size(app: QApplication) -> None:
    """Use the system's text size, but none that is under `TEXT`."""
    font = app.font()
    if QFontInfo(font).pixelSize() < TEXT:
        font.setPixelSize(TEXT)
        app.setFont(font)


def apply_style_sheet(window: QWidget) -> None:
    """Give a top-level widget, and all that is and comes under it, the style sheet, also when the colours change.

    The sheet is the window's and not the application's, and comes when the window has been put together: Qt looks it
    up anew for a widget and all below it each time that it gets another parent, which took two thirds of the time until
    the window was there.
    """
    window.setProperty(_HAS_STYLE_SHEET, True)
    window.setStyleSheet(_sheet(colors(), QApplication.layoutDirection()))


def set_style_property(widget: QWidget, name: str, value: object) -> None:
    """Set a property that the style sheet looks at, which it does only when it polishes a widget."""
    if widget.property(name) != value:
        widget.setProperty(name, value)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def _apply(app: QApplication) -> None:
    current = colors()
    app.setPalette(_palette(current))
    sheet = _sheet(current, app.layoutDirection())
    for widget in app.topLevelWidgets():
        if widget.property(_HAS_STYLE_SHEET) and widget.styleSheet() != sheet:
            widget.setStyleSheet(sheet)


@cache
def _sheet(current: Colors, direction: Qt.LayoutDirection) -> str:
    try:
        sheet = (resources_dir() / "style.qss").read_text(encoding="utf-8")
    except OSError as exc:  # plain, but usable
        log.error("The style sheet is missing: %s", exc)
        return ""
    values = {**asdict(current), "icons": (resources_dir() / "icons").as_posix()}
    values |= {"title_size": f"{_scaled(TITLE)}px", "small_size": f"{_scaled(SMALL)}px"}
    for name, value in values.items():
        sheet = sheet.replace(f"@{name}@", value)
    if direction is Qt.LayoutDirection.RightToLeft:  # Qt mirrors a slider, but not its parts: they stay left and right
        sheet = sheet.replace("QSlider::sub-page", "QSlider::add-page")
    return sheet


def _palette(current: Colors) -> QPalette:
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: current.window,
        QPalette.ColorRole.WindowText: current.text,
        QPalette.ColorRole.Base: current.surface,
        QPalette.ColorRole.AlternateBase: current.hover,
        QPalette.ColorRole.Text: current.text,
        QPalette.ColorRole.Button: current.surface,
        QPalette.ColorRole.ButtonText: current.text,
        QPalette.ColorRole.ToolTipBase: current.surface,
        QPalette.ColorRole.ToolTipText: current.text,
        QPalette.ColorRole.PlaceholderText: current.muted,
        QPalette.ColorRole.Highlight: current.second,
        QPalette.ColorRole.HighlightedText: current.accent_text,
        QPalette.ColorRole.Accent: current.second,
        QPalette.ColorRole.Link: current.second,
    }
    for role, value in roles.items():
        palette.setColor(role, QColor(value))
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(current.disabled))
    return palette
