"""What the Play page costs and what its map and sliders are worth.  By hand, see conftest.

``DISTILL_BENCH_MODEL`` names a model file whose map and sliders are reported.
"""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from distill.generation.map.map_chunks import ShownMap
from distill.generation.map.map_sounds import map_of, sliders_of
from distill.gui.play.map_view import MapView
from distill.models.persistence import open_model
from tests.benchmarks.conftest import Report
from tests.support.screen import Screen

pytestmark = pytest.mark.benchmark

SOUNDS, CHUNKS = 500, 10


def test_painting_a_large_map(xvfb: Screen, qtbot: QtBot, report: Report) -> None:
    rng, count = np.random.default_rng(0), SOUNDS * CHUNKS
    positions = tuple((float(x), float(y)) for x, y in rng.uniform(0, 1, (count, 2)))
    values = tuple(float(value) for value in rng.uniform(0, 1, count))
    names = tuple(f"sound {n}" for n in range(SOUNDS))
    owners = tuple(n // CHUNKS for n in range(count))
    shown = ShownMap(positions, owners, values, values, values, values, names, {}, (), 1.5)
    view = MapView()
    qtbot.addWidget(view)
    view.resize(1100, 760)
    view.show_map(shown)
    with qtbot.waitExposed(view):
        view.show()

    def timed(act: object) -> float:
        assert callable(act)
        took = []
        for _ in range(40):
            start = time.thread_time()
            act()
            view.repaint()
            took.append(1000 * (time.thread_time() - start))
        return float(np.median(took))

    def hover() -> None:
        view._hover(int(rng.integers(count)))

    hovering = timed(hover)
    pointing = timed(lambda: view.dot_at(view.pixel_of(positions[int(rng.integers(count))])))
    zooming = timed(lambda: view.zoom_by(1.05))
    moving = timed(lambda: view._move_view(0.001, 0.0))
    cursor = timed(lambda: view.move_cursor(positions[int(rng.integers(count))]))
    report(
        f"map of {count} dots, CPU time of the window a frame: hover {hovering:.1f} ms, search under the pointer "
        f"{pointing:.1f} ms, cursor {cursor:.1f} ms, zoom {zooming:.1f} ms, move {moving:.1f} ms"
    )
    assert hovering < 1000 / 60


def test_the_map_and_the_sliders_of_a_model(report: Report) -> None:
    path = os.environ.get("DISTILL_BENCH_MODEL")
    if not path:
        pytest.skip("DISTILL_BENCH_MODEL names no model")
    model = open_model(Path(path))
    report(f"trustworthiness at 10 neighbours, {len(map_of(model))} chunks: {map_of(model).trustworthiness:.3f}")
    sliders = sliders_of(model)
    assert sliders is not None
    for slider in sliders.directions:
        report(f"{slider.name}: Spearman {slider.strength:.3f}, cross-talk {slider.cross_talk:.3f}")
    assert map_of(model).trustworthiness >= 0.9
