"""The Complex VAE: its network, what each of its loss terms hears, and its quick layers."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from distill.audio import ComplexSpectrogram
from distill.config.presets_by_file_count import get_adaptive_complex_config
from distill.config.training import ComplexSpectrogramConfig, TrainingConfig
from distill.models.families.complex_vae_family import ComplexVAEFamily
from distill.models.losses import spectral_distance, weighted_error
from distill.models.vae import ConvVAE, Downsample, Upsample

CONFIG = TrainingConfig(family="complex_vae", network_width=4, latent_dim=8)


def sounds(count: int = 4) -> Tensor:
    """Decaying sines with some noise, ``[count, 1, 48000]``."""
    generator = torch.Generator().manual_seed(0)
    t = torch.arange(48_000) / 48_000
    pitch = 110 * 2 ** (4 * torch.rand(count, 1, generator=generator))
    noise = 0.01 * torch.randn(count, 48_000, generator=generator)
    return ((torch.sin(2 * torch.pi * pitch * t) + noise) * torch.exp(-4 * t))[:, None] * 0.9


def made(**changes: Any) -> tuple[ComplexVAEFamily, ConvVAE, Tensor]:
    family = ComplexVAEFamily(replace(CONFIG, **changes))
    features = family.features(sounds())
    torch.manual_seed(0)
    model = family.build()
    family.fit_statistics(model, features)
    return family, model.eval(), features


def test_the_default_network_is_that_of_the_contract() -> None:
    network = ComplexVAEFamily(TrainingConfig(family="complex_vae")).build()
    assert (network.latent_dim, network.in_channels, network.input_shape) == (128, 2, (128, 94))
    assert network.channels == (64, 128, 256, 512, 1024)


def test_the_network_for_fewer_sounds_is_half_as_wide() -> None:
    widths = {files: get_adaptive_complex_config(files).network_width for files in (8, 199, 200)}
    assert widths == {8: 32, 199: 32, 200: 64}


def test_other_settings_make_another_network_and_features_that_fit_it() -> None:
    settings = ComplexSpectrogramConfig(n_fft=1024, hop_length=256, n_mels=64)
    family, model, features = made(complex_spectrogram=settings, chunk_duration_s=1.0)
    assert features.shape == (4, 2, 64, 188)
    recon, _, _ = model(features)
    assert recon.shape == features.shape
    assert family.to_waveform(recon, 48_000).shape == (4, 1, 48_000)


def test_statistics_are_of_each_channel() -> None:
    _, model, features = made()
    standard = model.standardize(features)
    spread = standard.square().mean((0, 2, 3)).sqrt()
    torch.testing.assert_close(spread, torch.tensor([1.0, 0.25]), rtol=1e-3, atol=0)
    torch.testing.assert_close(standard.mean((0, 3)), torch.zeros(2, 128), rtol=0, atol=1e-5)


def test_every_weight_of_the_settings_is_the_weight_of_a_term() -> None:
    family, model, features = made(
        magnitude_weight=2.0, frequency_weight=3.0, spectral_weight=5.0, kl_weight_max=7.0, kl_warmup_fraction=0.0
    )
    with torch.no_grad():
        terms = family.objective(model, features).terms
    assert family.weights(1.0) == {
        "magnitude_loss": 2.0, "frequency_loss": 3.0, "spectral_loss": 5.0, "kl_loss": 7.0,
    }  # fmt: skip
    assert set(terms) == set(family.weights(1.0))
    assert all(float(term) > 0 for term in terms.values())
    plain = {name: float(term) for name, term in terms.items()}
    expected = 2 * plain["magnitude_loss"] + 3 * plain["frequency_loss"] + 5 * plain["spectral_loss"]
    assert family.reconstruction(plain) == pytest.approx(expected)


@pytest.mark.parametrize(("channel", "hears"), [(0, {"magnitude_loss", "spectral_loss"}), (1, {"frequency_loss"})])
def test_each_term_hears_its_own_channel(channel: int, hears: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    family, model, features = made()

    def forward(x: Tensor) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]:
        wrong, none = x.clone(), torch.zeros(4, 8)
        wrong[:, channel] += 0.5
        return (wrong, none, none), (none, none)

    monkeypatch.setattr(model, "forward_with_posterior", forward)
    terms = family.objective(model, features).terms
    assert {name for name, term in terms.items() if float(term) > 1e-6 and name != "kl_loss"} == hears


def test_a_wrong_frequency_counts_where_it_is_loud() -> None:
    target, recon = torch.zeros(1, 3, 2), torch.zeros(1, 3, 2)
    weight = torch.tensor([1.0, 0.1, 0.0])[None, :, None].expand(1, 3, 2)
    errors = []
    for band in range(3):
        wrong = recon.clone()
        wrong[:, band] = 1.0
        errors.append(float(weighted_error(wrong, target, weight)))
    assert errors == pytest.approx([1 / 1.1, 0.1 / 1.1, 0.0])
    assert float(weighted_error(recon + 1, target, torch.zeros(1, 3, 2))) == 0  # silence asks for nothing


def test_the_spectral_distance_hears_lost_energy_more_than_misplaced_energy() -> None:
    generator = torch.Generator().manual_seed(1)
    target = torch.randn(2, 32, 32, generator=generator) * 0.5 - 2
    assert float(spectral_distance(target, target)) == 0
    blurred = target.mean((1, 2), keepdim=True).expand_as(target)
    shuffled = target.flip(2)
    same_energy = blurred + 0.5 * ((10 ** (2 * target)).mean() / (10 ** (2 * blurred)).mean()).log10()
    assert float(spectral_distance(blurred, target)) > float(spectral_distance(same_energy, target))
    fine = spectral_distance(shuffled, target, scales=(1,))
    coarse = spectral_distance(shuffled, target, scales=(8,))
    assert float(coarse) < 0.5 * float(fine)
    target.requires_grad_()
    spectral_distance(target, torch.full_like(target, -9.0)).backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(target.grad).all()  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("grid", [(8, 6), (2, 2), (128, 96)])
def test_quick_layers_are_the_convolutions_they_stand_for(grid: tuple[int, int], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    pairs: list[tuple[nn.Module, nn.Module, Tensor]] = [
        (Downsample(6, 10), nn.Conv2d(6, 10, 4, stride=2, padding=1), torch.randn(3, 6, *grid)),
        (
            Upsample(6, 10),
            nn.ConvTranspose2d(6, 10, 4, stride=2, padding=1),
            torch.randn(3, 6, grid[0] // 2, grid[1] // 2),
        ),
    ]
    rtol, atol = (1e-4, 1e-5) if dtype is torch.float32 else (0.05, 0.05)
    for quick, plain, x in pairs:
        plain.load_state_dict(quick.state_dict())
        results = []
        for layer in (quick, plain):
            source = x.clone().requires_grad_()
            with torch.autocast("cpu", dtype, enabled=dtype is not torch.float32):
                y = layer(source)
            y.float().square().mean().backward()
            results.append((y.float(), source.grad, *(p.grad for p in layer.parameters())))
            layer.zero_grad()
        for ours, theirs in zip(*results, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=rtol, atol=atol)


def test_a_sound_keeps_its_pitch_through_the_latent() -> None:
    family, model, features = made()
    representation = ComplexSpectrogram()
    wave = family.to_waveform(family.reconstruct(model, features), 48_000)
    for original, copy in zip(sounds(), wave, strict=True):
        spectra = [torch.fft.rfft(sound[0, 4000:28_000], 1 << 17).abs() for sound in (original, copy)]
        wanted, found = (float(s.argmax()) for s in spectra)
        assert abs(found / wanted - 1) < 0.01
    assert representation.config == family.spectrogram_config
