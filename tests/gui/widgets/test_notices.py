"""The notice bar."""

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QApplication, QToolButton
from pytestqt.qtbot import QtBot

from distill.gui.widgets import notices
from distill.gui.widgets.notices import NoticeAction, NoticeBar


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
