"""A screen and a sound card for the application under test: Xvfb, and PulseAudio with a null sink.  Linux only."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

START_SECONDS = 60


class SmokeError(Exception):
    """The application does not do what it should, or what it is tried with is not there."""


def surround(folder: Path, stack: ExitStack) -> tuple[dict[str, str], bool]:
    """Start a screen and, where PulseAudio is there, a sound card; both end with the stack.

    Returns
    -------
    tuple
        The variables that lead a program there, and whether it can be heard.

    Raises
    ------
    SmokeError
        A program that this needs is missing.
    """
    for program, package in (("Xvfb", "xvfb"), ("import", "imagemagick"), ("xdotool", "xdotool")):
        if shutil.which(program) is None:
            raise SmokeError(f"{program} is needed to look at the window (Debian package {package}).")
    variables = {"DISPLAY": stack.enter_context(_screen()), "QT_QPA_PLATFORM": "xcb", "LC_ALL": "C.UTF-8"}
    if shutil.which("pulseaudio") is None:
        print("PulseAudio is not here, so nothing is listened to.", flush=True)
        return variables, False
    return {**variables, **stack.enter_context(_sound_card(folder))}, True


@contextmanager
def _screen() -> Iterator[str]:
    """Start Xvfb and give its display."""
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1600x1000x24", "-nolisten", "tcp", "-noreset"]
    with _helper(command, pass_fds=(writer,)):
        os.close(writer)
        with os.fdopen(reader, "rb") as answer:
            ready = select.select([answer], [], [], START_SECONDS)[0]
            number = answer.readline().decode().strip() if ready else ""
        if not number:
            raise SmokeError("Xvfb did not start.")
        yield f":{number}"


@contextmanager
def _sound_card(folder: Path) -> Iterator[dict[str, str]]:
    """Start PulseAudio with a null sink and give the variables that lead ALSA's default device there."""
    socket, config = folder / "native", folder / "asound.conf"
    config.write_text("</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\nctl.!default { type pulse }\n")
    variables = {"PULSE_SERVER": f"unix:{socket}", "PULSE_COOKIE": str(folder / "cookie"),
                 "XDG_RUNTIME_DIR": str(folder), "PULSE_RUNTIME_PATH": str(folder),
                 "PULSE_STATE_PATH": str(folder), "ALSA_CONFIG_PATH": str(config)}  # fmt: skip
    command = ["pulseaudio", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes", "-n",
               "-L", f"module-native-protocol-unix socket={socket} auth-anonymous=1",
               "-L", "module-null-sink sink_name=null rate=48000 channels=2"]  # fmt: skip
    with _helper(command, env={**os.environ, **variables}):
        wait_for(socket.exists, START_SECONDS, "PulseAudio did not start")
        yield variables


@contextmanager
def _helper(command: list[str], **options: object) -> Iterator[None]:
    """Run a helper program while the block runs."""
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, **options)  # type: ignore[call-overload]
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        process.wait()


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until something is so.

    Raises
    ------
    SmokeError
        It is not, after so many seconds.
    """
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise SmokeError(f"{what} within {seconds:.0f} s.")
        time.sleep(0.01)
