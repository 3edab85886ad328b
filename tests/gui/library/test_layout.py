"""The page of the models in the smallest screen that Distill is made for: nothing on it is cut off."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import (
    QApplication,
    QStyleOptionViewItem,
    QWidget,
)
from pytestqt.qtbot import QtBot

from distill import paths
from distill.generation.recipe import MOST_COUNT
from distill.gui.library.model_facts_text import row_facts
from distill.gui.library.model_rows import CURVE_WIDTH, ModelDelegate
from distill.gui.lists.list_model import ITEM_ROLE
from distill.gui.lists.row_painting import two_lines, whole_facts
from distill.gui.widgets import theme
from distill.gui.widgets.icons import SIDE
from distill.gui.window.main_window import SMALLEST_SIZE, MainWindow
from distill.gui.window.top_bar import MODELS
from distill.library.model_entry import ModelEntry
from tests.gui.cut_off import cut_off
from tests.gui.library.test_page import find, until_idle
from tests.library.test_model_library import bells, write_model

SMALL = SMALLEST_SIZE


@pytest.fixture
def page(window: MainWindow, qtbot: QtBot) -> MainWindow:
    """The page in a small window, with more models than fit, so that the list has a scroll bar."""
    folder = paths.models_dir()
    for n in range(8):
        metadata = bells(
            name=f"Glass bells {n}", model_id=f"{n}" * 32, final_val_loss=0.1234 + n, dataset_file_count=312,
            training_epochs=1200, save_date="2026-09-27T12:34:00+00:00", training_date="2026-09-27T12:04:00+00:00",
        )  # fmt: skip
        write_model(folder / f"model {n}.distill", metadata)
    (folder / "broken.distill").write_bytes(b"no model")
    window.pages.open_page(MODELS)
    window.resize(*SMALL)
    qtbot.waitUntil(lambda: not window.models.worker.is_busy and window.models_page.list.table.rowCount() == 9)
    assert (window.width(), window.height()) == SMALL
    return window


def entries(window: MainWindow) -> dict[str, ModelEntry]:
    """Return a model of each family, and one that cannot be used."""
    listed = window.models_page.list.table.items
    good = next(entry for entry in listed if entry.problem is None)
    without_codes = replace(good, facts=replace(good.facts, family="vae", codebook=None))
    broken = next(entry for entry in listed if entry.problem is not None)
    return {"vae": without_codes, "vqvae": good, "broken": broken}


def states(window: MainWindow) -> Iterator[str]:
    """Show the panel that makes sound in all that it can look like."""
    panel = window.making.panel
    panel.new.count.setValue(MOST_COUNT)
    panel.new.seed.setValue(999_999)
    for name, entry in {**entries(window), "none": None}.items():
        window.models_page.detail.show_model(entry)
        panel.show_model(entry)
        for mode in reversed(panel.modes):  # last the new sounds, from which the next model may lead away
            if mode.isEnabled():
                mode.click()
            for sources in ((), (Path("a recording with a long name.wav"), Path("b.wav"))):
                panel.transform.set_sources(sources)
                for is_busy in (False, True):
                    panel.show_busy(is_busy, "Sending a recording with a long name.wav through the model, 2 of 12")
                    yield f"{name}, {mode.text()}, {len(sources)} sounds, busy: {is_busy}"
                panel.show_busy(False)


def test_nothing_is_cut_off_in_a_small_window(page: MainWindow, qapp: QApplication) -> None:
    found: dict[str, list[str]] = {}
    lists: dict[str, int] = {}
    for state in states(page):
        for _ in range(3):  # a layout asks for the next one
            qapp.processEvents()
        if problems := cut_off(page.models_page):
            found[state] = problems
        top = page.models_page.list.mapTo(page, page.models_page.list.rect().topLeft()).y()
        form = page.making.panel.form
        assert form.mapTo(page, form.rect().topLeft()).y() == top, state  # the columns begin on one line
        below = page.making.panel.history.y()
        assert lists.setdefault(state.split(",")[0], below) == below, state  # the list stays where it is
    assert found == {}


@pytest.mark.parametrize(("width", "is_beside"), [(1280, False), (1400, False), (1520, True)])
def test_nothing_is_cut_off_around_the_history(
    page: MainWindow, qapp: QApplication, width: int, is_beside: bool
) -> None:
    page.resize(width, 900)
    found: dict[str, list[str]] = {}
    places: dict[str, tuple[int, int]] = {}
    for state in states(page):
        for _ in range(3):
            qapp.processEvents()
        place = page.making.panel.history.x(), page.making.panel.history.y()
        assert places.setdefault(state.split(",")[0], place) == place, "the list stays where it is in both modes"
        if problems := cut_off(page.making.panel.form):
            found[state] = problems
    assert found == {}
    form, made = page.making.panel.form, page.making.panel.history
    assert (made.x() > form.x()) == is_beside
    widths = [page.models_page.list.width(), page.models_page.detail.width(), made.width()]
    assert widths[2] == max(*widths, form.width()), "what was generated has the most room"


def option_of(window: MainWindow, row: int) -> QStyleOptionViewItem:
    view = window.models_page.list.view
    option = QStyleOptionViewItem()
    view.initViewItemOption(option)
    option.rect = view.visualRect(view.model().index(row, 0))
    return option


def test_rows_say_all_facts_in_whole_words(page: MainWindow) -> None:
    models = page.models_page.list
    assert models.view.verticalScrollBar().isVisible()
    for row in range(models.rows.rowCount()):
        entry, option = models.rows.index(row, 0).data(ITEM_ROLE), option_of(page, row)
        lines = ModelDelegate.lines(entry, option)
        facts = [fact for line in row_facts(entry) for fact in line]
        if entry.problem is None:
            assert len(facts) == 6
            for line, whole in zip(lines, row_facts(entry), strict=True):
                assert line in {" · ".join(whole[:count]) for count in range(1, len(whole) + 1)}, "whole facts only"
        else:
            assert " ".join(lines).split() == " ".join(facts).split()
        room = option.rect.width() - 2 * theme.GAP - SIDE - theme.GAP  # star and margins
        room -= CURVE_WIDTH + theme.GAP if entry.problem is None else 0
        assert [line for line in lines if option.fontMetrics.horizontalAdvance(line) > room] == []


def test_what_does_not_fit_goes_whole_and_last_first(qapp: QApplication) -> None:
    metrics = QFontMetrics(qapp.font())
    facts = ["best 0.1", "", "codes 62% used", "more"]
    whole = "best 0.1 · codes 62% used · more"
    assert whole_facts(facts, metrics, metrics.horizontalAdvance(whole)) == whole
    assert whole_facts(facts, metrics, metrics.horizontalAdvance(whole) - 1) == "best 0.1 · codes 62% used"
    assert whole_facts(facts, metrics, 1) == "best 0.1"
    assert whole_facts([], metrics, 100) == ""
    sentence = "It was made by a newer version of Distill"
    assert two_lines(sentence, metrics, metrics.horizontalAdvance("It was made by a")) == (
        "It was made by a", "newer version of Distill",
    )  # fmt: skip
    assert two_lines("word", metrics, 1) == ("word", "")


def test_a_long_name_without_spaces_leaves_the_column_as_wide_as_it_is(window: MainWindow, qtbot: QtBot) -> None:
    name = "drums_and_bells_2026-01-01_long_run_final_version_2_of_the_best"
    write_model(paths.models_dir() / f"{name}.distill", bells(name="Bells", dataset_name=name))
    window.pages.open_page(MODELS)
    window.models.refresh()
    until_idle(window, qtbot)
    detail = window.models_page.detail
    detail.info.setChecked(True)
    qtbot.waitUntil(lambda: find(window, QWidget, "modelInfo").isVisible())
    QApplication.processEvents()
    inside = detail.area.widget()
    assert inside is not None
    assert inside.width() <= detail.area.viewport().width()
