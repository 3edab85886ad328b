"""Reads the model or the checkpoint that a new run starts from."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.config.factory import config_from_dict
from distill.config.training import AnyConfig
from distill.errors import CheckpointError, RunFolderError, SoundError, pass_on_memory_error
from distill.models.families import make_family
from distill.models.file_format import SUFFIX
from distill.models.persistence import open_model, read_model_file
from distill.models.priors.window_prior import WindowPrior
from distill.paths import RUN_MARKER
from distill.runs.run_record import RunRecord
from distill.serialization.checkpoint_reader import read_checkpoint
from distill.serialization.weight_checks import check_network, check_weights
from distill.training.data.known_split import KnownSplit, origin_split, split_of_chain
from distill.training.data.preview_choice import previewed_hashes
from distill.training.data.split import split_sounds


@dataclass(frozen=True)
class StartPoint:
    """What a run starts from.

    Attributes
    ----------
    config
        Settings that the weights were trained with.
    weights
        State of the network, statistics included.
    prior
        State of the prior; None where there is none.
    split
        What the model was trained on and tested with; None where that is not known.
    origin
        What the record of the new run says of it.
    sounds
        The sounds of the run that it is from, as far as its folder is there.
    """

    config: AnyConfig
    weights: Mapping[str, Tensor]
    prior: Mapping[str, Tensor] | None
    split: KnownSplit | None
    origin: dict[str, Any]
    sounds: tuple[Path, ...] = ()


def read_start(path: Path) -> StartPoint:
    """Read a model file or a checkpoint.

    Raises
    ------
    DistillError
        The file cannot be used; the message says why.
    """
    return _of_model(path) if path.suffix == SUFFIX else _of_checkpoint(path)


def _of_model(path: Path) -> StartPoint:
    data = read_model_file(path)
    opened = open_model(path)
    prior = opened.parts.prior
    record = _record_beside(path.parent)
    split = KnownSplit.from_dict(data.get("split")) or (None if record is None else _split_of(record))
    meta = opened.metadata
    origin = {
        "kind": "model",
        "name": meta.name,
        "path": str(path.absolute()),
        "model_id": meta.model_id,
        "epoch": meta.training_epochs,
    }
    state = {key: value.detach().clone() for key, value in opened.model.state_dict().items()}
    config = opened.family.config
    return StartPoint(config, state, None if prior is None else _float(prior.state_dict()), split, origin,
                      () if record is None else tuple(record.file_paths))  # fmt: skip


def _of_checkpoint(path: Path) -> StartPoint:
    data = read_checkpoint(path)
    config = config_from_dict(data["training_config"])
    family = make_family(config)
    check_network(family.build, data["model_state_dict"], path, CheckpointError)
    check_weights(data["model_state_dict"], path, "checkpoint", CheckpointError)
    record = _record_beside(path.parent.parent)
    stored = (data.get("training_state") or {}).get("prior") or {}
    averaged = stored.get("averaged")
    try:
        prior = None if averaged is None else _float(WindowPrior.of_state(averaged).state_dict())
    except (KeyError, RuntimeError, ValueError, TypeError, AttributeError, IndexError) as exc:
        pass_on_memory_error(exc)
        raise CheckpointError(f"{path.name} holds a damaged prior. Use another checkpoint.") from exc
    origin = {
        "kind": "checkpoint",
        "name": path.parent.parent.name if record is None else record.model_name or path.parent.parent.name,
        "path": str(path.absolute()),
        "model_id": "",
        "epoch": int(data["epoch"]) + 1,
    }
    split = None if record is None else _split_of(record)
    sounds = () if record is None else tuple(record.file_paths)
    return StartPoint(config, data["model_state_dict"], prior, split, origin, sounds)


def _float(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.detach().float().clone() for key, value in state.items()}


def _record_beside(folder: Path) -> RunRecord | None:
    """Return the record of the run in a folder, if it is one."""
    if (folder / RUN_MARKER).is_file():
        with suppress(RunFolderError):
            return RunRecord.load(folder)
    return None


def _split_of(record: RunRecord) -> KnownSplit | None:
    """Return the split of a run and of those that it came from: as recorded, or found again from its sounds.

    None where some of these are gone.
    """
    known_split = split_of_chain(record)
    if known_split is not None:
        previewed = previewed_hashes(record)
        return known_split if known_split.previewed or not all(previewed) else known_split.with_previewed(previewed)
    cache, skipped = SoundCache(preparation=record.preparation), {item.path for item in record.skipped}
    try:
        sounds = [cache.get(path) for path in record.file_paths if path not in skipped]
        chunk = round(record.config.chunk_duration_s * SAMPLE_RATE)
        contents = {item["content"] for item in record.fingerprints.values()}
        if {sound.content_hash for sound in sounds} != contents:
            return None
        return KnownSplit.of(*split_sounds(sounds, record.config.val_fraction, chunk)).after(origin_split(record))
    except (SoundError, ValueError):
        return None
