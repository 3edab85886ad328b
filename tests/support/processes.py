"""Helper programs that live as long as the test session, and never longer."""

import os
import shutil
import subprocess

import pytest

#: Process ids of the helpers, which the search for left-over processes passes over.
SESSION_PROCESSES: set[int] = set()


def find_program(name: str, package: str) -> str:
    """Return the path of a helper program; without it the test is skipped, on CI it fails."""
    path = shutil.which(name)
    if path is None:
        message = f"{name} is not installed (Debian package {package})"
        if os.environ.get("CI", "").lower() in ("", "0", "false"):
            pytest.skip(message)
        pytest.fail(message)
    return path


def start_helper(command: list[str], **options: object) -> "subprocess.Popen[bytes]":
    """Start a helper program; where util-linux has setpriv, the kernel ends it even if the test run is killed."""
    setpriv = shutil.which("setpriv")
    mortal = [setpriv, "--pdeathsig", "TERM"] if setpriv else []
    process: subprocess.Popen[bytes] = subprocess.Popen(
        [*mortal, *command],
        **{"stdin": subprocess.DEVNULL, **options},  # type: ignore[call-overload]
    )
    SESSION_PROCESSES.add(process.pid)
    return process


def stop_helper(process: "subprocess.Popen[bytes]") -> None:
    """End a helper program and wait for it; a second call does nothing."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    SESSION_PROCESSES.discard(process.pid)
