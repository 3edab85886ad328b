"""Train, resume and generate with each family on a GPU, and print what it took.

    python tests/gpu/check.py [SOUNDS] [--epochs N] [--device cuda]

``SOUNDS`` is a folder of sounds; without it the demo sounds are made.  One line of JSON for each family; the exit code
is 1 if one of them failed a check.  Without a GPU it says so and ends with 0.  Needs nothing of the tests around it, so
that it runs where neither Qt nor pytest is installed.

What is checked: training ends with a finite held-out loss; a run that was stopped in mid-epoch and resumed has the same
TF32 setting, precision and number of steps as the one that was left alone, and a held-out loss close to it; the model
file opens on the GPU and on the CPU and makes sounds there that are finite and not silent, one of them at a
position of the map with a slider moved.  How often a training step waits for the GPU is counted in the second epoch and
printed.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import torch

from distill.audio.demo.demo_sounds import write_demo_sounds
from distill.config.factory import make_config
from distill.config.family_catalog import FAMILIES
from distill.generation.map.map_sounds import sliders_of, sound_at
from distill.models.persistence import open_model
from distill.training import train

#: Largest difference of the held-out loss between a run left alone and one that was resumed, as a share.  A GPU adds
#: up in no fixed order, so the two are not equal to the last bit as they are on a CPU.
RESUME_TOLERANCE = 0.05


class Watch:
    """Callback of a run: keeps its events, can stop it at a step, and counts waits for the GPU in the second epoch.

    Parameters
    ----------
    stop_at
        Epoch and step at which ``stop`` is set, or None.
    warned
        Warnings that have been caught so far, among them one for each wait; None to count nothing.
    """

    def __init__(
        self, stop_at: tuple[int, int] | None = None, warned: list[warnings.WarningMessage] | None = None
    ) -> None:
        self.stop = threading.Event()
        self.steps: list[Any] = []
        self.epochs: list[Any] = []
        self.matmul_precision: set[str] = set()
        self.waits_per_step: float | None = None
        self._stop_at, self._warned = stop_at, warned

    def __call__(self, event: Any) -> None:
        if hasattr(event, "step_time_s"):
            self.steps.append(event)
            self.matmul_precision.add(torch.get_float32_matmul_precision())
            if (event.epoch, event.step) == self._stop_at:
                self.stop.set()
            if self._warned is not None and event.epoch == 1:
                self._count_waits(event, self._warned)
        elif hasattr(event, "eta_seconds"):
            self.epochs.append(event)

    def _count_waits(self, event: Any, warned: list[warnings.WarningMessage]) -> None:
        if event.step == 0:
            warned.clear()
            torch.cuda.set_sync_debug_mode("warn")
        elif event.step == event.total_steps - 1:
            torch.cuda.set_sync_debug_mode("default")
            waits = sum("synchroniz" in str(warning.message) for warning in warned)
            self.waits_per_step = round(waits / event.step, 2)

    @property
    def val_loss(self) -> float:
        """Held-out loss of the last epoch."""
        return float(self.epochs[-1].val_loss)


def check(family: str, sounds: list[Path], epochs: int, device: str, folder: Path) -> dict[str, Any]:
    """Run one family through all checks and return its figures; ``failed`` lists the checks that it did not pass."""
    config = make_config(family, len(sounds), max_epochs=epochs, patience=0)
    on_gpu = device.startswith("cuda")
    row: dict[str, Any] = {"family": family, "device": device, "failed": []}

    def require(true: bool, what: str) -> None:
        if not true:
            row["failed"].append(what)

    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        alone = Watch(warned=warned if on_gpu else None)
        result = train(config, sounds, folder / "alone", device, alone)
    row["train_s"] = round(time.perf_counter() - began, 1)
    row["first_epoch_s"] = round(float(alone.epochs[0].elapsed_seconds), 2)
    times = sorted(step.step_time_s for step in alone.steps[len(alone.steps) // 2 :])
    row["step_ms"] = round(1000 * times[len(times) // 2], 2)
    row["audio_s_per_s"] = round(config.batch_size / times[len(times) // 2])
    row["val_loss"] = round(alone.val_loss, 5)
    row["waits_per_step"] = alone.waits_per_step
    require(alone.val_loss == alone.val_loss and result["outcome"] == "finished", "training")
    if on_gpu:
        row["peak_gpu_mb"] = torch.cuda.max_memory_allocated() >> 20

    first = Watch(stop_at=(epochs // 2, 1))
    stopped = train(config, sounds, folder / "resumed", device, first, first.stop)
    require(stopped["outcome"] == "stopped", "stop in mid-epoch")
    second = Watch()
    newest = max((folder / "resumed" / "checkpoints").glob("*.pt"), key=lambda path: path.stat().st_mtime)
    train(config, sounds, folder / "resumed", device, second, resume_checkpoint=newest)
    row["resumed_val_loss"] = round(second.val_loss, 5)
    require(abs(second.val_loss - alone.val_loss) <= RESUME_TOLERANCE * abs(alone.val_loss), "resumed loss")
    require(alone.matmul_precision == second.matmul_precision, "TF32 after resuming")
    require(len(first.steps) + len(second.steps) == len(alone.steps), "number of steps")

    path = Path(str(result["model_path"] or folder / "alone" / "model.distill"))
    for where in (device, "cpu"):
        model = open_model(path, where)
        began = time.perf_counter()
        made = model.sample(16, seed=1).cpu()
        row[f"sample_16_on_{where}_s"] = round(time.perf_counter() - began, 2)
        require(bool(torch.isfinite(made).all()) and float(made.abs().amax()) > 1e-3, f"sounds on {where}")
        sliders = sliders_of(model)
        moves = {} if sliders is None else {sliders.directions[0].name: 1.0}
        row["moved_by"] = list(moves)
        require(bool(torch.isfinite(sound_at(model, (0.5, 0.5), moves)).all()), f"a sound of the map on {where}")
    return row


def main(arguments: list[str]) -> int:
    """Check all families and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("sounds", nargs="?", type=Path, help="folder of sounds; the demo sounds without it")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--family", action="append", choices=[row.key for row in FAMILIES])
    given = parser.parse_args(arguments)
    if given.device.startswith("cuda") and not torch.cuda.is_available():
        print("No GPU here: nothing was checked.")
        return 0
    name = torch.cuda.get_device_name(given.device) if given.device.startswith("cuda") else given.device
    print(json.dumps({"machine": name, "torch": torch.__version__}), flush=True)
    failed = False
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sounds = sorted(p for p in given.sounds.iterdir() if p.is_file()) if given.sounds else None
        sounds = sounds or write_demo_sounds(folder / "sounds")
        for family in given.family or [row.key for row in FAMILIES]:
            row = check(family, sounds, given.epochs, given.device, folder / family)
            failed |= bool(row["failed"])
            print(json.dumps(row), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
