"""Puts generated sounds on the pads: from the map, variations, a morph, and sounds from other pages."""

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject

from distill.generation.map.map_session import MapSession
from distill.gui.background_tasks import Work
from distill.gui.play.map_view import MapView
from distill.gui.play.pads.pad_grid import COUNT, PadGrid
from distill.gui.play.pads.pad_undo import PadChanges, PadStep, UndoNotices
from distill.gui.widgets.notices import NoticeBar

translate = QCoreApplication.translate

#: Number of variations that are put on the pads.
VARIATIONS = 8


class PadFilling(QObject):
    """Fills the pads in the background; what it replaces can be put back.

    Parameters
    ----------
    pads, changes
        The pads, and their undo.
    session
        Makes the sounds.
    start
        Runs work in the background, with what is to be done with its result, and what it is called meanwhile.
    is_seen
        Whether the page is shown: otherwise nothing is played when it is ready.
    """

    def __init__(
        self,
        pads: PadGrid,
        changes: PadChanges,
        session: MapSession,
        start: Callable[[Work, Callable[[Any], None], str], None],
        is_seen: Callable[[], bool],
        notices: NoticeBar,
        topic: str,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._pads, self._changes, self._session, self._start = pads, changes, session, start
        self._is_seen, self._notices, self._topic = is_seen, notices, topic
        self._undoing = UndoNotices(changes, notices, topic, self)

    def put_on_empty(self, paths: Sequence[Path]) -> None:
        """Put sounds on the pads that are empty; say for how many there is none."""
        pads = self._pads
        empty = [pad_number for pad_number, pad in enumerate(pads.pads) if pad.sound is None]
        with self._changes.within(PadStep(translate("PlayPresenter", "Put Sounds on the Pads"))):
            for pad_number, path in zip(empty, paths, strict=False):
                pads.hold(pad_number, path)
        if len(paths) > len(empty):
            text = translate("PlayPresenter", "No pad is empty for {0} of {1} sounds. Delete empties a pad.")
            self._notices.notify(self._topic, text.format(len(paths) - len(empty), len(paths)), "warning")

    def fill_from_map(self, map_view: MapView, moves: Mapping[str, float]) -> None:
        """Put generated sounds on the pads: the model's copies of the selected ones, or new ones from all over.

        New ones lie between dots: at a dot, the model gives back the sound that it knows.
        """
        shown_map = map_view.shown
        if shown_map is None:
            return
        selected = map_view.selected[:COUNT]
        positions = [shown_map.positions[chunk] for chunk in selected]
        positions = positions or [shown_map.between_chunks(chunk) for chunk in shown_map.spread_chunks(COUNT)]
        session = self._session
        step = PadStep(translate("PlayPresenter", "Fill the Pads from the Map"))

        def work(notify: Callable[[Any], None], cancel: threading.Event) -> None:
            for pad_number, position in enumerate(positions):
                if cancel.is_set():
                    return
                notify((pad_number, session.sound_at(position, moves), step))

        self._start(work, self._replacing(step, lambda _result: None), translate("PlayPresenter", "Filling the pads…"))

    def put_variations(self, source: Path, strength: float) -> None:
        """Put variations of a sound on the pads, from the first one on."""
        session, seed = self._session, secrets.randbelow(2**31)
        step = PadStep(translate("PlayPresenter", "Put Variations on the Pads"))
        self._start_batch(
            partial(session.variations, source, VARIATIONS, strength, seed),
            step,
            translate("PlayPresenter", "Varying… Esc stops."),
        )

    def put_morph(self, first: Path, second: Path) -> None:
        """Put the steps from one sound to another on the pads."""
        session, step = self._session, PadStep(translate("PlayPresenter", "Put a Morph on the Pads"))
        self._start_batch(
            partial(session.morph, first, second, VARIATIONS), step, translate("PlayPresenter", "Morphing… Esc stops.")
        )

    def _start_batch(self, make: Callable[[threading.Event], list[Path]], step: PadStep, text: str) -> None:
        """Put the sounds that a function makes on the pads, and play the first."""

        def work(notify: Callable[[Any], None], cancel: threading.Event) -> None:
            for pad_number, path in enumerate(make(cancel)):
                notify((pad_number, path, step))

        def play_first(_result: Any) -> None:
            if self._is_seen():
                self._pads.strike(0)

        self._start(work, self._replacing(step, play_first), text)

    def _replacing(self, step: PadStep, on_done: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return what to do once sounds are on the pads: ``on_done``, and an offer to put back what they replaced."""
        pads = self._pads
        before = [pad.sound for pad in pads.pads]

        def done(result: Any) -> None:
            on_done(result)
            count = sum(old is not None and old != pad.sound for old, pad in zip(before, pads.pads, strict=True))
            if count:
                text = translate("PlayPresenter", "The sounds of {0} pads were replaced.").format(count)
                self._undoing.offer(
                    step, translate("PlayPresenter", "The sound of one pad was replaced.") if count == 1 else text
                )

        return done
