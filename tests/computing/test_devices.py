"""Devices that models and checkpoints are opened on."""

from pathlib import Path

import pytest
import torch

from distill.errors import ConfigurationError
from distill.models import ConvVAE, open_model
from distill.training import load_checkpoint, save_checkpoint
from tests.support.models import write_untrained_model


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_untrained_model(tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize("device", ["tpu", "cuda:99"])
def test_a_device_that_is_not_there_is_no_damage(model_file: Path, tmp_path: Path, device: str) -> None:
    model = ConvVAE(8)
    optimizer = torch.optim.AdamW(model.parameters())
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    path = save_checkpoint(
        tmp_path / "checkpoint_epoch0000.pt", model, optimizer, scheduler, 0, 1, 0.5, 0.5, 0.1, {}, {}, {}
    )
    with pytest.raises(ConfigurationError, match=f"The device '{device}' cannot be used here"):
        load_checkpoint(path, model, device=device)
    with pytest.raises(ConfigurationError, match=f"The device '{device}' cannot be used here"):
        open_model(model_file, device)


def test_auto_is_a_device_for_models_as_for_runs(model_file: Path) -> None:
    assert open_model(model_file, "auto").device.type in ("cpu", "cuda", "mps")
