"""Tries a frozen Distill as a user would: ``python3 packaging/smoke_test.py dist/distill``.

1. The terminal program answers, with the version of this source tree, and ``distill --selftest`` finds nothing wrong.
2. On Linux every library of the bundle finds the libraries that it is linked against.
3. The window opens (on Linux under Xvfb, on a screen of its own) and says in its log that its main loop was reached;
   it is looked at, and closes when it is asked to.
4. With ``--train`` the window trains the demo sounds for two epochs, worked by keys alone, and a preview is played and
   heard (Linux, with PulseAudio's null sink).

A traceback, a missing library or an exit code other than 0 anywhere fails it.  With ``--root FOLDER`` the programs run
in another root of the same machine (chroot; needs an administrator), which must share ``/tmp``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import release
from surroundings import START_SECONDS, SmokeError, surround, wait_for

#: What `distill.gui.app` writes to the log once the window is painted and its main loop runs.
REACHED = "main loop reached"

#: Starts of the window that are timed; the first one has cold caches.
STARTS = 3

END_SECONDS, SELFTEST_SECONDS, TRAINING_SECONDS = 60, 900, 1800

#: A preview is heard when its peak is at least this (1 is full scale), within so many seconds.
AUDIBLE, LISTEN_SECONDS = 0.01, 30

#: Fewer colours than this on the screen, and the window is empty.
FEWEST_COLOURS = 20

_BAD = re.compile(
    r"Traceback|error while loading|cannot open shared object|ModuleNotFoundError|ImportError|DLL load failed|"
    r"could not load the Qt platform plugin|Segmentation fault|QIODevice|is missing"
)


@dataclass
class Bundle:
    """The application under test, and where it runs."""

    terminal: Path
    window: Path
    root: Path | None
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    @classmethod
    def at(cls, path: Path, root: Path | None) -> Bundle:
        """Find the programs: in a folder, in a macOS application, or where the system's packages put them."""
        folder = path / "Contents" / "MacOS" if path.suffix == ".app" else path
        ending = ".exe" if sys.platform == "win32" else ""
        made = cls(folder / f"distill{ending}", folder / f"distill-gui{ending}", root)
        for program in (made.terminal, made.window):
            if not (Path(f"{root}{program}") if root else program).exists():
                raise SmokeError(f"{program} is not there.")
        return made

    def command(self, *words: str | Path) -> list[str]:
        """Return a command as it must be started here."""
        return [*(["chroot", str(self.root)] if self.root else []), *map(str, words)]

    def run(self, *words: str | Path, timeout: float = START_SECONDS) -> str:
        """Run a program to its end and return all it printed.

        Raises
        ------
        SmokeError
            It failed, or printed what no healthy program prints.
        """
        done = subprocess.run(
            self.command(*words), env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace", timeout=timeout,
        )  # fmt: skip
        if done.returncode != 0 or _BAD.search(done.stdout):
            raise SmokeError(f"{' '.join(map(str, words))} ended with {done.returncode}:\n{done.stdout[-6000:]}")
        return done.stdout


def main(arguments: list[str]) -> int:
    """Try what the command line names and return the exit code."""
    parser = argparse.ArgumentParser(description="Try a frozen Distill as a user would.")
    parser.add_argument("bundle", type=Path, help="folder of the programs, or the .app")
    parser.add_argument("--root", type=Path, help="run in this root (chroot)")
    parser.add_argument("--train", action="store_true", help="train and listen as well (Linux)")
    parser.add_argument("--pictures", type=Path, help="keep pictures of the screen in this folder")
    options = parser.parse_args(arguments)
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="distill-smoke-")))
            bundle = Bundle.at(options.bundle.resolve() if not options.root else options.bundle, options.root)
            pictures = options.pictures or folder
            pictures.mkdir(parents=True, exist_ok=True)
            bundle.environment["DISTILL_HOME"] = str(folder / "home")
            has_sound = _surround(bundle, folder, stack)
            _try_terminal(bundle, has_sound)
            _try_libraries(bundle)
            _try_window(bundle, folder / "home", pictures)
            if options.train:
                _try_training(bundle, folder, pictures)
    except (SmokeError, subprocess.TimeoutExpired) as error:
        say(f"FAILED: {error}")
        return 1
    say("Everything works.")
    return 0


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def _surround(bundle: Bundle, folder: Path, stack: ExitStack) -> bool:
    """Give the application a screen and a sound card of its own on Linux; return whether it can be heard."""
    if sys.platform != "linux":
        return False
    for name in ("WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"):
        bundle.environment.pop(name, None)
    variables, has_sound = surround(folder, stack)
    bundle.environment |= variables
    return has_sound


# --- the checks -------------------------------------------------------------------------------------------------


def _try_terminal(bundle: Bundle, has_sound: bool) -> None:
    answer = bundle.run(bundle.terminal, "--version").strip()
    if answer != f"distill {release.version()}":
        raise SmokeError(f"distill --version answers {answer!r}, but this is version {release.version()}.")
    bundle.run(bundle.terminal, "train", "--help")
    report = bundle.run(bundle.terminal, "--selftest", timeout=SELFTEST_SECONDS)
    say(report.strip())
    if has_sound and not re.search(r"^ok +playing", report, re.MULTILINE):
        raise SmokeError("There is a sound card, and nothing was played.")


def _try_libraries(bundle: Bundle) -> None:
    """Ask the dynamic loader for what each library of the bundle needs."""
    if sys.platform != "linux":
        return
    seen = Path(f"{bundle.root or ''}{bundle.terminal}").resolve() if not bundle.root else None
    home = (seen or Path(f"{bundle.root}/usr/lib/distill/distill")).parent / "_internal"
    names = [path for path in home.rglob("*.so*") if path.is_file() and not path.is_symlink()]
    within = [str(path).removeprefix(str(bundle.root)) if bundle.root else str(path) for path in names]
    inner = str(home).removeprefix(str(bundle.root)) if bundle.root else str(home)
    done = subprocess.run(
        bundle.command("ldd", *within), capture_output=True, text=True,
        env={**bundle.environment, "LD_LIBRARY_PATH": f"{inner}:{inner}/sound"},
    )  # fmt: skip
    if missing := sorted(set(re.findall(r"^\s+(\S+) => not found", done.stdout, re.MULTILINE))):
        raise SmokeError(f"Libraries are missing: {', '.join(missing)}")
    say(f"ok       libraries: {len(names)} find all that they are linked against")


@contextmanager
def _window(bundle: Bundle, home: Path) -> Iterator[float]:
    """Open the window, give the seconds until its main loop was reached, and close it."""
    log = home / "log" / "distill.log"
    before = log.stat().st_size if log.exists() else 0

    def told() -> str:
        return log.read_text(encoding="utf-8", errors="replace")[before:] if log.exists() else ""

    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            bundle.command(bundle.window), env=bundle.environment, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            wait_for(lambda: REACHED in told() or process.poll() is not None, START_SECONDS, "No window came")
            yield time.monotonic() - began
            process.send_signal(signal.SIGTERM)
            code = process.wait(END_SECONDS)
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        said = output.read() + told()
        expected = (0,) if sys.platform != "win32" else (0, 1)  # Windows has no such signal and ends the process
        if code not in expected or REACHED not in said or _BAD.search(said):
            raise SmokeError(f"The window ended with {code} and said:\n{said[-6000:]}")
        crashed = home / "log" / "crash.log"
        if crashed.exists() and crashed.stat().st_size:
            raise SmokeError(f"The window crashed:\n{crashed.read_text()[-3000:]}")


def _try_window(bundle: Bundle, home: Path, pictures: Path) -> None:
    seconds = []
    for number in range(STARTS):
        with _window(bundle, home) as took:
            seconds.append(took)
            if number == STARTS - 1:
                time.sleep(1)  # the engine is imported meanwhile
                _look(bundle, pictures / "window.png")
    times = ", ".join(f"{took:.2f} s" for took in seconds)
    say(f"ok       window: opened {STARTS} times, after {times}, and closed when it was asked to")


def _look(bundle: Bundle, picture: Path) -> None:
    """Take a picture of the screen and see that something is on it."""
    if sys.platform != "linux":
        return
    subprocess.run(["import", "-display", bundle.environment["DISPLAY"], "-window", "root", str(picture)], check=True)
    answer = subprocess.run(["identify", "-format", "%k", str(picture)], capture_output=True, text=True, check=True)
    if int(answer.stdout) < FEWEST_COLOURS:
        raise SmokeError(f"There is nothing on the screen: {answer.stdout} colours.")


def _try_training(bundle: Bundle, folder: Path, pictures: Path) -> None:
    """Train the demo sounds for two epochs in the window, and play a preview, by keys alone."""
    home = folder / "home"
    bundle.run(bundle.terminal, "train", "--demo", "--epochs", "1", "--preset", "aggressive", timeout=TRAINING_SECONDS)
    settings = {"sounds": [str(home / "data" / "demo-sounds")], "family": "vae", "preset": "aggressive", "epochs": 2}
    file = home / "config" / "settings.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings), encoding="utf-8")
    before = set((home / "data" / "runs").iterdir())
    with _window(bundle, home):
        window = _keys(bundle, "search", "--sync", "--onlyvisible", "--name", "Distill").split()[-1]
        _keys(bundle, "windowfocus", "--sync", window)
        time.sleep(3)  # the sounds are read
        _keys(bundle, "key", "ctrl+r")

        def finished() -> bool:
            new = set((home / "data" / "runs").iterdir()) - before
            return any("finished" in _text(path / "run.json") for path in new)

        wait_for(finished, TRAINING_SECONDS, "The training did not finish")
        time.sleep(1)
        say("ok       training: two epochs of the demo sounds in the window")
        # To the previews, to the first one, and play it.
        words = ("key", "--delay", "500", "ctrl+3", "ctrl+Home", "Return")
        loudest = _listen(bundle, folder / "heard.raw", lambda: _keys(bundle, *words))
        _look(bundle, pictures / "trained.png")
    if loudest < AUDIBLE:
        raise SmokeError("No preview was heard.")
    say(f"ok       preview: heard, with a peak of {loudest:.2f}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _keys(bundle: Bundle, *words: str) -> str:
    """Press keys and find windows."""
    done = subprocess.run(
        ["xdotool", *words], env=bundle.environment, capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout


def _listen(bundle: Bundle, file: Path, act: Callable[[], object]) -> float:
    """Record what is played after an action until something is heard, and return the peak."""
    words = ["parec", "-d", "null.monitor", "--raw", "--format=float32le", "--rate=48000", "--channels=1"]
    peak = 0.0
    with file.open("wb") as target:
        recorder = subprocess.Popen(words, env=bundle.environment, stdout=target)
        try:
            time.sleep(0.5)
            act()
            until = time.monotonic() + LISTEN_SECONDS
            while peak < AUDIBLE and time.monotonic() < until:
                time.sleep(0.5)
                samples = array("f")
                samples.frombytes(file.read_bytes()[: file.stat().st_size // 4 * 4])
                peak = max((abs(sample) for sample in samples), default=0.0)
        finally:
            recorder.send_signal(signal.SIGINT)
            recorder.wait(10)
    return peak


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
