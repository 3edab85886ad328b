"""Opens broken files with a reader, under limits: ``python -m tests.fuzz.worker FOLDER FIRST COUNT``.

For each seed one line is printed before the file is opened, and one JSON object after it; if the process dies, the last
line says on what.  Memory is limited to 1 GB over what the process takes at the start, processor time to 5 s a file.
"""

import contextlib
import hashlib
import json
import logging
import os
import resource
import signal
import sys
from pathlib import Path

from distill.errors import DistillError
from tests.fuzz.mutations import broken
from tests.fuzz.targets import TARGETS, Target

MEMORY_BYTES, SECONDS = 1 << 30, 5.0


class TooSlow(BaseException):
    """A reader took longer than `SECONDS`; it is no `Exception`, so that no reader catches it."""


def _too_slow(*_: object) -> None:
    raise TooSlow


def state_of(folder: Path) -> dict[str, str]:
    """Return the content of all files below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def outcome_of(target: Target, folder: Path) -> tuple[str, str]:
    """Read the target's file and return what came of it: refused, opened or bug, and the message."""
    before = state_of(folder)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # the processor's time: a busy machine is no hang
    try:
        target.read(folder)
        found = "opened", ""
    except target.refuses as error:
        text = str(error)
        is_sentence = not isinstance(error, DistillError) or ("\n" not in text and len(text) < 1000)
        found = "refused" if is_sentence else "badly told", text[:600]
    except BaseException as error:
        found = "bug", f"{type(error).__name__}: {error}"[:600]
    signal.setitimer(signal.ITIMER_PROF, 0)
    if not target.rebuilds and state_of(folder) != before:
        return "changed files", found[1]
    return found


def main(folder: Path, first: int, count: int) -> None:
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGPROF, _too_slow)
    whole = {}
    for name, target in TARGETS.items():
        home = folder / name.replace(" ", "_")
        home.mkdir(parents=True)
        target.make(home)
        target.read(home)  # and imports what is imported late before memory is limited
        whole[name] = (home, (home / target.file).read_bytes())
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    quiet = os.open(os.devnull, os.O_WRONLY)
    for seed in range(first, first + count):
        name = list(TARGETS)[seed % len(TARGETS)]
        home, data = whole[name]
        how, content = broken(data, seed, TARGETS[name].edits)
        path = home / TARGETS[name].file
        path.write_bytes(content)
        print(f"{seed} {how} {name}", flush=True)
        with contextlib.redirect_stderr(os.fdopen(os.dup(quiet), "w")):
            outcome, message = outcome_of(TARGETS[name], home)
        print(
            json.dumps({"seed": seed, "how": how, "target": name, "outcome": outcome, "message": message}), flush=True
        )
        path.write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
