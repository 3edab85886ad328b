"""Opens broken files, one after the other, under limits: ``python -m tests.support.fuzz_worker FOLDER FIRST COUNT``.

FOLDER holds whole files (``*.distill``, ``*.pt``).  For each seed one line is printed before the file is opened, and
one JSON object after it; if the process dies, the last line says on what.  Memory is limited to 1 GB over what the
process takes at the start, processor time to 5 s a file.
"""

import hashlib
import json
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from distill.config.factory import config_from_dict
from distill.errors import CheckpointError, DistillError, ModelFileError
from distill.library.index import read_facts
from distill.models.families import make_family
from distill.models.persistence import open_model
from distill.serialization.checkpoint_reader import read_checkpoint
from distill.training.checkpoint import apply_checkpoint
from distill.training.steps.learning_rate_schedule import CosineFactor, make_scheduler
from tests.support.mutations import mutated

MEMORY_BYTES, SECONDS = 1 << 30, 5.0


def trio_of(config: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return what a checkpoint of the configuration is loaded into."""
    torch.manual_seed(0)
    model = make_family(config_from_dict(config)).build()
    optimizer = torch.optim.AdamW(model.parameters())
    return model, optimizer, make_scheduler(optimizer, CosineFactor.of_run(10))


def digest(parts: tuple[Any, Any, Any]) -> str:
    found = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, torch.Tensor):
            found.update(value.numpy().tobytes())
        elif isinstance(value, dict):
            for key, item in value.items():
                found.update(repr(key).encode())
                add(item)
        elif isinstance(value, (list, tuple)):
            for item in value:
                add(item)
        else:
            found.update(repr(value).encode())

    for part in parts:
        add(part.state_dict())
    return found.hexdigest()


def try_model(path: Path) -> None:
    try:
        model = open_model(path)
    except ModelFileError:
        raise
    assert all(bool(torch.isfinite(v).all()) for v in model.model.state_dict().values()), "weights that are no numbers"
    read_facts(path)  # what can be opened can be listed


def try_checkpoint(path: Path, parts: tuple[Any, Any, Any], before: str) -> None:
    try:
        data = read_checkpoint(path)
        apply_checkpoint(path, data, *parts)
    except CheckpointError:
        assert digest(parts) == before, "a part of it was applied"
        raise


def outcome_of(attempt: Callable[[], None], name: str) -> dict[str, str]:
    try:
        attempt()
    except DistillError as error:
        text = str(error)
        one_sentence = "\n" not in text and name in text and len(text) < 600
        return {"outcome": "refused" if one_sentence else "badly told", "message": text[:600]}
    except BaseException as error:
        return {"outcome": "bug", "message": f"{type(error).__name__}: {error}"[:600]}
    return {"outcome": "opened", "message": ""}


def main(folder: Path, first: int, count: int) -> None:
    torch.set_num_threads(1)
    whole = {path: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in (".distill", ".pt")}
    trios = {path: trio_of(read_checkpoint(path)["training_config"]) for path in whole if path.suffix == ".pt"}
    for path in whole:
        if path.suffix == ".distill":
            open_model(path)  # what is imported late is imported before memory is limited
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for seed in range(first, first + count):
        path = list(whole)[seed % len(whole)]
        how, data = mutated(whole[path], seed)
        target = folder / "broken" / f"broken{seed}{path.suffix}"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(data)
        print(f"{seed} {how} {path.name}", flush=True)
        attempt: Callable[[], None]
        if path.suffix == ".distill":
            attempt = lambda: try_model(target)  # noqa: E731, B023 - called at once
        else:
            parts = trio_of(torch.load(path, weights_only=True)["training_config"]) if seed % 64 == 0 else trios[path]
            trios[path] = parts
            before = digest(parts)
            attempt = lambda: try_checkpoint(target, parts, before)  # noqa: E731, B023
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # the processor's time: a busy machine is no hang
        found = outcome_of(attempt, target.name)
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps({"seed": seed, "how": how, "file": path.name, **found}), flush=True)
        target.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
