"""Frames in rows give what torch's transforms give, and known samples stay."""

import pytest
import torch

from distill.audio.griffin_lim import KnownSamples, recover_phases
from distill.audio.stft_and_mel import Frames, Transform
from distill.config.spectrogram import SpectrogramConfig


@pytest.mark.parametrize(("n_fft", "hop", "samples"), [(2048, 512, 48_000), (512, 200, 9_000), (2048, 512, 700)])
def test_frames_are_those_of_torch(n_fft: int, hop: int, samples: int) -> None:
    """Also where the hop does not divide the window, and for a sound shorter than a window."""
    transform = Transform(SpectrogramConfig(n_fft=n_fft, hop_length=hop))
    signals = torch.randn(2, samples, generator=torch.Generator().manual_seed(0))
    expected = transform.stft(signals) / transform.scale
    frames = Frames(torch.hann_window(n_fft), hop, expected.shape[-1], samples)
    torch.testing.assert_close(frames.spectrum(signals), expected.transpose(1, 2), rtol=1e-4, atol=1e-3)
    back = frames.signals(frames.spectrum(signals))
    torch.testing.assert_close(back[:, 1:-1], transform.istft(expected * transform.scale, samples)[:, 1:-1], rtol=1e-4, atol=1e-4)  # fmt: skip  # noqa: E501
    if samples > n_fft:
        reached = (expected.shape[-1] - 1) * hop
        torch.testing.assert_close(back[:, :reached], signals[:, :reached], rtol=1e-4, atol=1e-4)


def test_known_samples_stay_and_the_rest_is_fitted_to_them() -> None:
    samples = 24_000
    tone = torch.sin(2 * torch.pi * 440 * torch.arange(samples) / 48_000)
    frames = Frames(torch.hann_window(2048), 512, 47, samples)
    magnitude = frames.spectrum(tone[None]).abs()
    share = (torch.arange(samples) < 12_000).float()
    start = torch.polar(torch.ones(47, 1025), torch.rand(47, 1025, generator=torch.Generator().manual_seed(0)) * 6)
    free = recover_phases(frames, magnitude, start, 32)[0]
    fitted = recover_phases(frames, magnitude, start, 32, KnownSamples(tone, share))[0]
    assert torch.equal(fitted[:12_000], tone[:12_000])
    after = slice(12_000, 12_200)  # goes on in phase, which the magnitudes alone do not say
    assert float((fitted - tone)[after].abs().mean()) < 0.5 * float((free - tone)[after].abs().mean())
