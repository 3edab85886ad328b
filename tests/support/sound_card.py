"""A sound card that plays to nowhere and can be listened to: PulseAudio with a null sink."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.support.processes import find_program, start_helper, stop_helper

SAMPLE_RATE = 48_000
START_SECONDS = 20

#: libasound's own configuration, then: whoever opens the default device gets PulseAudio.
_ALSA_CONFIG = """\
</usr/share/alsa/alsa.conf>
pcm.!default { type pulse }
ctl.!default { type pulse }
"""


@dataclass
class Recording:
    """What a recording holds once its ``with`` block has ended."""

    sample_rate: int = SAMPLE_RATE
    #: Float32 mono samples, ``[N]``.
    audio: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, dtype=np.float32))


class NullSink:
    """A running sound card; PortAudio's default device plays to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        socket = folder / "native"
        self.environment = {
            "PULSE_SERVER": f"unix:{socket}",
            "PULSE_RUNTIME_PATH": str(folder),
            "PULSE_STATE_PATH": str(folder),
            "PULSE_COOKIE": str(folder / "cookie"),
            "XDG_RUNTIME_DIR": str(folder),
            "ALSA_CONFIG_PATH": str(folder / "asound.conf"),
        }
        (folder / "asound.conf").write_text(_ALSA_CONFIG)
        self._recorder = find_program("parec", "pulseaudio-utils")
        log = (folder / "pulseaudio.log").open("wb")
        self._daemon = start_helper(
            [
                find_program("pulseaudio", "pulseaudio"), "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
                "--disable-shm=yes", "-n",
                "-L", f"module-native-protocol-unix socket={socket} auth-anonymous=1",
                "-L", f"module-null-sink sink_name=null rate={SAMPLE_RATE} channels=2",
            ],
            env={**os.environ, **self.environment},
            stdout=subprocess.DEVNULL,
            stderr=log,
        )  # fmt: skip
        log.close()  # the daemon has its own
        self._await_sink()

    def _await_sink(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        pactl = find_program("pactl", "pulseaudio-utils")
        while time.monotonic() < deadline and self._daemon.poll() is None:
            environment = {**os.environ, **self.environment}
            answer = subprocess.run([pactl, "list", "short", "sinks"], env=environment, capture_output=True, text=True)
            if "null" in answer.stdout:
                return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"PulseAudio did not start: {(self.folder / 'pulseaudio.log').read_text()[-2000:]}")

    def stop(self) -> None:
        """End the sound card."""
        stop_helper(self._daemon)

    @contextmanager
    def recording(self) -> Iterator[Recording]:
        """Record what is played while the block runs; the samples are there when it has ended.

        As on many real cards, the first 20 ms of a stream that has just been opened may be swallowed, and so may the
        last ones of a stream that is closed at once: a player is recorded whole if it leads in and out with silence.
        """
        result = Recording()
        path = self.folder / "recording.raw"
        with path.open("wb") as file:
            process = start_helper(
                [
                    self._recorder, "-d", "null.monitor", "--raw", "--format=float32le", f"--rate={SAMPLE_RATE}",
                    "--channels=1", "--latency-msec=20",
                ],
                env={**os.environ, **self.environment},
                stdout=file,
            )  # fmt: skip
            try:
                _await(lambda: path.stat().st_size > 0, "parec recorded nothing")
                yield result
                time.sleep(0.2)  # what was played last is still on its way
                process.send_signal(signal.SIGINT)  # parec then writes out what it holds
                process.wait(5)
            finally:
                stop_helper(process)
        result.audio = np.fromfile(path, dtype="<f4").astype(np.float32)

    def record(self, seconds: float) -> NDArray[np.float32]:
        """Record for a while: float32 mono at 48 kHz, ``[N]``."""
        with self.recording() as result:
            time.sleep(seconds)
        return result.audio


def _await(condition: Callable[[], bool], message: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(message)
        time.sleep(0.01)


def restart_portaudio() -> None:
    """Let PortAudio, where it is loaded, look for devices again: it reads them only when it starts."""
    sounddevice = sys.modules.get("sounddevice")
    if sounddevice is not None:
        sounddevice._terminate()
        sounddevice._initialize()
