"""One of several processes that train together: ``python -m tests.support.joined_worker FOLDER FAMILY CHECK...``.

The environment says which one it is, as torchrun's does.  The first one prints the findings as one line of JSON.

Checks: ``steps`` (of each family, of batches of 5 and of 1), ``alone`` (a run without interruption), ``stopped``
(stopped by the last process's user and resumed), ``resumed`` (whatever was interrupted before, in ``run``), ``killed``
(the last process kills itself).
"""

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

import torch

import distill.training.finalize as finalize
import distill.training.prepare as prepare
from distill.config.catalog import FAMILIES, family_info
from distill.config.training import AnyConfig
from distill.distributed.ranks import Ranks, joined
from distill.errors import PeerError
from distill.models.families import make_family
from distill.training import resume_run, train
from distill.training.compute_plan import ComputePlan
from distill.training.steps.agreed_stop import AgreedStop
from distill.training.steps.step import TrainingStep, step_randomness

#: Step at which a run is interrupted.
INTERRUPTED_AT = 4


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


def step_errors(ranks: Ranks, key: str, rows: int) -> tuple[float, float]:
    """Return how far losses and codebooks, and gradients, of a shared batch are from those of a whole one, as shares."""
    config = small_config(key)
    family = make_family(config)
    shape = (2 if key == "complex_vae" else 1, 128, 94)
    features = torch.randn(24, *shape, generator=torch.Generator().manual_seed(3))
    found = []
    for part in (None, ranks.slice_of(rows)):
        torch.manual_seed(1)
        model = family.build()
        family.fit_statistics(model, features)
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3, fused=True)
        step = TrainingStep(family, model.train(), optimizer, 1e9, ComputePlan())
        batch = features[:rows] if part is None else features[:rows][part.computed]
        with step_randomness(1, 0, 0, torch.device("cpu")):
            objective, total, _ = step(batch, family.weights(1.0), 0, part=part)
            drawn = torch.rand(3)  # what comes after a step, as the prior's draws, is the same as well
        values = [total, *objective.terms.values(), *(b.float() for b in model.buffers()), drawn]
        # Gradients together: before a normalization, that of a bias is nothing but rounding.
        values.append(torch.cat([p.grad.flatten() for p in step._trained if p.grad is not None]))
        found.append([value.detach().double().flatten() for value in values])
    *errors, gradient = [float((a - b).norm() / a.norm().clamp_min(1e-6)) for a, b in zip(*found, strict=True)]
    return max(errors), gradient


def interrupted(ranks: Ranks, act: Callable[[AgreedStop], None]) -> Callable[[AgreedStop], None]:
    """Return `AgreedStop.agree` that lets the last process act before a step."""
    calls, agree = 0, AgreedStop.agree

    def agreeing(self: AgreedStop) -> None:
        nonlocal calls
        calls += 1
        if calls == INTERRUPTED_AT + 1 and ranks.rank == ranks.size - 1:
            act(self)
        agree(self)

    return agreeing


def kill(_stop: AgreedStop) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stop(stop: AgreedStop) -> None:
    stop.wish.set()


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
    finalize.map_entries = lambda *arguments: {}  # type: ignore[assignment]
    torch.set_num_threads(1)
    config = small_config(family, max_epochs=int(os.environ.get("EPOCHS", "2")))
    sounds = sorted((folder / "sounds").iterdir())
    agree = AgreedStop.agree
    with joined(threading.Event()) as ranks:
        for check in checks:
            found: Any = None
            wish = threading.Event()
            try:
                if check == "steps":
                    found = {row.key: [step_errors(ranks, row.key, n) for n in (5, 1)] for row in FAMILIES}
                elif check == "resumed":
                    found = resume_run(folder / "run", cancel_event=wish)
                else:
                    act = {"killed": kill, "stopped": stop}.get(check)
                    if act is not None:
                        AgreedStop.agree = interrupted(ranks, act)  # type: ignore[method-assign]
                    run = folder / ("alone" if check == "alone" else "run")
                    found = train(config, sounds, run, "cpu", cancel_event=wish)
            except PeerError as exc:
                found = {"error": str(exc)}
            AgreedStop.agree = agree  # type: ignore[method-assign]
            if ranks.is_first:
                print(json.dumps({check: measured(found) if "model" in found else found}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
