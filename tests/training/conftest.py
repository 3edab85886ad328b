"""Small real material for the engine: sounds, settings, and runs that are quick on two cores."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.audio.export import write_wav
from distill.config.family_catalog import FAMILIES, family_info
from distill.config.training import AnyConfig
from distill.errors import DistillError
from distill.events import EpochMetrics, Event
from distill.training import RegularizationConfig, TrainingCompleteEvent, TrainingConfig, TrainingNotice, train
from tests.support.small_runs import leave_map_out, make_small

MakeConfig = Callable[..., AnyConfig]
#: Returns what `train` does for a configuration: a run of `sounds` that nothing disturbs.
LeftAlone = Callable[[AnyConfig], dict[str, Any]]


def tone(seed: int, seconds: float = 0.8) -> Any:
    """A decaying harmonic tone with a little noise, different for each seed."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 80 * 2 ** rng.uniform(0, 4)
    partials = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 6))
    sound = (partials + 0.05 * rng.standard_normal(t.size)) * np.exp(-t * rng.uniform(2, 8))
    return (sound / np.abs(sound).max()).astype(np.float32)


def write_sounds(folder: Path, count: int) -> list[Path]:
    """Write sounds of 0.8 s into a folder; the fourth is of two and a half seconds."""
    folder.mkdir(exist_ok=True)
    files = []
    for n in range(count):
        files.append(folder / f"tone {n:02d}.wav")
        write_wav(files[-1], tone(n, 2.5 if n == 3 else 0.8))
    return files


QUICK = TrainingConfig(
    max_epochs=3,
    batch_size=4,
    checkpoint_interval=1,
    precision="float32",
    num_threads=1,
    val_fraction=0.2,
    latent_dim=16,
    preview_interval_short=100,
    regularization=RegularizationConfig(augmentation_expansion=2),
)
#: For `Finished`.
RUN = replace(QUICK, max_epochs=6, preview_interval_short=2, max_checkpoints=2)


class Finished:
    """A run that ended by itself, and all that it told."""

    def __init__(self, folder: Path) -> None:
        self.sounds = write_sounds(folder / "sounds", 10)
        bad = folder / "sounds" / "bad.wav"
        bad.write_bytes(b"RIFF no sound")
        self.given = [*self.sounds, bad]
        self.folder, self.library = folder / "run", folder / "library"
        self.events: list[Event] = []
        torch.manual_seed(5)
        self.stream = torch.get_rng_state()
        self.result = train(
            RUN, self.given, self.folder, "cpu", self.events.append, models_dir=self.library, dataset_name="Bells",
            model_name="Little bells",
        )  # fmt: skip
        self.stream_after = torch.get_rng_state()

    def told(self, kind: Any) -> list[Any]:
        return [e for e in self.events if isinstance(e, kind)]


class StillRun:
    """A run with other settings, which is stopped when an epoch has been told if ``stop_after`` is given."""

    def __init__(self, config: AnyConfig, folder: Path, stop_after: int | None = None) -> None:
        self.folder, self.events, self.cancel = folder / "run", list[Event](), threading.Event()
        self._stop_after = stop_after
        sounds = write_sounds(folder / "sounds", 3)  # of one chunk each
        self.result = train(config, sounds, self.folder, "cpu", self._take, self.cancel)

    def _take(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, EpochMetrics) and event.epoch == self._stop_after:
            self.cancel.set()


def ended(events: list[Event]) -> TrainingCompleteEvent:
    """Return the one last event; fail where there is none, or more than one."""
    assert [isinstance(e, TrainingCompleteEvent) for e in events] == [False] * (len(events) - 1) + [True]
    assert isinstance(events[-1], TrainingCompleteEvent)
    return events[-1]


def topics(events: list[Event]) -> list[str]:
    return [e.topic for e in events if isinstance(e, TrainingNotice)]


def failing(events: list[Event], *arguments: Any, **named: Any) -> Any:
    """Run something that must fail with an error for the user, and return that error."""
    with pytest.raises(DistillError) as caught:
        train(*arguments, **(named | {"callback": events.append}))
    end = ended(events)
    assert end.outcome == "failed"
    assert end.error == str(caught.value)
    return caught.value


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """On small tensors a second thread is waited for longer than it helps, above all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="package", autouse=True)
def _small_runs() -> Iterator[None]:
    """Keep runs small, for the package: what a test changes by ``monkeypatch`` is undone after its other fixtures."""
    with pytest.MonkeyPatch.context() as patch:
        leave_map_out(patch.setattr)
        make_small(patch.setattr)
        yield


@pytest.fixture(scope="package")
def done(_small_runs: None, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return Finished(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def sounds(tmp_path: Path) -> list[Path]:
    """Ten files, one of them of two and a half seconds."""
    return write_sounds(tmp_path / "sounds", 10)


@pytest.fixture(scope="package")
def _runs_left_alone() -> dict[str, dict[str, Any]]:
    return {}


@pytest.fixture
def left_alone(_runs_left_alone: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> LeftAlone:
    """Return a function that trains undisturbed, once for each configuration: other runs are compared with it."""

    def run(config: AnyConfig) -> dict[str, Any]:
        key = repr(config)
        if key not in _runs_left_alone:
            folder = tmp_path_factory.mktemp("left alone")
            _runs_left_alone[key] = train(config, write_sounds(folder / "sounds", 10), folder / "run", "cpu")
        return _runs_left_alone[key]

    return run


#: For long tests of what the one loop does whatever the family: the other families are left to the soaks.
ONE_FAMILY_OFTEN = pytest.mark.parametrize(
    "family_key",
    [pytest.param(row.key, marks=[] if row is FAMILIES[0] else [pytest.mark.soak]) for row in FAMILIES],
    indirect=True,
)


@pytest.fixture(params=[row.key for row in FAMILIES])
def family_key(request: pytest.FixtureRequest) -> str:
    """Each family: what the engine promises, it promises for all of them."""
    return str(request.param)


@pytest.fixture
def make_config(family_key: str) -> MakeConfig:
    """Return a function that makes a quick configuration of the family, with changes."""

    def make(**changes: Any) -> AnyConfig:
        info = family_info(family_key)
        base = info.adaptive_config(10)
        regularization = replace(base.regularization, augmentation_expansion=2)
        quick: dict[str, Any] = {
            "max_epochs": 3,
            "batch_size": 4,
            "checkpoint_interval": 1,
            "precision": "float32",
            "num_threads": 1,
            "val_fraction": 0.2,
            "preview_interval_short": 100,
            "regularization": regularization,
        }
        if any(item.name == "network_width" for item in fields(base)):
            quick["network_width"] = 4
        return replace(base, **(quick | changes))

    return make
