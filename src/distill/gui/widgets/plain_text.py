"""How foreign text, such as the names of files, is shown as plain text: in labels, tooltips and menus."""

import html
import unicodedata

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QLabel, QWidget

#: Line ends, and joiners within words and pictures; all other characters that format text are written out.
_KEPT_IN_LABELS = "\n\u200c\u200d"
#: Most characters of a name in a menu.
_LONGEST_IN_MENU = 60


def tr(text: str) -> str:
    """Translate a text that belongs to no widget."""
    return QCoreApplication.translate("Text", text)


def readable(text: str) -> str:
    """Return text from a file with its control characters written out, and ``\ufffd`` for bytes that are no UTF-8.

    Line ends and the joiners of some scripts stay.
    """
    if text.isprintable():
        return text
    return "".join(map(_readable, text))


def _readable(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    if category in ("Cc", "Cf", "Zl", "Zp") and character not in _KEPT_IN_LABELS:
        return character.encode("unicode_escape").decode()
    return character


def in_menu(name: str) -> str:
    """Return a name for the text of a menu: in one line, not too long, and with ``&`` as a character of it."""
    name = " ".join(readable(name).split())
    if len(name) > _LONGEST_IN_MENU:
        half = _LONGEST_IN_MENU // 2
        name = f"{name[:half]}…{name[-half:]}"
    return name.replace("&", "&&")


def make_plain(widget: QWidget) -> None:
    """Have all labels below a widget show their text as it is; Qt would guess whether it is markup."""
    for label in widget.findChildren(QLabel):
        if label.textFormat() is Qt.TextFormat.AutoText:
            label.setTextFormat(Qt.TextFormat.PlainText)


def plain_tip(*lines: str) -> str:
    """Return a tooltip with these lines, exactly as they are: names of files and runs must not act as markup.

    Qt guesses from a tooltip's text whether it is rich text.  Escaped text in an explicit element is never misread.
    """
    return (
        "<p style='white-space:pre-wrap'>"
        + "<br>".join(html.escape(readable(line), quote=False) for line in lines if line)
        + "</p>"
    )


def rich_tip(title: str, *paragraphs: str) -> str:
    """Return a tooltip with a bold title and paragraphs, all of them escaped; empty ones are dropped."""
    head = f"<p><b>{html.escape(readable(title), quote=False)}</b></p>" if title else ""
    return head + "".join(f"<p>{html.escape(readable(text), quote=False)}</p>" for text in paragraphs if text)
