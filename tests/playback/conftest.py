"""A player on a real (virtual) sound card, and one on an output that is pulled by hand."""

from collections.abc import Callable, Iterator

import pytest

from distill.playback.player import Player
from tests.playback.listening import FakeOutput, Floats, Journal
from tests.support.sound_card import NullSink


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def player(null_sink: NullSink, journal: Journal) -> Iterator[Player]:
    made = Player(journal)
    yield made
    made.close()


@pytest.fixture
def fake() -> Iterator[tuple[Player, list[FakeOutput], Journal]]:
    outputs: list[FakeOutput] = []
    journal = Journal()

    def open_output(
        fill: Callable[[Floats], bool],
        on_drained: Callable[[], None],
        device: object,
        live_seconds: float | None = None,
    ) -> FakeOutput:
        outputs.append(FakeOutput(fill, on_drained, device))
        outputs[-1].live_seconds = live_seconds
        return outputs[-1]

    made = Player(journal, open_output)  # type: ignore[arg-type]
    yield made, outputs, journal
    made.close()
