"""Kills a library's writers at each of their file operations: ``python -m tests.support.kill_worker FOLDER MODEL``.

For every operation a process is forked that kills itself before its n-th file operation (the interpreter's audit
events), for n = 1, 2, ... until it ends by itself.  After each, the library is opened as at the next start and looked
at.  One JSON object an operation is printed, with the number of kills and what was found wrong.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from distill.library.model_library import ModelLibrary

_EVENTS = {
    "open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.chmod", "os.listdir", "os.scandir", "os.truncate",
    "shutil.move", "shutil.copyfile", "fcntl.flock",
}  # fmt: skip


class Countdown:
    """Kills the process before the n-th file operation in a folder."""

    def __init__(self, n: int, folder: Path) -> None:
        self._left, self._folder = n, str(folder)

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in _EVENTS and any(self._folder in str(a) or str(a).startswith("/proc/self/fd") for a in arguments):
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


def imports(home: Path) -> None:
    library(home).import_file(home / "stranger.distill")


def adds(home: Path) -> None:
    library(home).add(home / "stranger.distill")


def renames(home: Path) -> None:
    lib = library(home)
    lib.rename(lib.find("kept.distill"), "Renamed")


def deletes(home: Path) -> None:
    lib = library(home)
    lib.delete(lib.find("kept.distill"))


def restores(home: Path) -> None:
    lib = library(home)
    lib.restore(lib.deletions()[-1])


def exports(home: Path) -> None:
    lib = library(home)
    lib.export(lib.find("kept.distill"), home / "out" / "mine.distill")


def library(home: Path) -> ModelLibrary:
    return ModelLibrary(home / "models")


def complaints(home: Path, operation: Callable[[Path], None], whole: bytes) -> list[str]:
    """Return what is wrong after a kill, and try the operation once more."""
    found = []
    lib = library(home)
    entries = lib.list()
    found += [f"{entry.path.name}: {entry.problem}" for entry in entries if entry.problem]
    found += [f"{path.name} was left" for path in (home / "models").iterdir() if path.name.startswith(".")]
    found += [f"{path.name} was left in the target" for path in (home / "out").iterdir() if path.read_bytes() != whole]
    kept = [entry for entry in entries if entry.path.name == "kept.distill"]
    gone = [deletion for deletion in lib.deletions() if deletion.original.name == "kept.distill"]
    if len(kept) + len(gone) != 1:
        found.append(f"the model is {len(kept)} times in the library and {len(gone)} times in the trash")
    if kept and kept[0].name not in ("Kept", "Renamed"):
        found.append(f"its name is {kept[0].name}")
    if gone:
        try:
            kept = [lib.restore(gone[0])]
        except Exception as exc:
            found.append(f"it cannot be restored: {exc}")
    if kept and kept[0].path.read_bytes() != whole:
        found.append("its content is another")
    if operation is imports:
        before = len(lib.list())
        imports(home)
        if len(lib.list()) != 2 or before not in (1, 2):
            found.append(f"{len(lib.list())} models after a second import")
    return found


def prepare(home: Path, model: Path, operation: Callable[[Path], None]) -> None:
    shutil.rmtree(home, ignore_errors=True)
    (home / "models").mkdir(parents=True)
    (home / "out").mkdir()
    os.environ["DISTILL_HOME"], os.environ["XDG_DATA_HOME"] = str(home / "distill"), str(home / "xdg")
    shutil.copy(model, home / "models" / "kept.distill")
    shutil.copy(model.with_name("stranger.distill"), home / "stranger.distill")
    library(home).list()
    if operation is restores:
        deletes(home)


def main(folder: Path, model: Path) -> None:
    for operation in (imports, adds, renames, deletes, restores, exports):
        kills, wrong, home = 0, [], folder / "home"
        while True:
            prepare(home, model, operation)
            child = os.fork()
            if child == 0:
                sys.addaudithook(Countdown(kills + 1, home))
                operation(home)
                os._exit(0)
            _, status = os.waitpid(child, 0)
            wrong += [f"kill {kills + 1}: {text}" for text in complaints(home, operation, model.read_bytes())]
            if not os.WIFSIGNALED(status):
                break
            kills += 1
        code = os.waitstatus_to_exitcode(status)
        row = {"operation": operation.__name__, "kills": kills, "exit": code, "wrong": wrong}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
