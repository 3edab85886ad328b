"""What is fitted and measured on a device without double precision."""

from collections.abc import Iterator

import pytest
import torch

from distill.models.latent_space.tsne import principal_scores
from distill.models.priors.flow_prior import FlowPrior
from distill.models.priors.window_prior import WindowPrior, WindowTable
from distill.models.vae import PCAProjection
from distill.models.vqvae import CodebookQuantizer, PatchAxes
from distill.training.steps.new_sound_distance import kernel_distance
from tests.support.single_precision import SinglePrecisionDevice, on_device


@pytest.fixture(autouse=True)
def _device() -> Iterator[None]:
    with SinglePrecisionDevice():  # type: ignore[no-untyped-call]
        yield


def test_the_device_refuses_double_precision_and_decompositions() -> None:
    rows = on_device(torch.randn(4, 3))
    with pytest.raises(TypeError, match="float64"):
        rows.double()
    with pytest.raises(NotImplementedError, match="MPS"):
        torch.linalg.eigh(rows.T @ rows)
    assert torch.equal(rows.cpu().double(), rows.numbers.double())


def test_a_flow_is_fitted() -> None:
    rows, variance, weights = torch.randn(20, 4), torch.rand(20, 4), torch.rand(20)
    expected, found = FlowPrior(4, width=8, blocks=1), FlowPrior(4, width=8, blocks=1)
    expected.fit(rows, variance, weights)
    found.fit(on_device(rows), on_device(variance), on_device(weights))
    assert torch.equal(found.root, expected.root)


def test_a_prior_is_fitted() -> None:
    rows, numbers = torch.randn(12, 6), torch.arange(12)
    prior = WindowPrior(6, 3, width=8, blocks=1, anchors=12)
    prior.fit_projection(on_device(rows), torch.ones(12, dtype=torch.double))
    prior.fit(
        WindowTable(
            points=on_device(rows[:, :3]), variance=on_device(torch.ones(12, 3)), sounds=on_device(numbers),
            previous=on_device(torch.full((12,), -1)), total=on_device(torch.rand(12) + 0.5),
            offset=on_device(torch.zeros(12)),
        )
    )  # fmt: skip
    assert bool(prior.flow.is_fitted)
    assert float(prior.lengths[-1]) > 0.5


def test_axes_are_fitted() -> None:
    features, rows = torch.randn(2, 1, 32, 32), torch.randn(6, 20)
    expected, found = PatchAxes(8), PatchAxes(8)
    expected.fit(features)
    found.fit(on_device(features))
    assert torch.equal(found.axes, expected.axes)
    wanted, fitted = PCAProjection(4, 20), PCAProjection(4, 20)
    wanted.fit(rows, 1.0)
    fitted.fit(on_device(rows), 1.0)
    assert torch.equal(fitted.axes, wanted.axes)
    assert torch.equal(fitted.spread, wanted.spread)


def test_codebooks_are_measured() -> None:
    indices = torch.randint(8, (4, 5, 2))
    quantizer = CodebookQuantizer(4, 8, 2, 0.9, 0, False, 1)
    assert quantizer.get_codebook_utilization(on_device(indices)) == quantizer.get_codebook_utilization(indices)


def test_sounds_are_compared() -> None:
    rows = torch.randn(12, 5)
    assert torch.isfinite(principal_scores(on_device(rows), 2)).all()
    assert kernel_distance(on_device(rows), on_device(rows)) == kernel_distance(rows, rows)
