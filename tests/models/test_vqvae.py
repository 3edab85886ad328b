"""The residual-VQ autoencoder: shapes, codebooks as state, health, loss."""

import math

import pytest
import torch
from torch import Tensor

from distill.models import ConvVQVAE, vqvae_loss
from distill.models.vqvae import PATCH, PatchAxes


def features(count: int, seed: int = 0, frames: int = 94) -> Tensor:
    """Smooth random fields, unlike noise: what a codebook can learn."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, 1, 16, 12, generator=generator)
    return torch.nn.functional.interpolate(coarse, size=(128, frames), mode="bilinear") * 0.8 - 0.5


@pytest.fixture(scope="module")
def fitted() -> ConvVQVAE:
    torch.manual_seed(0)
    model = ConvVQVAE(codebook_size=32, num_quantizers=3)
    model.fit_statistics(features(40))
    return model.eval()


@pytest.mark.parametrize("levels", [2, 3, 4])
def test_shapes(levels: int) -> None:
    model = ConvVQVAE(codebook_size=16, num_quantizers=levels).train()
    mel = features(3)
    recon, indices, commit_loss = model(mel)
    assert recon.shape == mel.shape
    assert indices.shape == (3, 8 * 6, levels)
    assert commit_loss.shape == ()
    assert int(indices.min()) >= 0
    assert int(indices.max()) < 16


def test_other_lengths_are_padded_inside() -> None:
    model = ConvVQVAE(codebook_size=16, input_shape=(128, 188)).eval()
    assert model(features(2, frames=188))[0].shape == (2, 1, 128, 188)
    with pytest.raises(ValueError, match="shape"):
        model(features(2, frames=94))


@pytest.mark.parametrize("bad", [{"codebook_dim": 0}, {"num_quantizers": 0}, {"codebook_size": 1}])
def test_sizes_out_of_range_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        ConvVQVAE(**bad)  # type: ignore[arg-type]


def test_patch_axes_keep_what_they_describe() -> None:
    axes = PatchAxes(PATCH * PATCH)
    axes.fit(features(20, frames=96))
    mel = features(4, seed=1, frames=96)
    assert torch.allclose(axes.decode(axes.encode(mel)), mel, atol=1e-4)


def test_codes_alone_carry_the_sound(fitted: ConvVQVAE) -> None:
    mel = features(5, seed=3)
    with torch.no_grad():
        recon, indices, _ = fitted(mel)
        assert torch.equal(fitted.encode(mel), indices)
        assert torch.allclose(fitted.decode(indices), recon, atol=1e-5)
        untrained = (fitted.feature_mean - mel).abs().mean()
        assert (recon - mel).abs().mean() < 0.7 * untrained


def test_each_level_codes_what_the_last_left(fitted: ConvVQVAE) -> None:
    with torch.no_grad():
        tokens = fitted._tokens(fitted.standardize(features(5, seed=4)))
        _, indices, _ = fitted.quantizer(tokens)
        books = torch.stack([layer._codebook.embed[0] for layer in fitted.quantizer.codebooks.layers])
        left = tokens
        for level in range(3):
            nearest = torch.cdist(left, books[level][None]).argmin(-1)
            assert (nearest == indices[..., level]).float().mean() > 0.99
            left = left - books[level][indices[..., level]]


def test_eval_mode_changes_no_codebook(fitted: ConvVQVAE) -> None:
    before = {key: value.clone() for key, value in fitted.state_dict().items()}
    with torch.no_grad():
        one, other = fitted(features(4, seed=5)), fitted(features(4, seed=5))
    assert torch.equal(one[0], other[0])
    assert all(torch.equal(value, fitted.state_dict()[key]) for key, value in before.items())


def test_training_moves_codebooks_and_replaces_dead_entries() -> None:
    torch.manual_seed(0)
    model = ConvVQVAE(codebook_size=32, decay=0.5, threshold_ema_dead_code=1).train()
    model.fit_statistics(features(40))
    book = model.quantizer.codebooks.layers[0]._codebook
    with torch.no_grad():
        book.embed[0, 7] = 1e3  # an entry that nothing is near to
    for seed in range(8):
        model(features(8, seed=10 + seed))
    assert float(book.embed[0, 7].abs().max()) < 100


def test_commitment_loss_is_measured_in_both_modes(fitted: ConvVQVAE) -> None:
    mel = features(3, seed=6)
    with torch.no_grad():
        in_eval = float(fitted(mel)[2])
    assert in_eval > 0
    twin = ConvVQVAE(codebook_size=32, num_quantizers=3, dropout=0.0)
    twin.load_state_dict(fitted.state_dict())
    assert float(twin.train()(mel)[2].detach()) == pytest.approx(in_eval, rel=1e-4)


def test_health_of_known_codes(fitted: ConvVQVAE) -> None:
    uniform = torch.arange(32).repeat(3)
    single = torch.zeros_like(uniform)
    half = uniform % 16
    health = fitted.quantizer.get_codebook_utilization(torch.stack([uniform, single, half], -1)[None])
    assert health["level_0"] == {"utilization": 1.0, "perplexity": pytest.approx(32), "dead_codes": 0}
    assert health["level_1"] == {"utilization": 1 / 32, "perplexity": pytest.approx(1), "dead_codes": 31}
    assert health["level_2"] == {"utilization": 0.5, "perplexity": pytest.approx(16), "dead_codes": 16}


def test_loss_sums_its_weighted_terms() -> None:
    recon, mel = features(2), features(2, seed=1)
    total, recon_loss, weighted = vqvae_loss(recon, mel, torch.tensor(0.4), 0.25)
    assert float(weighted) == pytest.approx(0.1)
    assert float(total) == pytest.approx(float(recon_loss) + 0.1)
    assert float(vqvae_loss(mel, mel, torch.tensor(0.0), 0.25)[0]) == 0.0
    assert math.isfinite(float(total))


def test_gradient_passes_the_quantizer_to_the_encoder() -> None:
    model = ConvVQVAE(codebook_size=16, num_quantizers=2).train()
    mel = features(4)
    recon, _, commit_loss = model(mel)
    vqvae_loss(recon, mel, commit_loss, 0.0)[0].backward()  # type: ignore[no-untyped-call]
    gradient = next(model.encoder.parameters()).grad
    assert gradient is not None
    assert float(gradient.abs().sum()) > 0
