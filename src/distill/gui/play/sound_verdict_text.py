"""Words and sentences about how new a sound is: how near it is to the user's own."""

from PySide6.QtCore import QCoreApplication

from distill.generation.map.newness import CLOSE, COPY, NEW, Verdict


def word_of(verdict: Verdict | None) -> str:
    """Return the word for how new a sound is, or nothing where that is not known."""
    words = {
        NEW: QCoreApplication.translate("verdict", "new"),
        CLOSE: QCoreApplication.translate("verdict", "close"),
        COPY: QCoreApplication.translate("verdict", "copy"),
    }
    return words[verdict.word] if verdict is not None else ""


def verdict_text(verdict: Verdict) -> str:
    """Return a sentence about how new a sound is."""
    texts = {
        NEW: QCoreApplication.translate("verdict", "New. Sounds most like {0}"),
        CLOSE: QCoreApplication.translate("verdict", "Sounds much like {0}"),
        COPY: QCoreApplication.translate("verdict", "Sounds like a copy of {0}"),
    }
    return texts[verdict.word].format(verdict.name)
