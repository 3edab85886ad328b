"""What the design documents' own verification scripts do, as a user would write them: with public names only."""

import dataclasses
import json
import math
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import distill.training
from distill.audio import AudioSpectrogram, SpectrogramConfig
from distill.models import (
    ConvVAE,
    ConvVQVAE,
    ModelEntry,
    ModelLibrary,
    compute_kl_divergence,
    get_kl_weight,
    load_model,
    load_model_v2,
    save_model_v2,
    vae_loss,
    vqvae_loss,
)
from distill.training import (
    CHECKPOINT_VERSION,
    EpochMetrics,
    MetricsHistory,
    OverfittingPreset,
    PreviewEvent,
    RegularizationConfig,
    StepMetrics,
    TrainingCompleteEvent,
    TrainingConfig,
    TrainingRunner,
    VQVAEConfig,
    generate_preview,
    generate_reconstruction_preview,
    generate_vqvae_reconstruction_preview,
    get_adaptive_config,
    get_adaptive_vqvae_config,
    get_best_checkpoint,
    list_checkpoints,
    list_previews,
    load_checkpoint,
    manage_checkpoints,
    save_checkpoint,
    train,
    train_vqvae,
)

Parts = tuple[ConvVAE, torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]

#: The regularization of the scripts: no augmentation.
PLAIN = RegularizationConfig(dropout=0.1, weight_decay=0.01, augmentation_expansion=0, gradient_clip_norm=1.0)


@pytest.fixture(scope="module")
def model() -> ConvVAE:
    torch.manual_seed(0)
    return ConvVAE(latent_dim=64)


@pytest.fixture
def parts(model: ConvVAE) -> Parts:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    return model, optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100)


@pytest.fixture
def noises(tmp_path: Path) -> list[Path]:
    """Six files of one second of noise."""
    folder = tmp_path / "noises"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(6):
        soundfile.write(folder / f"t{number}.wav", (rng.standard_normal(48_000) * 0.1).astype(np.float32), 48_000)
    return sorted(folder.glob("*.wav"))


def save(parts: Parts, path: Path, epoch: int, val_loss: Any, **changes: Any) -> Path:
    model, optimizer, scheduler = parts
    fields: dict[str, Any] = {
        "step": epoch * 10, "train_loss": 0.5, "kl_weight": 0.5, "training_config": {"lr": 1e-3},
        "spectrogram_config": {"n_mels": 128}, "metrics_history_dict": {"step_metrics": [], "epoch_metrics": []},
    }  # fmt: skip
    return save_checkpoint(
        path=path, model=model, optimizer=optimizer, scheduler=scheduler, epoch=epoch, val_loss=val_loss,
        **(fields | changes),
    )  # fmt: skip


class TestModel:
    def test_shapes_and_losses(self, model: ConvVAE) -> None:
        x = torch.rand(2, 1, 128, 94)
        recon, mu, logvar = model(x)
        assert recon.shape == x.shape
        assert mu.shape == (2, 64)
        assert 1.5e6 < sum(p.numel() for p in model.parameters()) < 6e6
        assert model.sample(3, torch.device("cpu")).shape == (3, 1, 128, 94)
        total, _, _ = vae_loss(recon, x, mu, logvar, kl_weight=0.5, free_bits=0.1)
        assert torch.isfinite(total)
        assert compute_kl_divergence(mu, logvar) >= 0
        assert get_kl_weight(0, 100, 0.3) == 0
        assert get_kl_weight(99, 100, 0.3) == pytest.approx(get_kl_weight(50, 100, 0.3))

    def test_the_commitment_weight_has_a_default(self) -> None:
        from distill.models import losses, vqvae

        mel, commit = torch.rand(2, 1, 32, 32), torch.tensor(4.0)
        assert vqvae_loss(mel, mel, commit)[2] == 0.25 * 4.0
        assert losses.vqvae_loss is vqvae.vqvae_loss is vqvae_loss

    def test_names_can_be_imported_from_where_the_documents_say(self) -> None:
        from distill.audio import complex_spectrogram, spectrogram
        from distill.library import model_library

        assert spectrogram.ComplexSpectrogram is complex_spectrogram.ComplexSpectrogram
        assert (ModelLibrary, ModelEntry) == (model_library.ModelLibrary, model_library.ModelEntry)


class TestCheckpoints:
    def test_list_best_and_retention(self, parts: Parts, tmp_path: Path) -> None:
        for epoch in range(5):
            val_loss = 0.05 if epoch == 1 else 1.0 - epoch * 0.1 if epoch < 3 else 1.0 + epoch * 0.1
            save(parts, tmp_path / f"checkpoint_epoch{epoch:04d}.pt", epoch, val_loss)
        assert len(list_checkpoints(checkpoint_dir=tmp_path)) == 5
        best = get_best_checkpoint(checkpoint_dir=tmp_path)
        assert best is not None
        assert best.name == "checkpoint_epoch0001.pt"
        assert [p.name for p in manage_checkpoints(checkpoint_dir=tmp_path, max_recent=3)] == [
            "checkpoint_epoch0000.pt"
        ]
        assert [c["epoch"] for c in list_checkpoints(tmp_path)] == [1, 2, 3, 4]
        assert load_checkpoint(best, *parts)["version"] == CHECKPOINT_VERSION

    def test_a_truncated_one_changes_nothing(self, parts: Parts, tmp_path: Path) -> None:
        path = save(parts, tmp_path / "checkpoint_epoch0004.pt", 4, 1.0)
        path.write_bytes(path.read_bytes()[:5000])
        before = [p.clone() for p in parts[0].parameters()]
        with pytest.raises(ValueError, match="checkpoint_epoch0004"):
            load_checkpoint(path, *parts)
        assert all(torch.equal(a, b) for a, b in zip(before, parts[0].parameters(), strict=True))

    def test_what_is_saved_can_be_loaded(self, parts: Parts, tmp_path: Path) -> None:
        path = save(
            parts, tmp_path / "checkpoint_epoch0000.pt", 0, np.float32(0.4), train_loss=np.float64(0.5),
            training_config=dataclasses.asdict(TrainingConfig()),
            spectrogram_config=dataclasses.asdict(SpectrogramConfig()),
            metrics_history_dict=MetricsHistory().to_dict(),
        )  # fmt: skip
        data = load_checkpoint(path, *parts)
        assert data["training_config"]["preset"] == "balanced"
        assert type(data["training_config"]["preset"]) is str
        assert data["train_loss"] == 0.5


class TestPreviews:
    def test_samples(self, model: ConvVAE, tmp_path: Path) -> None:
        spectrogram, cpu = AudioSpectrogram(), torch.device("cpu")
        (first,) = generate_preview(model, spectrogram, tmp_path, epoch=5, device=cpu, num_samples=1)
        generate_preview(model, spectrogram, tmp_path, epoch=10, device=cpu, num_samples=2)
        assert [p["epoch"] for p in list_previews(preview_dir=tmp_path)] == [5, 10, 10]
        assert first.name == "preview_epoch0005_00.wav"
        info = soundfile.info(str(first))
        assert (info.samplerate, info.subtype) == (48_000, "PCM_16")

    @pytest.mark.parametrize("kind", ["waveforms", "features"])
    def test_pairs_of_waveforms_or_features(self, model: ConvVAE, tmp_path: Path, kind: str) -> None:
        spectrogram = AudioSpectrogram()
        batch = torch.randn(3, 1, 48_000) * 0.1
        if kind == "features":
            batch = spectrogram.waveform_to_mel(batch)
        paths = generate_reconstruction_preview(
            model=model, spectrogram=spectrogram, output_dir=tmp_path, epoch=1, device=torch.device("cpu"),
            sample_batch=batch, sample_rate=48_000,
        )  # fmt: skip
        assert [p.name for p in paths] == [
            f"recon_epoch0001_{part}_{number:02d}.wav" for number in (0, 1) for part in ("orig", "recon")
        ]
        assert all(soundfile.info(str(p)).frames > 40_000 for p in paths)

    def test_pairs_of_a_vqvae(self, tmp_path: Path) -> None:
        network = ConvVQVAE(codebook_dim=8, codebook_size=4, num_quantizers=2)
        sounds = torch.randn(1, 1, 48_000) * 0.1
        paths = generate_vqvae_reconstruction_preview(
            network, AudioSpectrogram(), tmp_path, 0, torch.device("cpu"), sample_batch=sounds
        )
        assert len(paths) == 2


class TestTraining:
    def test_a_short_run(self, noises: list[Path], tmp_path: Path) -> None:
        config = TrainingConfig(
            latent_dim=16, batch_size=4, max_epochs=3, learning_rate=1e-3, checkpoint_interval=2, preview_interval=2,
            preview_interval_short=1, regularization=PLAIN,
        )  # fmt: skip
        events: list[Any] = []
        result = train(
            config=config, file_paths=noises, output_dir=tmp_path / "o", device=torch.device("cpu"),  # type: ignore[arg-type]
            callback=events.append,
        )  # fmt: skip
        assert sum(isinstance(e, EpochMetrics) for e in events) == 3
        assert any(isinstance(e, StepMetrics) for e in events)
        assert any(isinstance(e, PreviewEvent) for e in events)
        assert isinstance(events[-1], TrainingCompleteEvent)
        assert {"model", "metrics_history", "output_dir", "best_checkpoint_path"} <= set(result)
        assert list((tmp_path / "o/checkpoints").glob("*.pt"))
        assert list((tmp_path / "o/previews").glob("*.wav"))
        text = json.dumps(result["metrics_history"].to_dict(), allow_nan=False)
        assert MetricsHistory.from_dict(json.loads(text)) == result["metrics_history"]
        for path in (tmp_path / "o").rglob("*.json"):
            json.loads(path.read_text(), parse_constant=pytest.fail)
        steps = [e for e in events if isinstance(e, StepMetrics)]
        assert steps[0].total_steps == math.ceil(5 / 4)  # one file is held out, and nothing is augmented

    def test_a_run_in_the_background_is_cancelled(self, noises: list[Path], tmp_path: Path) -> None:
        config = TrainingConfig(
            latent_dim=16, batch_size=4, max_epochs=400, checkpoint_interval=5, preview_interval=500,
            regularization=PLAIN,
        )  # fmt: skip
        runner, events, stepped = TrainingRunner(), [], threading.Event()

        def watch(event: Any) -> None:
            events.append(event)
            if isinstance(event, StepMetrics):
                stepped.set()

        runner.start(config, noises, tmp_path / "o", torch.device("cpu"), callback=watch)  # type: ignore[arg-type]
        assert runner.is_running()
        with pytest.raises(RuntimeError):
            runner.start(config, [], tmp_path / "other", "cpu")
        assert stepped.wait(60)
        started = time.perf_counter()
        runner.cancel()
        assert time.perf_counter() - started < 0.2
        assert runner.wait(timeout=60)
        assert not runner.is_running()
        assert runner.last_error() is None
        assert list((tmp_path / "o/checkpoints").glob("*.pt"))
        assert isinstance(events[-1], TrainingCompleteEvent)

    def test_a_vqvae(self, noises: list[Path], tmp_path: Path) -> None:
        config = get_adaptive_vqvae_config(6)
        config.max_epochs, config.batch_size, config.regularization = 2, 4, PLAIN
        result = train_vqvae(config, noises, tmp_path / "o", "cpu")
        health = result["final_codebook_health"]
        assert set(health) == {"level_0", "level_1", "level_2"}
        as_numpy = {level: {name: np.float64(value) for name, value in h.items()} for level, h in health.items()}
        path = save_model_v2(
            result["model"], SpectrogramConfig(), config, None, load_model_v2(model_path=result["model_path"]).metadata,
            tmp_path / "library", codebook_health=as_numpy,
        )  # fmt: skip
        opened = load_model_v2(model_path=path)
        assert opened.vqvae_config["codebook_size"] == opened.vqvae_config.codebook_size == 64
        assert dict(opened.vqvae_config)["num_quantizers"] == opened.vqvae_config.get("num_quantizers") == 3
        assert "codebook_dim" in opened.vqvae_config
        assert opened.codebook_health == health
        with pytest.raises(ValueError, match="load_model_v2"):
            load_model(path)


class TestConfiguration:
    def test_presets_follow_the_number_of_files(self) -> None:
        assert get_adaptive_config(10).preset == OverfittingPreset.CONSERVATIVE
        assert get_adaptive_config(300).preset == OverfittingPreset.AGGRESSIVE

    def test_settings_are_changed_on_the_way(self) -> None:
        config = get_adaptive_config(6)
        config.max_epochs = 2
        assert config.max_epochs == 2
        with pytest.raises(ValueError, match="max_epochs"):
            config.max_epochs = 0
        assert config.max_epochs == 2

    @pytest.mark.parametrize("kind", [TrainingConfig, VQVAEConfig])
    def test_a_wrong_value_names_its_field(self, kind: Any) -> None:
        with pytest.raises(ValueError, match="batch_size"):
            kind(batch_size=0)
        with pytest.raises(ValueError, match="device"):
            kind(device="banana")

    def test_every_public_name_can_be_imported(self) -> None:
        for name in dir(distill.training):
            assert getattr(distill.training, name, None) is not None or name.startswith("_")
