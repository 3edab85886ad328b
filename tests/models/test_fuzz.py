"""Broken files, hundreds of them, in a process with little memory and little time: each is refused in one sentence."""

import json
import os
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from distill.audio import SpectrogramConfig
from distill.cli.app import main
from distill.errors import CheckpointError, DistillError, ModelFileError
from distill.metrics_history import VQMetricsHistory
from distill.models import ModelMetadata, open_model, save_model_from_checkpoint
from distill.models.families import make_family
from distill.runs.run_record import RunRecord
from distill.serialization.archive import read_archive
from distill.serialization.checkpoint_reader import read_checkpoint
from distill.serialization.plain_values import plain_config
from distill.training import MetricsHistory, TrainingConfig, VQVAEConfig, save_checkpoint, save_vqvae_checkpoint
from distill.training.steps.learning_rate_schedule import CosineFactor, make_scheduler
from tests.support.mutations import PROGRAMS, packed, parts_of

ROOT = Path(__file__).resolve().parents[2]
SMALL: tuple[Any, ...] = (
    TrainingConfig(latent_dim=2, chunk_duration_s=0.25),
    VQVAEConfig(codebook_dim=8, codebook_size=16, num_quantizers=2, chunk_duration_s=0.25),
)


def write_whole_files(folder: Path) -> list[Path]:
    """Write a checkpoint and a model file of versions 1 and 2, of networks that are not trained."""
    made = []
    for config in SMALL:
        torch.manual_seed(0)
        model = make_family(config).build()
        optimizer = torch.optim.AdamW(model.parameters())
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()  # moments to be broken
        scheduler = make_scheduler(optimizer, CosineFactor.of_run(10))
        path = folder / f"{config.family}.pt"
        common = (path, model, optimizer, scheduler, 3, 30, 0.5, 0.75)
        rest = (config, plain_config(SpectrogramConfig()))
        if isinstance(config, VQVAEConfig):
            save_vqvae_checkpoint(*common, 0.25, None, *rest, VQMetricsHistory().to_dict())
        else:
            save_checkpoint(*common, 1e-3, *rest, MetricsHistory().to_dict())
        made += [path, save_model_from_checkpoint(path, ModelMetadata(name="Bells"), path.with_suffix(".distill"))]
    return made


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    write_whole_files(folder)
    return folder


def fuzz(folder: Path, first: int, count: int) -> Counter[str]:
    """Open ``count`` broken files and return how often each outcome came; fail on what must not happen."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.support.fuzz_worker", str(folder), str(first), str(count)],
        cwd=ROOT, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"died on {lines[-1:]} with {done.returncode}: {done.stderr[-1000:]}"
    found = [json.loads(line) for line in lines if line.startswith("{")]
    assert len(found) == count
    wrong = [row for row in found if row["outcome"] not in ("refused", "opened")]
    assert wrong == []
    return Counter(row["outcome"] for row in found)


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits on memory and time are Linux's")


def test_broken_files_are_refused(whole: Path) -> None:
    outcomes = fuzz(whole, 0, 100)
    assert outcomes["refused"] > 60  # or what was hit is of no importance, such as a time stamp
    assert outcomes["opened"] > 0


@pytest.mark.soak
def test_many_broken_files_are_refused(whole: Path) -> None:
    outcomes = fuzz(whole, 1000, 2000)
    assert outcomes["refused"] > 1200
    assert outcomes["opened"] > 0


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_each_hostile_pickle_is_refused(whole: Path, tmp_path: Path, program: bytes) -> None:
    parts = parts_of((whole / "vae.distill").read_bytes())
    path = tmp_path / "hostile.distill"
    path.write_bytes(packed([(n, program if n.endswith("/data.pkl") else d) for n, d in parts.items()]))
    with pytest.raises(ModelFileError, match=r"^hostile\.distill [^\n]*$"):
        open_model(path)


def changed(source: Path, target: Path, **changes: Any) -> Path:
    data = torch.load(source, weights_only=True)
    for key, value in changes.items():
        table, *inner = key.split("__")
        if inner:
            data[table][inner[0]] = value
        else:
            data[table] = value
    torch.save(data, target)
    return target


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"training_config__latent_dim": 4096}, "of another size"),
        ({"training_config__chunk_duration_s": 8.0}, "of another size"),
        ({"model_state_dict__feature_mean": torch.full((1, 1, 128, 24), float("nan"))}, "another size|not numbers"),
        ({"model_state_dict": [1]}, "another kind of network"),
        ({"metadata__tags": [[1]]}, "cannot be used"),
    ],
)
def test_settings_that_ask_for_another_network_are_refused_before_it_is_built(
    whole: Path, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ModelFileError, match=words):
        open_model(changed(whole / "vae.distill", tmp_path / "odd.distill", **changes))


class _Sizes(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch annotates it in part
    """Notes the number of elements of every tensor that is made in memory."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.device.type != "meta":
            self.largest = max(self.largest, result.numel())
        return result


@pytest.fixture
def made() -> Iterator[_Sizes]:
    with _Sizes() as sizes:
        yield sizes


def test_a_codebook_of_gigabytes_is_never_built(whole: Path, tmp_path: Path, made: _Sizes) -> None:
    path = changed(
        whole / "vqvae.distill", tmp_path / "odd.distill", training_config__codebook_size=65_536,
        training_config__codebook_dim=4096,
    )  # fmt: skip
    with pytest.raises(ModelFileError, match="of another size"):
        open_model(path)
    assert made.largest < 10_000_000


def test_weights_that_are_not_numbers_are_named(whole: Path, tmp_path: Path) -> None:
    ways: list[tuple[str, Any, type[DistillError]]] = [
        ("vae.distill", open_model, ModelFileError), ("vqvae.pt", read_checkpoint, CheckpointError)
    ]  # fmt: skip
    for name, open_it, error in ways:
        data = torch.load(whole / name, weights_only=True)
        key = next(k for k, v in data["model_state_dict"].items() if v.is_floating_point())
        data["model_state_dict"][key].view(-1)[0] = float("nan")
        path = tmp_path / name
        torch.save(data, path)
        with pytest.raises(error, match=rf"not numbers \(NaN or infinite, in {key}\)"):
            open_it(path)


def test_a_directory_that_claims_50_gb(whole: Path, tmp_path: Path) -> None:
    """The size of a part as it is in the directory at the end of the archive, which zipfile and torch believe."""
    data = bytearray((whole / "vae.distill").read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 20 : at + 28] = (0xFFFF_FFF0).to_bytes(4, "little") * 2
    path = tmp_path / "bomb.distill"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=r"bomb\.distill .*(claims|overlap)"):
        open_model(path)


class _Payload:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def test_a_command_in_a_file_is_not_run_by_any_way_in(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proof = tmp_path / "proof"
    payload = _Payload(f"touch '{proof}'")
    model = changed(whole / "vae.distill", tmp_path / "evil.distill", metadata__name=payload)
    checkpoint = changed(whole / "vae.pt", tmp_path / "evil.pt", training_state=payload)
    bare = tmp_path / "bare.distill"
    bare.write_bytes(pickle.dumps(payload))
    for path in (model, bare):
        with pytest.raises(DistillError, match="not a model file of Distill"):
            open_model(path)
        for words in (["sample", str(path)], ["models", "import", str(path)], ["models", "list"]):
            main(words)
    with pytest.raises(CheckpointError, match="program code"):
        read_archive(checkpoint, "checkpoint", CheckpointError)
    with pytest.raises(CheckpointError, match="program code"):
        save_model_from_checkpoint(checkpoint, ModelMetadata(), tmp_path / "out.distill")
    assert not proof.exists()
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("hostile", ["command", "gigabytes"])
def test_resuming_a_strangers_run(
    whole: Path, sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], made: _Sizes, hostile: str
) -> None:
    """Nothing in its checkpoint is run, and no network is built that its weights do not fill."""
    run, proof = tmp_path / "run", tmp_path / "proof"
    (run / "checkpoints").mkdir(parents=True)
    config, target = SMALL[1], run / "checkpoints" / "checkpoint_epoch0003.pt"
    if hostile == "command":
        changed(whole / "vqvae.pt", target, training_state=_Payload(f"touch '{proof}'"))
    else:
        config = replace(config, codebook_size=65_536, codebook_dim=1024)
        changed(whole / "vqvae.pt", target, training_config=config.to_dict())
    RunRecord(config, sorted(sounds.iterdir())).save(run)
    before = target.read_bytes()
    assert main(["resume", str(run), "--json"]) == 1
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert ("can be read" if hostile == "command" else "of another size") in told
    assert target.read_bytes() == before
    assert made.largest < 10_000_000
    assert not proof.exists()


@pytest.mark.parametrize("name", ["vae.distill", "vqvae.distill"])
@pytest.mark.parametrize("value", [1e38, 1e14])
def test_finite_but_absurd_weights_are_refused(whole: Path, tmp_path: Path, name: str, value: float) -> None:
    data = torch.load(whole / name, weights_only=True)
    for tensor in data["model_state_dict"].values():
        if tensor.is_floating_point() and tensor.ndim > 1:
            tensor.fill_(value)
    path = tmp_path / name
    torch.save(data, path)
    with pytest.raises(ModelFileError, match=rf"^{name} is damaged: [^\n]*$"):
        open_model(path)
