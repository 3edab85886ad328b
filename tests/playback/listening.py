"""What the tests of the player listen with: a journal of what it tells, an output that is pulled by hand, ears."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from distill.playback.output_device import OutputFormat
from distill.playback.player_status import PlayerState, PlayerStatus

Floats = NDArray[np.float32]

PATIENCE_SECONDS = 10.0


class Journal(list[PlayerStatus]):
    """A listener that remembers, and can wait for what comes."""

    def __call__(self, status: PlayerStatus) -> None:
        self.append(status)

    def await_state(self, state: PlayerState) -> PlayerStatus:
        return self._await(lambda status: status.state is state, str(state))

    def await_path(self, path: Path) -> PlayerStatus:
        return self._await(lambda status: status.state is PlayerState.PLAYING and status.path == path, path.name)

    def await_error(self) -> PlayerStatus:
        return self._await(lambda status: status.error is not None, "an error")

    def _await(self, is_it: Callable[[PlayerStatus], bool], what: str) -> PlayerStatus:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (self and is_it(self[-1])):
            assert time.monotonic() < deadline, f"{what} never came, only {list(self)}"
            time.sleep(0.005)
        return self[-1]


class FakeOutput:
    """Stands in for a device: `pull` asks for a block as PortAudio's thread does."""

    format = OutputFormat(48_000, 2)
    latency_seconds = 0.0
    underflows = 0
    is_stand_in = is_stalled = False
    live_seconds: float | None = None

    def __init__(self, fill: Callable[[Floats], bool], on_drained: Callable[[], None], device: object = None) -> None:
        self.fill, self.on_drained, self.device = fill, on_drained, device
        self.is_running = self.is_closed = False

    def start(self) -> None:
        self.is_running = True

    def stop(self) -> None:
        self.is_running = False

    def close(self) -> None:
        self.is_closed = True

    def pull(self, frames: int) -> Floats:
        block = np.full((frames, 2), np.nan, dtype=np.float32)
        if not self.fill(block):
            self.is_running = False
            self.on_drained()
        return block


def noise(seconds: float, sample_rate: int = 48_000, channels: int = 1) -> Floats:
    rng = np.random.default_rng(3)
    white = rng.standard_normal((round(seconds * sample_rate), channels))
    smooth = np.apply_along_axis(lambda x: np.convolve(x, np.ones(8) / 8, "same"), 0, white)
    loud: Floats = (0.5 * smooth / np.abs(smooth).max()).astype(np.float32)
    return loud


def write(path: Path, audio: Floats, sample_rate: int = 48_000) -> Path:
    soundfile.write(path, audio, sample_rate, subtype="PCM_16")
    return path


def aligned(recording: Floats, wanted: Floats) -> Floats:
    """Return the stretch of ``recording`` where ``wanted`` was played."""
    size = 2 ** int(np.ceil(np.log2(len(recording) + len(wanted))))
    product = np.fft.irfft(np.fft.rfft(recording, size) * np.conj(np.fft.rfft(wanted, size)), size)
    start = int(np.argmax(product[: len(recording)]))
    found = recording[start : start + len(wanted)]
    padded: Floats = np.pad(found, (0, len(wanted) - len(found)))
    return padded


def correlations(recording: Floats, wanted: Floats) -> list[float]:
    """Return the correlation of each tenth of a second that is not silent."""
    found, step = aligned(recording, wanted), 4800
    pieces = [(wanted[i : i + step], found[i : i + step]) for i in range(0, len(wanted) - step + 1, step)]
    return [float(np.corrcoef(a, b)[0, 1]) if b.std() > 0 else 0.0 for a, b in pieces if a.std() > 1e-3]
