"""One of several processes that train together: ``python -m tests.support.joined_worker FOLDER FAMILY CHECK...``.

The environment says which one it is, as torchrun's does.  The first one prints the findings as one line of JSON.

Checks: ``steps`` (one of each family, with batches of 5 and of 1), ``hundred``
(steps of the family), ``alone`` (a run without interruption), ``stopped``
(stopped by the last process's user and resumed), ``resumed`` (whatever was interrupted before, in ``run``), ``killed``
(the last process kills itself), ``frozen 0`` and ``frozen 1`` (this process stops and does not go on), ``far 0`` and
``far 1`` (likewise, as on another computer), ``suspended`` (all stop before the same step, and are sent on).
"""

import copy
import hashlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import distill.training.beginning.prepare as prepare
import distill.training.ending.model_contents as model_contents
from distill.config.family_catalog import FAMILIES, family_info
from distill.config.training import AnyConfig
from distill.distributed import peer_watch
from distill.distributed.ranks import Ranks, joined
from distill.errors import PeerError
from distill.models.families import make_family
from distill.training import resume_run, train
from distill.training.compute_plan import ComputePlan
from distill.training.steps.training_step import TrainingStep, step_randomness
from distill.training.stop_request import AgreedStop
from tests.training.conftest import tone

#: Step at which a run is interrupted.
INTERRUPTED_AT = 4

#: For how long all processes are suspended: longer than they may be silent.
SUSPENDED_SECONDS = 12.0


def small_config(family: str, **changes: Any) -> AnyConfig:
    """Return settings of a family with a small network."""
    base = family_info(family).adaptive_config(10)
    quick: dict[str, Any] = {
        "max_epochs": 2,
        "batch_size": 5,
        "checkpoint_interval": 1,
        "precision": "float32",
        "num_threads": 1,
        "val_fraction": 0.2,
        "preview_interval_short": 100,
        "regularization": replace(base.regularization, augmentation_expansion=0),
    }
    names = {item.name for item in fields(base)}
    quick |= {"network_width": 4} if "network_width" in names else {}
    quick |= {"codebook_dim": 16, "codebook_size": 16} if "codebook_dim" in names else {}
    return replace(base, **(quick | changes))


class Steps:
    """Steps of a family that several processes share, each beside the same step of one process.

    Parameters
    ----------
    ranks
        The processes.
    key
        The family.
    rows
        Rows of a batch.
    """

    def __init__(self, ranks: Ranks, key: str, rows: int) -> None:
        self.ranks, self.rows, self.count = ranks, rows, 0
        # As many free bits as latents have: whether one is held at them must be decided by the whole batch.
        self.family = make_family(small_config(key, **({} if key == "vqvae" else {"free_bits": 0.5})))
        self.features = self.family.features(torch.from_numpy(np.stack([tone(n, 1.0) for n in range(24)]))[:, None])
        torch.manual_seed(1)
        self.network = self.family.build()
        self.family.fit_statistics(self.network, self.features)
        self.shared = self._step(self.network)

    def _step(self, network: torch.nn.Module) -> TrainingStep:
        trained = [p for p in network.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=1e-3, fused=True)
        return TrainingStep(self.family, network.train(), optimizer, 1e9, ComputePlan())

    def errors(self) -> tuple[float, float]:
        """Take a step; return how far losses and codebooks, and gradients, are from those of one process, as shares."""
        alone, part = self._step(copy.deepcopy(self.network)), self.ranks.slice_of(self.rows)
        assert part is not None
        items = torch.randperm(24, generator=torch.Generator().manual_seed(self.count))[: self.rows]
        found = []
        for step, batch, own in (
            (alone, self.features[items], None),
            (self.shared, self.features[items[part.computed]], part),
        ):
            with step_randomness(1, 0, self.count, torch.device("cpu")):
                objective, total, _ = step(batch, self.family.weights(1.0), self.count, part=own)
                drawn = torch.rand(3)  # what comes after a step, as the prior's draws, is the same as well
            values = [total, *objective.terms.values(), *(b.float() for b in step.model.buffers()), drawn]
            # Gradients together: before a normalization, that of a bias is nothing but rounding.
            values.append(torch.cat([p.grad.flatten() for p in step._trained if p.grad is not None]))
            found.append([value.detach().double().flatten() for value in values])
        self.count += 1
        *errors, gradient = [float((a - b).norm() / a.norm().clamp_min(1e-6)) for a, b in zip(*found, strict=True)]
        return max(errors), gradient


def most(pairs: list[tuple[float, float]]) -> list[float]:
    """Return the largest of each."""
    return [max(values) for values in zip(*pairs, strict=True)]


def interrupted(
    ranks: Ranks, act: Callable[[AgreedStop], None], rank: int, silent_seconds: float
) -> Callable[[AgreedStop], None]:
    """Return `AgreedStop.agree` that lets one process act before a step, and the others be silent for so long.

    Not from the start: on a busy computer a process that imports and prepares may be silent for some seconds.
    """
    calls, agree = 0, AgreedStop.agree

    def agreeing(self: AgreedStop) -> None:
        nonlocal calls
        calls += 1
        if calls == INTERRUPTED_AT + 1:
            peer_watch.SILENT_SECONDS = silent_seconds
            if ranks.rank == rank:
                act(self)
        agree(self)

    return agreeing


def kill(_stop: AgreedStop) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def freeze(_stop: AgreedStop) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def stop(stop: AgreedStop) -> None:
    stop.local_event.set()


def measured(result: dict[str, Any]) -> dict[str, Any]:
    """Return what the first process has found: losses as they are, and the weights as a sum that shows each bit."""
    history = result["metrics_history"]
    weights = b"".join(value.numpy().tobytes() for value in result["model"].state_dict().values())
    return {
        "outcome": result["outcome"],
        "steps": list(history.step_column("train_loss")),
        "prior": list(history.step_column("prior_loss")),
        "epochs": [(epoch.train_loss, epoch.val_loss) for epoch in history.epochs],
        "weights": hashlib.sha256(weights).hexdigest(),
    }


def main(folder: Path, family: str, checks: list[str]) -> None:
    """Carry out the checks in order."""
    prepare.PRIOR_SIZE = (32, 1)
    vars(model_contents)["map_entries"] = lambda *arguments: {}
    torch.set_num_threads(1)
    config = small_config(family, max_epochs=int(os.environ.get("EPOCHS", "2")))
    sounds = sorted((folder / "sounds").iterdir())
    agree = AgreedStop.agree
    with joined(threading.Event()) as ranks:
        for check in checks:
            found: Any = None
            cancel_event = threading.Event()
            try:
                if check == "steps":
                    found = {row.key: [Steps(ranks, row.key, n).errors() for n in (5, 1)] for row in FAMILIES}
                elif check == "hundred":
                    steps = Steps(ranks, family, 10)
                    found = most([steps.errors() for _ in range(100)])
                elif check == "resumed":
                    found = resume_run(folder / "run", cancel_event=cancel_event)
                else:
                    name, _, number = check.partition(" ")
                    acts = {"killed": kill, "stopped": stop, "frozen": freeze, "far": freeze, "suspended": freeze}
                    act = acts.get(name)
                    if act is not None:
                        rank = ranks.rank if name == "suspended" else int(number or ranks.size - 1)
                        silent = {"frozen": 3.0, "far": 3.0, "suspended": SUSPENDED_SECONDS - 2}
                        agreeing = interrupted(ranks, act, rank, silent.get(name, peer_watch.SILENT_SECONDS))
                        AgreedStop.agree = agreeing  # type: ignore[method-assign,assignment]
                    if name == "suspended":
                        vars(peer_watch)["MOST_SECONDS_OF_A_LOOK"] = 1.5
                    if name == "far":
                        peer_watch.GRACE_SECONDS = 1.0
                        peer_watch._is_here = lambda home: False
                    run = folder / ("alone" if check == "alone" else "run")
                    found = train(config, sounds, run, "cpu", cancel_event=cancel_event)
            except PeerError as exc:
                found = {"error": str(exc)}
            AgreedStop.agree = agree  # type: ignore[method-assign]
            if ranks.is_first or (ranks.speaks_for_all and "error" in found):
                print(json.dumps({check: measured(found) if "model" in found else found}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
