"""The Play page with a map of twenty dots and a session that writes tones."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import soundfile
from pytestqt.qtbot import QtBot

from distill.errors import DistillError
from distill.generation.map.map_chunks import Position, ShownMap, Slider
from distill.generation.map.map_session import MapSession
from distill.generation.map.newness import COPY, NEW, JudgedSound, Verdict
from distill.gui.play import presenter
from distill.gui.play.presenter import PlayPresenter
from distill.gui.window.main_window import MainWindow
from distill.gui.window.top_bar import PLAY
from distill.library.index import ModelFacts
from distill.library.model_entry import ModelEntry
from tests.gui.fakes import tone

DOTS = 20
WAIT = 10_000


class ToneSession(MapSession):
    """Writes a tone for each request, and remembers the requests."""

    def __init__(self, folder: Path, own: Path) -> None:
        super().__init__()
        self.folder, self.own = folder, own
        self.requests: list[Any] = []
        self.is_closed = self.has_map = False
        self.cancel: threading.Event | None = None  # that of the last variations
        self.go_on = threading.Event()
        self.go_on.set()

    def open(self, model_file: Path) -> ShownMap:
        if model_file.stem == "old" and not self.has_map:
            raise DistillError("This model has no map.")
        positions = tuple((0.05 + 0.045 * n, 0.1 + 0.8 * (n % 5) / 4) for n in range(DOTS))
        return ShownMap(
            positions, tuple(n // 2 for n in range(DOTS)), (0.0, 0.1) * (DOTS // 2), (0.1,) * DOTS,
            tuple(n / DOTS for n in range(DOTS)), tuple(-float(n) for n in range(DOTS)),
            tuple(f"bell <{n}>" for n in range(DOTS // 2)), {0: self.own},
            (Slider("brightness", "Brighter.", 0.97), Slider("loudness", "Louder.", 1.0)), 1.5,
        )  # fmt: skip

    def _tone(self, name: str, request: tuple[Any, Any]) -> Path:
        assert self.go_on.wait(10)
        self.requests.append(request)
        path = self.folder / f"{name} {len(self.requests)}.wav"
        soundfile.write(path, tone(0.2), 48_000)
        return path

    def sound_at(self, position: Position, moves: Mapping[str, float]) -> Path:
        return self._tone("position", (position, dict(moves)))

    def sound_along(self, path: Sequence[Position], seconds: float) -> Path:
        return self._tone("path", (tuple(path), seconds))

    def morph(self, first: Path, second: Path, steps: int, cancel: threading.Event | None = None) -> list[Path]:
        return [self._tone("morph", (first, second)) for _ in range(steps)]

    def extend(self, source: Path, seconds: float, seed: int, cancel: threading.Event | None = None) -> Path:
        return self._tone("longer", (source, seconds))

    def repaint(self, source: Path, start: float, end: float, seed: int, cancel: threading.Event | None = None) -> Path:
        return self._tone("repainted", (source, (start, end)))

    def judged(self, path: Path) -> JudgedSound:
        word = NEW if path.stem.startswith("position") else COPY
        return JudgedSound(path, Verdict(word, "bell <0>", self.own))

    def variations(
        self, source: Path, count: int, strength: float, seed: int, cancel: threading.Event | None = None
    ) -> list[Path]:
        self.cancel = cancel
        return [self._tone("variation", (source, strength)) for _ in range(count)]

    def close(self) -> None:
        self.is_closed = True


def entry_of(path: Path) -> ModelEntry:
    return ModelEntry.of(path, ModelFacts(path.stem, "Glass bells"), None, (0, 0), None)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ToneSession:
    own = tmp_path / "own bell.wav"
    soundfile.write(own, tone(0.3), 48_000)
    made = ToneSession(tmp_path, own)
    monkeypatch.setattr(presenter, "MapSession", lambda: made)
    return made


@pytest.fixture
def play(session: ToneSession, window: MainWindow, qtbot: QtBot) -> PlayPresenter:
    """The presenter, with a map on the page."""
    qtbot.waitUntil(lambda: window.findChild(PlayPresenter) is not None, timeout=WAIT)
    found = window.findChild(PlayPresenter)
    assert isinstance(found, PlayPresenter)
    window.pages.open_page(PLAY)
    found.show_model(entry_of(Path("bells.distill")))
    qtbot.waitUntil(lambda: found.page.map.shown is not None and not found.keeper.is_reading, timeout=WAIT)
    return found


def idle(play: PlayPresenter, qtbot: QtBot) -> None:
    queues = play._tasks, play.exports._kits
    qtbot.waitUntil(lambda: not any(q.is_busy for q in queues) and not play.keeper.is_reading, timeout=WAIT)
