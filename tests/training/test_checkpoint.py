"""Checkpoints: whole or not at all, few, and loaded only if all of them fits."""

import copy
import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler

from distill.audio import SpectrogramConfig
from distill.errors import CheckpointError
from distill.runs.checkpoint_folder import drop_later_checkpoints, sidecar_of
from distill.training import (
    CHECKPOINT_VERSION,
    MetricsHistory,
    OverfittingPreset,
    TrainingConfig,
    get_best_checkpoint,
    list_checkpoints,
    load_checkpoint,
    load_vqvae_checkpoint,
    manage_checkpoints,
    save_checkpoint,
    save_vqvae_checkpoint,
)
from distill.training import checkpoint as checkpoint_module
from distill.training.save_progress import SAVE_SECONDS, is_save_due, save_progress
from distill.training.steps.learning_rate_schedule import CosineFactor

Trio = tuple[nn.Module, Optimizer, LRScheduler]


def trio(seed: int = 0, width: int = 4, steps: int = 3) -> Trio:
    """A network, an AdamW and a schedule that have taken a few steps."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, width), nn.BatchNorm1d(width))
    optimizer = AdamW(model.parameters(), lr=0.1)
    scheduler = LambdaLR(optimizer, CosineFactor.of_run(20))
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(5, 6)).square().sum().backward()
        optimizer.step()
        scheduler.step()
    return model, optimizer, scheduler


def states(*parts: Any) -> list[Any]:
    return [copy.deepcopy(part.state_dict()) for part in parts]


def same(one: Any, other: Any) -> bool:
    """Whether nested states are equal to the last bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def save(path: Path, parts: Trio, epoch: int = 7, val_loss: float | None = 0.5, **more: Any) -> Path:
    return save_checkpoint(
        path, *parts, epoch, 123, 0.25, val_loss, 1e-3, TrainingConfig(), SpectrogramConfig(),
        MetricsHistory().to_dict(), **more,
    )  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return save(tmp_path / "run" / "checkpoints" / "checkpoint_epoch0007.pt", trio())


def edited(path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    data = torch.load(path, weights_only=True)
    torch.save(change(data) or data, path)
    return path


def put(*keys: Any, value: Any) -> Callable[[dict[str, Any]], Any]:
    def change(data: Any) -> None:
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value

    return change


class TestContents:
    def test_what_a_checkpoint_holds(self, path: Path) -> None:
        data = torch.load(path, weights_only=True)
        assert data["version"] == CHECKPOINT_VERSION
        assert (data["epoch"], data["step"], data["train_loss"], data["val_loss"]) == (7, 123, 0.25, 0.5)
        assert data["kl_weight"] == 1e-3
        assert data["training_config"] == TrainingConfig().to_dict()
        assert data["spectrogram_config"] == SpectrogramConfig().to_dict()
        assert MetricsHistory.from_dict(data["metrics_history"]) == MetricsHistory()
        assert {"model_state_dict", "optimizer_state_dict", "scheduler_state_dict"} <= data.keys()

    def test_the_sidecar_is_standard_json(self, path: Path) -> None:
        text = path.with_name("checkpoint_epoch0007.meta.json").read_text()
        assert json.loads(text) == {"epoch": 7, "train_loss": 0.25, "val_loss": 0.5}

    @pytest.mark.parametrize("state", [{"epoch_completed": False}, {"epoch_completed": False, "step_in_epoch": "x"}])
    def test_a_state_of_somebody_else_needs_no_step(self, tmp_path: Path, state: dict[str, Any]) -> None:
        """The sidecar was refused after the checkpoint was written, and a list of checkpoints failed at it."""
        path = save(tmp_path / "checkpoint_epoch0007.pt", trio(), training_state=state)
        sidecar_of(path).unlink()
        assert [facts["epoch"] for facts in list_checkpoints(tmp_path)] == [7]

    def test_configurations_may_be_dicts(self, tmp_path: Path) -> None:
        target = tmp_path / "a.pt"
        save_checkpoint(target, *trio(), 0, 0, None, None, 0.0, {"family": "vae"}, {"n_fft": 64}, {})
        data = load_checkpoint(target, trio()[0])
        assert data["training_config"] == {"family": "vae"}
        assert data["train_loss"] is None

    def test_later_training_does_not_change_a_snapshot(self) -> None:
        model, optimizer, scheduler = trio()
        data = checkpoint_module.make_checkpoint(
            model,
            optimizer,
            scheduler,
            0,
            0,
            None,
            None,
            TrainingConfig(),
            SpectrogramConfig(),
            {},
            {"a": torch.ones(2)},
        )
        before = copy.deepcopy(data)
        model(torch.randn(5, 6)).sum().backward()
        optimizer.step()
        scheduler.step()
        assert same(before, data)
        assert not same(data["model_state_dict"], dict(model.state_dict()))


class TestLoading:
    def test_all_of_it_comes_back(self, path: Path) -> None:
        source, target = trio(), trio(seed=5, steps=1)
        load_checkpoint(path, *target)
        assert all(map(same, states(*source), states(*target)))
        torch.manual_seed(1)
        rates = []
        for model, optimizer, scheduler in (source, target):
            torch.manual_seed(1)
            optimizer.zero_grad()
            model(torch.randn(5, 6)).sum().backward()
            optimizer.step()
            scheduler.step()
            rates.append(scheduler.get_last_lr())
        assert all(map(same, states(*source), states(*target)))
        assert rates[0] == rates[1]

    def test_the_model_alone(self, path: Path) -> None:
        model, optimizer, scheduler = trio(seed=5)
        before = states(optimizer, scheduler)
        load_checkpoint(path, model)
        assert same(model.state_dict(), trio()[0].state_dict())
        assert all(map(same, before, states(optimizer, scheduler)))

    @pytest.mark.parametrize(
        ("damage", "words"),
        [
            (lambda p: p.unlink(), "There is no checkpoint"),
            (lambda p: p.write_bytes(b""), "empty"),
            (lambda p: p.write_bytes(p.read_bytes()[:-200]), "truncated"),
            (lambda p: p.write_bytes(b"RIFF....WAVE"), "not a checkpoint"),
            (lambda p: torch.save({"weights": torch.ones(2)}, p), "not a checkpoint"),
            (lambda p: edited(p, put("version", value=99)), "newer version"),
            (lambda p: edited(p, put("version", value="x")), "not a checkpoint"),
            (lambda p: edited(p, put("epoch", value="7")), "damaged"),
            (lambda p: edited(p, put("epoch", value=-1)), "damaged"),
            (lambda p: edited(p, put("training_state", value=[1])), "damaged"),
            (lambda p: edited(p, lambda d: d.pop("optimizer_state_dict") and d), "not a checkpoint"),
            (lambda p: edited(p, put("model_state_dict", value={})), "another kind of network"),
            (lambda p: edited(p, put("model_state_dict", "0.bias", value=torch.ones(9))), "another size"),
            (lambda p: edited(p, put("optimizer_state_dict", value={})), "does not fit"),
            (lambda p: edited(p, put("optimizer_state_dict", value=None)), "does not fit"),
            (
                lambda p: edited(p, put("optimizer_state_dict", "state", 0, "exp_avg", value=torch.ones(9))),
                "does not fit",
            ),
            (
                lambda p: edited(
                    p, put("optimizer_state_dict", "state", 0, "exp_avg", value=torch.zeros(1).int().expand(10**12))
                ),
                "does not fit",
            ),
            (lambda p: edited(p, put("scheduler_state_dict", value={"last_epoch": 3})), "does not fit"),
            (lambda p: save(p, trio(width=5)), "another size"),
        ],
    )
    def test_what_does_not_fit_changes_nothing(self, path: Path, damage: Callable[[Path], Any], words: str) -> None:
        damage(path)
        target = trio(seed=5)
        before = states(*target)
        with pytest.raises(CheckpointError, match=words) as caught:
            load_checkpoint(path, *target)
        assert isinstance(caught.value, ValueError)
        assert path.name in str(caught.value)
        assert all(map(same, before, states(*target)))

    @pytest.mark.parametrize(
        "other",
        [
            lambda model: SGD(model.parameters(), lr=0.1, momentum=0.9),
            lambda model: AdamW([model[0].weight], lr=0.1),
            lambda model: AdamW([{"params": [p]} for p in model.parameters()], lr=0.1),
        ],
    )
    def test_another_optimizer_is_refused(self, path: Path, other: Callable[[Any], Optimizer]) -> None:
        model = trio(seed=5)[0]
        optimizer = other(model)
        before = states(model, optimizer)
        with pytest.raises(CheckpointError, match="does not fit"):
            load_checkpoint(path, model, optimizer)
        assert all(map(same, before, states(model, optimizer)))
        model(torch.randn(5, 6)).sum().backward()
        optimizer.step()  # and it still works

    def test_another_schedule_is_refused(self, path: Path) -> None:
        model, optimizer, _ = trio(seed=5)
        scheduler = CosineAnnealingLR(optimizer, 10)
        before = states(model, optimizer, scheduler)
        with pytest.raises(CheckpointError, match="does not fit"):
            load_checkpoint(path, model, optimizer, scheduler)
        assert all(map(same, before, states(model, optimizer, scheduler)))


class TestWriting:
    def test_a_full_disk_leaves_the_old_checkpoint(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        before = path.read_bytes()

        def full(data: Any, file: Any) -> None:
            file.write(b"half")
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(torch, "save", full)
            with pytest.raises(OSError, match="No space"):
                save(path, trio(seed=9))
        assert path.read_bytes() == before
        assert [f["epoch"] for f in list_checkpoints(path.parent)] == [7]
        assert sorted(p.name for p in path.parent.iterdir()) == ["checkpoint_epoch0007.meta.json", path.name]

    def test_a_crash_between_checkpoint_and_sidecar(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The old sidecar must never stand beside the new checkpoint."""

        def crash(target: Path, data: Any) -> None:
            raise SystemExit

        with monkeypatch.context() as patch:
            patch.setattr(checkpoint_module, "write_json", crash)
            with pytest.raises(SystemExit):
                save(path, trio(seed=9), val_loss=0.125)
        assert list_checkpoints(path.parent)[0]["val_loss"] == 0.125

    @pytest.mark.parametrize("loss", [math.nan, math.inf, None])
    def test_a_loss_that_is_no_number_is_null(self, tmp_path: Path, loss: float | None) -> None:
        save(tmp_path / "checkpoint_epoch0000.pt", trio(), epoch=0, val_loss=loss)
        assert list_checkpoints(tmp_path)[0]["val_loss"] is None
        assert "NaN" not in (tmp_path / "checkpoint_epoch0000.meta.json").read_text()
        assert get_best_checkpoint(tmp_path) is None


class TestListing:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for epoch, loss in ((0, 3.0), (1, 1.0), (2, 1.5), (3, 2.0), (4, 1.75), (5, None)):
            save(tmp_path / f"checkpoint_epoch{epoch:04d}.pt", trio(steps=1), epoch, loss)
        return tmp_path

    def test_by_epoch(self, folder: Path) -> None:
        listed = list_checkpoints(folder)
        assert [f["epoch"] for f in listed] == [0, 1, 2, 3, 4, 5]
        assert set(listed[0]) == {"path", "epoch", "train_loss", "val_loss"}
        assert Path(listed[1]["path"]).name == "checkpoint_epoch0001.pt"
        assert listed[5]["val_loss"] is None

    def test_only_sidecars_are_read(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def read(*args: Any) -> None:
            raise AssertionError("a checkpoint was opened")

        monkeypatch.setattr(checkpoint_module, "read_checkpoint", read)
        assert len(list_checkpoints(folder)) == 6
        assert get_best_checkpoint(folder) == folder / "checkpoint_epoch0001.pt"

    @pytest.mark.parametrize(
        "content", [None, "", "{", "[]", "{}", '{"epoch": 2, "train_loss": NaN, "val_loss": 1.0}',
                    '{"epoch": "2", "train_loss": 1.0, "val_loss": 1.0}',
                    '{"epoch": 2, "train_loss": 1, "val_loss": "x"}'],
    )  # fmt: skip
    def test_a_sidecar_is_made_again(self, folder: Path, content: str | None) -> None:
        sidecar = folder / "checkpoint_epoch0002.meta.json"
        good = sidecar.read_text()
        sidecar.unlink()
        if content is not None:
            sidecar.write_text(content)
        assert [f["val_loss"] for f in list_checkpoints(folder)][2] == 1.5
        assert sidecar.read_text() == good

    def test_a_damaged_checkpoint_without_sidecar_is_left_out(self, folder: Path) -> None:
        (folder / "checkpoint_epoch0002.meta.json").unlink()
        (folder / "checkpoint_epoch0002.pt").write_bytes(b"PK\x03\x04 rubbish")
        assert [f["epoch"] for f in list_checkpoints(folder)] == [0, 1, 3, 4, 5]

    def test_the_best(self, folder: Path, tmp_path: Path) -> None:
        assert get_best_checkpoint(folder) == folder / "checkpoint_epoch0001.pt"
        assert get_best_checkpoint(tmp_path / "nothing") is None
        (tmp_path / "empty").mkdir()
        assert get_best_checkpoint(tmp_path / "empty") is None
        assert list_checkpoints(tmp_path / "nothing") == []

    def test_kept_are_the_three_newest_and_the_best(self, folder: Path) -> None:
        deleted = manage_checkpoints(folder)
        assert [p.name for p in deleted] == ["checkpoint_epoch0000.pt", "checkpoint_epoch0002.pt"]
        assert [f["epoch"] for f in list_checkpoints(folder)] == [1, 3, 4, 5]
        assert len(list(folder.iterdir())) == 8  # sidecars go with them
        assert manage_checkpoints(folder) == []

    @pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
    def test_nothing_is_deleted_behind_a_link(self, folder: Path, tmp_path: Path) -> None:
        link = tmp_path / "link"
        link.symlink_to(folder)
        before = sorted(folder.iterdir())
        assert manage_checkpoints(link, 1) == drop_later_checkpoints(link, 0) == []
        assert sorted(folder.iterdir()) == before

    def test_three_where_the_best_is_among_the_newest(self, folder: Path) -> None:
        save(folder / "checkpoint_epoch0004.pt", trio(), 4, 0.5)
        manage_checkpoints(folder)
        assert [f["epoch"] for f in list_checkpoints(folder)] == [3, 4, 5]

    def test_at_least_one_is_kept(self, folder: Path) -> None:
        with pytest.raises(ValueError, match="max_recent"):
            manage_checkpoints(folder, 0)
        manage_checkpoints(folder, 1)
        assert [f["epoch"] for f in list_checkpoints(folder)] == [1, 5]

    def test_a_readable_one_is_never_deleted_for_one_that_cannot_be_read(self, tmp_path: Path) -> None:
        parts = trio()
        for epoch in range(6):
            save(tmp_path / f"checkpoint_epoch{epoch:04d}.pt", parts, epoch, 1.0 - epoch * 0.1)
        for epoch in (3, 4, 5):  # their sidecars are as they were
            damaged = tmp_path / f"checkpoint_epoch{epoch:04d}.pt"
            damaged.write_bytes(damaged.read_bytes()[:-100])
        assert manage_checkpoints(tmp_path, 3) == []
        assert all(load_checkpoint(tmp_path / f"checkpoint_epoch{epoch:04d}.pt", trio()[0]) for epoch in range(3))
        save(tmp_path / "checkpoint_epoch0006.pt", parts, 6, 2.0)
        assert [p.name for p in manage_checkpoints(tmp_path, 3)] == ["checkpoint_epoch0000.pt"]


class TestWhatCallersHandOver:
    """Every writer is followed by its reader."""

    @pytest.mark.parametrize("number", [0.5, np.float32(0.5), np.float64(0.5), np.array(0.5), torch.tensor(0.5)])
    def test_numbers(self, tmp_path: Path, number: Any) -> None:
        save(tmp_path / "a.pt", trio(), val_loss=number if not isinstance(number, torch.Tensor) else number.item())
        assert load_checkpoint(tmp_path / "a.pt", trio()[0])["val_loss"] == 0.5

    def test_nested_values(self, tmp_path: Path) -> None:
        health = {"level_0": {"utilization": np.float32(0.5), "dead_codes": np.int64(3)}}
        config = {
            "preset": OverfittingPreset.BALANCED,
            "sizes": np.arange(3),
            "folder": Path("a"),
            "pair": (np.bool_(True),),
        }
        save_vqvae_checkpoint(
            tmp_path / "a.pt",
            *trio(),
            np.int64(0),  # type: ignore[arg-type]
            0,
            np.float64(1),
            None,
            0.25,
            health,
            config,
            SpectrogramConfig(),
            {},
        )
        data = load_vqvae_checkpoint(tmp_path / "a.pt", trio()[0])
        assert data["codebook_health"] == {"level_0": {"utilization": 0.5, "dead_codes": 3}}
        assert data["training_config"] == {"preset": "balanced", "sizes": [0, 1, 2], "folder": "a", "pair": (True,)}
        assert type(data["training_config"]["preset"]) is str
        assert type(data["epoch"]) is int

    @pytest.mark.parametrize("value", [object(), {1, 2}, lambda: None, {("a", "b"): 1}])
    def test_what_cannot_be_stored_is_refused_before_anything_is_written(self, path: Path, value: Any) -> None:
        before = {p.name: p.read_bytes() for p in path.parent.iterdir()}
        with pytest.raises(TypeError, match="training_config, odd"):
            save_checkpoint(path, *trio(), 7, 0, None, None, 0.0, {"odd": value}, {}, {})
        assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == before


def test_a_process_that_writes_nothing_is_not_asked_to_save_before_each_batch() -> None:
    """Of several processes the first one writes; the others would read the losses from the device for nothing."""
    run: Any = SimpleNamespace(ranks=SimpleNamespace(is_first=False), saved_time=time.perf_counter() - 2 * SAVE_SECONDS)
    assert is_save_due(run)
    assert save_progress(run) == {}
    assert not is_save_due(run)


@pytest.mark.parametrize("layouts", [(torch.channels_last, torch.contiguous_format), (torch.contiguous_format,) * 2])
def test_moments_follow_the_weights_into_another_memory_layout(
    path: Path, layouts: tuple[torch.memory_format, torch.memory_format]
) -> None:
    """The fused update walks through weights and moments as they lie in memory."""

    def begin(layout: torch.memory_format) -> Trio:
        torch.manual_seed(0)
        model = nn.Conv2d(3, 4, 3).to(memory_format=layout)  # type: ignore[call-overload]
        optimizer = AdamW(model.parameters(), lr=0.1, fused=True)
        return model, optimizer, LambdaLR(optimizer, CosineFactor.of_run(20))

    def step(parts: Trio, number: int) -> None:
        generator = torch.Generator().manual_seed(number)
        for parameter in parts[0].parameters():
            gradient = torch.randn(parameter.shape, generator=generator)
            parameter.grad = torch.empty_like(parameter).copy_(gradient)
        parts[1].step()
        parts[2].step()

    stopped, undisturbed, resumed = begin(layouts[0]), begin(layouts[1]), begin(layouts[1])
    for number in range(3):
        step(stopped, number)
        step(undisturbed, number)
    load_checkpoint(save(path, stopped), *resumed)
    for parameter in resumed[0].parameters():
        assert resumed[1].state[parameter]["exp_avg"].stride() == parameter.stride()
    step(undisturbed, 3)
    step(resumed, 3)
    for one, other in zip(resumed[0].parameters(), undisturbed[0].parameters(), strict=True):
        torch.testing.assert_close(one, other)
    if layouts[0] == layouts[1]:
        assert same(states(*resumed), states(*undisturbed))
