"""The notice bar."""

from collections.abc import Iterator
from functools import partial

import pytest
from PySide6.QtWidgets import QApplication, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from distill.gui.widgets import notices
from distill.gui.widgets.notices import NoticeAction, NoticeBar
from tests.gui.conftest import double_click


@pytest.fixture
def bar(qapp: QApplication, qtbot: QtBot) -> Iterator[NoticeBar]:
    made = NoticeBar()
    qtbot.addWidget(made)
    yield made
    made.forget_all()


def test_a_newer_notice_takes_the_place_of_one_on_the_same_topic(bar: NoticeBar) -> None:
    assert bar.isHidden()
    bar.notify("gap", "one")
    bar.notify("disk", "two", "error")
    bar.notify("gap", "three")
    assert [n.message for n in bar.notices] == ["two", "three"]
    assert bar.text() == "three"
    assert not bar.isHidden()


def test_the_newest_is_dismissed_first(bar: NoticeBar) -> None:
    for topic in ("a", "b", "c"):
        bar.notify(topic, topic)
    close = bar.findChild(QToolButton, "dismissNotice")
    assert close is not None
    close.click()
    assert bar.text() == "b"
    bar.forget("b")
    close.click()
    assert bar.isHidden()


def test_what_is_only_information_goes_by_itself(bar: NoticeBar, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> None:
    monkeypatch.setattr(notices, "INFO_SECONDS", 0.1)
    bar._clock.setInterval(20)
    bar.notify("speed", "fast", "info")
    bar.notify("disk", "full", "warning")
    qtbot.waitUntil(lambda: [n.topic for n in bar.notices] == ["disk"])
    assert not bar._clock.isActive()


def test_what_offers_something_stays(bar: NoticeBar, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> None:
    monkeypatch.setattr(notices, "INFO_SECONDS", 0.1)
    bar._clock.setInterval(20)
    done: list[str] = []
    bar.notify("model", "added", "info", NoticeAction("Open", lambda: done.append("opened")))
    bar.notify("speed", "fast", "info")
    qtbot.waitUntil(lambda: [n.topic for n in bar.notices] == ["model"])
    bar._action.click()
    assert done == ["opened"]
    assert bar.isHidden()


def test_a_notice_that_comes_while_all_are_listed_takes_no_key(bar: NoticeBar) -> None:
    done: list[str] = []
    for topic in ("first", "second"):
        bar.notify(topic, topic, "warning", NoticeAction("Do it", partial(done.append, topic)))
    bar.show()
    bar.show_all()
    assert bar._list is not None
    chosen = next(b for b in bar._list.findChildren(QPushButton, "answerListed") if b.property("topic") == "first")
    chosen.setFocus()
    bar.notify("third", "third", "warning", NoticeAction("Do it", partial(done.append, "third")))
    focused = bar._list.focusWidget()
    assert isinstance(focused, QPushButton)
    focused.click()  # as by Space
    assert done == ["first"]


def test_a_double_click_answers_one_notice(bar: NoticeBar) -> None:
    """The next one, whose action takes the place of the first, has not even been read."""
    done: list[str] = []
    for topic in ("model", "disk"):
        bar.notify(topic, topic, "info", NoticeAction("Open", partial(done.append, topic)))
    bar.show()
    double_click(bar._action)
    assert done == ["disk"]
    assert [notice.topic for notice in bar.notices] == ["model"]


def test_what_is_being_read_in_the_list_stays(bar: NoticeBar, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> None:
    """Otherwise the list closes in the middle of a sentence, or its rows move under the mouse."""
    monkeypatch.setattr(notices, "INFO_SECONDS", 0.1)
    bar._clock.setInterval(20)
    bar.show()
    bar.notify("speed", "fast", "info")
    bar.show_all()
    shown = bar._list
    assert shown is not None
    qtbot.wait(300)
    assert shown.isVisible()
    assert bar.has("speed")
    shown.close()
    qtbot.waitUntil(lambda: not bar.has("speed"))
