"""Whether there is a newer version of Distill.  Nothing here runs unless the user has agreed to it.

One request is made: for the newest release of the project's repository, as GitHub lists it.  It says that a Distill
asks, and neither which version nor on what system.  Of the answer only a version number is used.  Whatever goes wrong
is a line in the log: no user can do anything about it.
"""

import http.client
import logging
import re
import ssl
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from distill import __version__
from distill.json_files import parse_json, read_json, write_json
from distill.paths import cache_dir

log = logging.getLogger(__name__)

#: Shortest time between two requests.
DAY_SECONDS = 24 * 3600.0
#: How long the connection may be silent, and how long all of it may take.
SILENCE_SECONDS, WHOLE_SECONDS = 5.0, 15.0
#: The longest answer that is read; a usual one has 20 kB.
MAX_BYTES = 1_000_000
#: How often a wish to stop is looked for.
_POLL_SECONDS = 0.05

_REPOSITORY = re.compile(r"https://github\.com/(?P<name>[\w-]+/[\w.-]+?)(?:\.git)?/?")
_VERSION = re.compile(r"v?(\d{1,5})\.(\d{1,5})\.(\d{1,5})")
#: Where systems keep the certificates that a bundled OpenSSL does not know of: Debian, Fedora, openSUSE, macOS.
_CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def repository() -> str:
    """Return the project's repository on GitHub, ``owner/name``, or nothing where this build names none.

    It is the address ``Repository`` of pyproject.toml, read from the metadata of the installed package.
    """
    try:
        about = metadata.metadata("distill")
    except metadata.PackageNotFoundError:  # sources that are not installed
        return ""
    for entry in about.get_all("Project-URL") or ():
        label, _, address = str(entry).partition(",")
        found = _REPOSITORY.fullmatch(address.strip())
        if label.strip().casefold() == "repository" and found is not None:
            return found["name"]
    return ""


def feed_address(name: str) -> str:
    """Return the address of the newest release of a repository; drafts and trial releases are not listed there."""
    return f"https://api.github.com/repos/{name}/releases/latest"


def download_page(name: str) -> str:
    """Return the page with the newest release of a repository, for people."""
    return f"https://github.com/{name}/releases/latest"


def newer_version(address: str, cancelled: threading.Event) -> str | None:
    """Return the version that is newer than this one, or None where there is none, or where it was told before.

    Asks at most once a day, also where a request fails, and tells each version once.

    Parameters
    ----------
    address
        Of the newest release, as by `feed_address`.
    cancelled
        Ends the waiting; the answer is then None.
    """
    file = cache_dir() / "updates.json"
    known = _read_state(file)
    now = time.time()
    asked = known.get("asked")
    if isinstance(asked, (int, float)) and 0 <= now - asked < DAY_SECONDS:
        return None
    try:
        write_json(file, {**known, "asked": now})  # before the request: one that crashes is not made again
        found = _read_version(_fetch(address, cancelled))
    except (OSError, ValueError, LookupError, http.client.HTTPException) as exc:
        log.info("It is not known whether there is a newer version: %s", exc)
        return None
    if cancelled.is_set() or _numbers(found) <= _numbers(__version__) or known.get("told") == found:
        return None
    with suppress(OSError):
        write_json(file, {"asked": now, "told": found})
    return found


def _read_state(file: Path) -> dict[str, Any]:
    try:
        data = read_json(file)
    except (OSError, ValueError):  # the first time, or damaged
        return {}
    return data if isinstance(data, dict) else {}


def _read_version(answer: bytes) -> str:
    """Return the version of an answer, such as ``1.2.3``.

    Raises
    ------
    ValueError
        The answer is of another form.
    """
    data = parse_json(answer)
    tag = data.get("tag_name") if isinstance(data, dict) else None
    tag_match = _VERSION.fullmatch(tag) if isinstance(tag, str) else None
    if tag_match is None or data.get("draft") is True or data.get("prerelease") is True:
        raise ValueError("the answer names no release")
    return ".".join(str(int(number)) for number in tag_match.groups())


def _numbers(version: str) -> tuple[int, ...]:
    version_match = _VERSION.match(version)
    return tuple(map(int, version_match.groups())) if version_match is not None else ()


def _fetch(address: str, cancelled: threading.Event) -> bytes:
    """Return what a server answers.

    The request has a thread of its own, which nobody waits for: looking up a name may take half a minute and cannot be
    interrupted, and a window must close at once.

    Raises
    ------
    OSError
        There is no answer, or it is too long or too slow.
    """
    answers: list[bytes | Exception] = []
    has_ended = threading.Event()

    def work() -> None:
        try:
            answers.append(_request(address))
        except Exception as exc:  # boundary: of the thread; it is raised where it was started
            answers.append(exc)
        has_ended.set()

    threading.Thread(target=work, name="updates", daemon=True).start()
    end = time.monotonic() + WHOLE_SECONDS
    while not has_ended.wait(_POLL_SECONDS):
        if cancelled.is_set() or time.monotonic() > end:
            raise TimeoutError("there was no answer in time")
    if isinstance(answers[0], Exception):
        raise answers[0]
    return answers[0]


def _request(address: str) -> bytes:
    headers = {"User-Agent": "Distill", "Accept": "application/vnd.github+json"}
    request = urllib.request.Request(address, headers=headers)
    secure = urllib.request.HTTPSHandler(context=_certificates())
    opener = urllib.request.build_opener(secure, _SameHost())
    end = time.monotonic() + WHOLE_SECONDS
    try:
        response = opener.open(request, timeout=SILENCE_SECONDS)
    except urllib.error.HTTPError as exc:
        exc.close()  # it holds the connection
        raise OSError(f"the server answers with status {exc.code}") from None
    with response:
        blocks, size = [], 0
        while block := response.read1(1 << 16):
            blocks.append(block)
            size += len(block)
            if size > MAX_BYTES:
                raise OSError(f"the answer has more than {MAX_BYTES} bytes")
            if time.monotonic() > end:
                raise TimeoutError("the answer came too slowly")
    return b"".join(blocks)


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows redirections within one host only, and never from HTTPS to HTTP."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any) -> Any:
        before, after = urlsplit(req.full_url), urlsplit(newurl)
        if (before.scheme, before.netloc) != (after.scheme, after.netloc):
            fp.close()
            raise OSError("the server sends the request to another one")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _certificates() -> ssl.SSLContext:
    """Return a context that checks certificates, also in a bundle, whose OpenSSL looks where its maker had them."""
    context = ssl.create_default_context()
    verify_paths = ssl.get_default_verify_paths()
    if verify_paths.cafile is None and verify_paths.capath is None and not context.get_ca_certs():
        for file in _CERTIFICATES:
            if Path(file).is_file():
                context.load_verify_locations(file)
                break
    return context
