"""The epoch functions that a script calls in a loop of its own."""

import threading
from typing import Any

import pytest
import torch

from distill.audio import AudioSpectrogram
from distill.models import ConvVAE, ConvVQVAE
from distill.training import train_epoch, train_vqvae_epoch, validate_vqvae_epoch


def test_a_vqvae_epoch_returns_the_last_health_that_was_measured() -> None:
    model = ConvVQVAE(codebook_dim=8, codebook_size=4, num_quantizers=2)
    optimizer = torch.optim.AdamW(model.parameters())
    batches = [torch.rand(2, 1, 128, 94) for _ in range(11)]
    events: list[Any] = []
    found = train_vqvae_epoch(model, batches, optimizer, AudioSpectrogram(), 0.25, "cpu", 1.0, events.append)
    assert set(found) == {"train_loss", "recon_loss", "commit_loss", "codebook_health"}
    assert set(found["codebook_health"]) == {"level_0", "level_1"}
    assert found["codebook_health"] == events[10].codebook_health
    short = train_vqvae_epoch(model, batches[:1], optimizer, AudioSpectrogram(), 0.25, "cpu", 1.0)
    assert short["codebook_health"] == {}


def test_a_network_of_the_other_kind() -> None:
    model, batches = ConvVAE(8), [torch.rand(2, 1, 128, 94)]
    optimizer = torch.optim.AdamW(model.parameters())
    with pytest.raises(ValueError, match=r"ConvVAE has no codebooks: use train_epoch and validate_epoch"):
        train_vqvae_epoch(model, batches, optimizer, AudioSpectrogram(), 0.25, "cpu", 1.0)
    with pytest.raises(ValueError, match=r"ConvVAE has no codebooks: use train_epoch and validate_epoch"):
        validate_vqvae_epoch(model, batches, AudioSpectrogram(), 0.25, "cpu")


def test_a_cancelled_epoch_has_all_its_keys() -> None:
    model, cancelled = ConvVQVAE(codebook_dim=8, codebook_size=4, num_quantizers=2), threading.Event()
    cancelled.set()
    found = train_vqvae_epoch(
        model, [torch.rand(2, 1, 128, 94)], torch.optim.AdamW(model.parameters()), AudioSpectrogram(), 0.25, "cpu",
        1.0, cancel_event=cancelled,
    )  # fmt: skip
    assert set(found) == {"train_loss", "recon_loss", "commit_loss", "codebook_health"}


def test_a_vae_epoch_is_as_before() -> None:
    model = ConvVAE(8)
    batches = [torch.rand(2, 1, 128, 94)]
    found = train_epoch(
        model, batches, torch.optim.AdamW(model.parameters()), AudioSpectrogram(), 0.1, torch.device("cpu"), 1.0
    )
    assert set(found) == {"train_loss", "recon_loss", "kl_loss"}
