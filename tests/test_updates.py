"""Looking for a newer version: what is asked, what is made of the answer, and that nothing else is ever seen of it."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata

import pytest

from distill import __version__, paths, updates
from distill.json_files import read_json, write_json


@dataclass
class Feed:
    """A server for one test: what it answers, and what it was asked."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    write: Callable[[BaseHTTPRequestHandler], None] | None = None
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    address: str = ""

    def offer(self, version: str, **more: object) -> None:
        self.body = json.dumps({"tag_name": version, "draft": False, "prerelease": False, **more}).encode()


@pytest.fixture
def feed() -> Iterator[Feed]:
    made = Feed()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.requests.append((self.path, dict(self.headers.items())))
            self.send_response(made.status)
            for name, value in made.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if made.write is not None:
                made.write(self)
            else:
                self.wfile.write(made.body)

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # the end of the server waits for them
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made.address = f"http://127.0.0.1:{server.server_port}/repos/a/b/releases/latest"
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def look(feed: Feed) -> str | None:
    return updates.newer_version(feed.address, threading.Event())


def test_a_newer_version_is_told_once(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    feed.offer("v99.1.2")
    assert look(feed) == "99.1.2"
    assert look(feed) is None
    assert len(feed.requests) == 1  # a day has not passed
    monkeypatch.setattr(updates, "DAY_SECONDS", 0.0)
    assert look(feed) is None  # told before
    feed.offer("v99.1.3")
    assert look(feed) == "99.1.3"


def test_the_request_says_nothing_of_the_computer(feed: Feed) -> None:
    feed.offer("v99.0.0")
    look(feed)
    ((path, headers),) = feed.requests
    assert path == "/repos/a/b/releases/latest"
    host = feed.address.split("/")[2]
    assert headers == {
        "Accept-Encoding": "identity", "Host": host, "User-Agent": "Distill", "Connection": "close",
        "Accept": "application/vnd.github+json",
    }  # fmt: skip


@pytest.mark.parametrize("version", [__version__, f"v{__version__}", "v0.0.1"])
def test_what_is_not_newer_is_not_told(feed: Feed, version: str) -> None:
    feed.offer(version)
    assert look(feed) is None
    assert len(feed.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'{"tag_name": 3}',
        b'{"tag_name": null}',
        b'{"tag_name": "v99.0.0-rc1"}',
        b'{"tag_name": "v99.0.0\\u0000<b>"}',
        b'{"tag_name": "' + b"9" * 50_000 + b'.0.0"}',
        b'{"tag_name": "v99.0.0", "prerelease": true}',
        b'{"tag_name": "v99.0.0", "draft": true}',
        b"[" * 100_000,
        b"\xff\xfe\x00",
        b'{"tag_name": NaN}',
    ],
    ids=lambda body: repr(body[:24]),
)
def test_bad_answers_are_a_line_in_the_log(feed: Feed, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    feed.body = body
    with caplog.at_level(logging.INFO, updates.__name__):
        assert look(feed) is None
    assert len(caplog.records) == 1
    assert caplog.records[0].levelno == logging.INFO


@pytest.mark.parametrize("status", [304, 403, 404, 429, 500])
def test_refusals_are_a_line_in_the_log(feed: Feed, status: int, caplog: pytest.LogCaptureFixture) -> None:
    feed.status = status
    with caplog.at_level(logging.INFO, updates.__name__):
        assert look(feed) is None
    assert str(status) in caplog.text


def test_a_huge_answer_is_not_read_to_its_end(
    feed: Feed, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    def write(handler: BaseHTTPRequestHandler) -> None:
        try:
            for _ in range(1000):
                handler.wfile.write(b" " * 1_000_000)
                sent.append(1)
        except OSError:
            return  # the other side has hung up

    feed.write = write
    with caplog.at_level(logging.INFO, updates.__name__):
        assert look(feed) is None
    assert "bytes" in caplog.text
    assert len(sent) < 900


def test_a_server_that_never_ends_is_left(
    feed: Feed, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_left = threading.Event()
    monkeypatch.setattr(updates, "WHOLE_SECONDS", 0.3)

    def write(handler: BaseHTTPRequestHandler) -> None:
        while not has_left.wait(0.01):
            try:
                handler.wfile.write(b" ")
            except OSError:
                return

    feed.write = write
    with caplog.at_level(logging.INFO, updates.__name__):
        assert look(feed) is None
    has_left.set()
    assert "not known" in caplog.text


def test_it_is_left_at_once_when_the_window_closes(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    is_asked, may_answer, cancelled = threading.Event(), threading.Event(), threading.Event()

    def write(handler: BaseHTTPRequestHandler) -> None:
        is_asked.set()
        may_answer.wait()

    feed.write = write
    answers: list[str | None] = []
    thread = threading.Thread(target=lambda: answers.append(updates.newer_version(feed.address, cancelled)))
    thread.start()
    assert is_asked.wait(30)
    cancelled.set()
    thread.join(updates.SILENCE_SECONDS)
    assert answers == [None]
    may_answer.set()


def test_without_a_network_nothing_is_seen(feed: Feed, caplog: pytest.LogCaptureFixture) -> None:
    for address in ("http://127.0.0.1:1/", "https://nothing.invalid/", "http://"):
        paths.cache_dir().joinpath("updates.json").unlink(missing_ok=True)
        with caplog.at_level(logging.INFO, updates.__name__):
            assert updates.newer_version(address, threading.Event()) is None
    assert len(caplog.records) == 3


def test_a_failed_request_is_not_repeated_the_same_day(feed: Feed) -> None:
    feed.status = 500
    assert look(feed) is None
    feed.status = 200
    feed.offer("v99.0.0")
    assert look(feed) is None
    assert len(feed.requests) == 1


@pytest.mark.parametrize("state", ["{", "[]", '{"asked": "now"}', '{"asked": 1e300}', '{"asked": null, "told": 3}'])
def test_a_damaged_memory_of_the_last_request_is_as_none(feed: Feed, state: str) -> None:
    paths.cache_dir().mkdir(parents=True, exist_ok=True)
    (paths.cache_dir() / "updates.json").write_text(state)
    feed.offer("v99.0.0")
    assert look(feed) == "99.0.0"


def test_a_clock_that_was_wrong_does_not_stop_it_for_years(feed: Feed) -> None:
    write_json(paths.cache_dir() / "updates.json", {"asked": time.time() + 1e9})
    feed.offer("v99.0.0")
    assert look(feed) == "99.0.0"
    assert read_json(paths.cache_dir() / "updates.json")["asked"] <= time.time()


def test_a_redirection_to_another_server_is_not_followed(feed: Feed, caplog: pytest.LogCaptureFixture) -> None:
    feed.status = 302
    feed.headers = {"Location": f"http://localhost:{feed.address.split(':')[2].split('/')[0]}/elsewhere"}
    with caplog.at_level(logging.INFO, updates.__name__):
        assert look(feed) is None
    assert [path for path, _ in feed.requests] == ["/repos/a/b/releases/latest"]
    assert "another one" in caplog.text


def test_a_redirection_within_the_server_is_followed(feed: Feed) -> None:
    feed.status = 301
    feed.headers = {"Location": "/repositories/1/releases/latest"}

    def write(handler: BaseHTTPRequestHandler) -> None:
        feed.status, feed.headers, feed.write = 200, {}, None
        feed.offer("v99.0.0")

    feed.write = write
    assert look(feed) == "99.0.0"


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        (["Repository, https://github.com/some-body/distill.app"], "some-body/distill.app"),
        (["Homepage, https://example.org", "repository, https://github.com/a/b.git"], "a/b"),
        (["Homepage, https://github.com/a/b"], ""),
        (["Repository, http://github.com/a/b"], ""),
        (["Repository, https://github.com/a/b/../c"], ""),
        (["Repository, https://github.com.example.org/a/b"], ""),
        ([], ""),
    ],
)
def test_the_repository_is_that_of_the_metadata(
    entries: list[str], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = Message()
    for entry in entries:
        about["Project-URL"] = entry
    monkeypatch.setattr(metadata, "metadata", lambda name: about)
    assert updates.repository() == found


def test_sources_that_are_not_installed_have_no_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Message:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "metadata", missing)
    assert updates.repository() == ""
