"""One step, and the rule that a step which is not finite changes nothing."""

import copy
import math
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.utils.data import DataLoader, Dataset, IterableDataset

from distill.audio import AudioSpectrogram, SpectrogramConfig
from distill.errors import Cancelled, TrainingError
from distill.events import Event
from distill.models import ConvVAE
from distill.models.families.family import Objective
from distill.training import StepMetrics, TrainingNotice, train_epoch, validate_epoch
from distill.training.compute_plan import ComputePlan
from distill.training.steps.training_step import TrainingStep, step_randomness, weighted_sum


class Network(nn.Module):
    """A layer, running statistics, and a counter that is no float."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3, bias=False)  # before a normalisation it would have no gradient
        self.norm = nn.BatchNorm1d(3)
        self.register_buffer("codebook", torch.zeros(3))
        self.codebook: Tensor

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(self.layer(x))
        if self.training:
            self.codebook.mul_(0.9).add_(out.detach().mean(0))
        return out


class Family:
    """Just enough of a family for a step."""

    def objective(self, model: nn.Module, features: Tensor, step: int | None = None) -> Objective:
        return Objective({"error": (model(features) - 1.0).square().mean(), "size": model.layer.weight.abs().sum()})  # type: ignore[union-attr, operator]


def stepper(fused: bool, dtype: torch.dtype = torch.float32) -> tuple[TrainingStep, Network, Optimizer]:
    torch.manual_seed(0)
    network = Network().to(dtype).train()
    optimizer = AdamW(network.parameters(), lr=0.1, fused=fused)
    return TrainingStep(Family(), network, optimizer, 1.0, ComputePlan()), network, optimizer  # type: ignore[arg-type]


def state(network: nn.Module, optimizer: Optimizer) -> list[Tensor]:
    moments = [v for group in optimizer.state_dict()["state"].values() for v in group.values()]
    return copy.deepcopy([*network.state_dict().values(), *moments])


WEIGHTS = {"error": 1.0, "size": 1e-3}


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("poison", [math.nan, math.inf, 1e30])
def test_a_step_that_is_not_finite_changes_nothing(fused: bool, poison: float) -> None:
    step, network, optimizer = stepper(fused)
    for _ in range(3):
        _, _, skipped = step(torch.randn(8, 4), WEIGHTS, 0)
        assert not skipped
    before = state(network, optimizer)
    bad = torch.randn(8, 4)
    bad[3, 2] = poison
    _, total, skipped = step(bad, WEIGHTS | {"error": poison}, 3)
    assert skipped
    assert not torch.isfinite(total) or poison == 1e30
    assert all(torch.equal(a, b) for a, b in zip(before, state(network, optimizer), strict=True))
    _, _, skipped = step(torch.randn(8, 4), WEIGHTS, 4)
    assert not skipped
    assert not any(torch.equal(a, b) for a, b in zip(before, state(network, optimizer), strict=True))


@pytest.mark.parametrize("fused", [True, False])
def test_an_infinite_gradient_of_a_finite_loss_changes_nothing(fused: bool) -> None:
    step, network, optimizer = stepper(fused)
    step(torch.randn(8, 4), WEIGHTS, 0)
    before = state(network, optimizer)
    hook = network.layer.weight.register_hook(lambda grad: grad * math.inf)  # type: ignore[no-untyped-call]
    _, total, skipped = step(torch.randn(8, 4), WEIGHTS, 1)
    assert torch.isfinite(total)
    assert skipped
    assert all(torch.equal(a, b) for a, b in zip(before, state(network, optimizer), strict=True))
    hook.remove()
    assert not step(torch.randn(8, 4), WEIGHTS, 2)[2]


def test_a_step_that_is_cancelled_before_its_update_changes_nothing() -> None:
    step, network, optimizer = stepper(True)
    step(torch.randn(8, 4), WEIGHTS, 0)
    before, cancel = state(network, optimizer), threading.Event()
    step(torch.randn(8, 4), WEIGHTS, 1, cancel)  # not set yet
    assert not any(torch.equal(a, b) for a, b in zip(before, state(network, optimizer), strict=True))
    before = state(network, optimizer)
    hook = network.layer.weight.register_hook(lambda grad: cancel.set())  # type: ignore[no-untyped-call]
    for _ in range(2):  # during the backward pass, and before the step
        with pytest.raises(Cancelled):
            step(torch.randn(8, 4), WEIGHTS, 2, cancel)
        assert all(torch.equal(a, b) for a, b in zip(before, state(network, optimizer), strict=True))
        hook.remove()


def test_fused_and_plain_steps_agree() -> None:
    """In double precision, where the order of a sum, which each processor chooses, is far under any real difference.

    AdamW divides by the root of the second moment, so that a weight moves by about the learning rate however small
    its gradient is: in single precision a gradient that is a rounding error already moves it by a share of that.
    """
    one, other = stepper(True, torch.float64), stepper(False, torch.float64)
    torch.manual_seed(5)
    for n in range(4):
        batch = torch.randn(8, 4, dtype=torch.float64) * (math.nan if n == 2 else 1.0)
        for step, _, _ in (one, other):
            step(batch, WEIGHTS, n)
    moved = stepper(True, torch.float64)[1].state_dict()
    for name, value in one[1].state_dict().items():
        torch.testing.assert_close(value, other[1].state_dict()[name], rtol=1e-9, atol=1e-9)
        assert not torch.equal(value, moved[name])  # three of the four steps were taken


def test_long_gradients_are_shortened() -> None:
    _, network, _ = stepper(False)
    optimizer = SGD(network.parameters(), lr=1.0)
    step = TrainingStep(Family(), network, optimizer, 0.5, ComputePlan())  # type: ignore[arg-type]
    before = [p.detach().clone() for p in network.parameters()]
    step(torch.randn(8, 4), {"error": 1e4, "size": 0.0}, 0)
    moved = torch.cat([(p.detach() - b).flatten() for p, b in zip(network.parameters(), before, strict=True)])
    assert float(moved.norm()) == pytest.approx(0.5, rel=1e-3)


def test_the_total_is_the_weighted_sum() -> None:
    total = weighted_sum({"a": torch.tensor(2.0), "b": torch.tensor(3.0)}, {"a": 0.5, "b": 10.0, "unused": 7.0})
    assert total == 31.0


def test_randomness_is_a_function_of_seed_epoch_and_step() -> None:
    def draw(seed: int, epoch: int, step: int) -> Tensor:
        with step_randomness(seed, epoch, step, torch.device("cpu")):
            return torch.rand(4)

    torch.manual_seed(0)
    stream = torch.get_rng_state()
    one = draw(1, 2, 3)
    assert torch.equal(torch.get_rng_state(), stream)
    torch.manual_seed(9)
    assert torch.equal(draw(1, 2, 3), one)
    assert all(not torch.equal(draw(*position), one) for position in ((0, 2, 3), (1, 0, 3), (1, 2, 0)))


class TestAdapters:
    """`train_epoch` and `validate_epoch`, for people with a loop of their own."""

    GEOMETRY = SpectrogramConfig(n_fft=512, hop_length=256, n_mels=16)

    @pytest.fixture
    def spectrogram(self) -> AudioSpectrogram:
        return AudioSpectrogram(self.GEOMETRY)

    @pytest.fixture
    def model(self) -> ConvVAE:
        torch.manual_seed(0)
        return ConvVAE(4, 0.1, channels=(4, 8), input_shape=(16, self.GEOMETRY.frames(4800)))

    @pytest.fixture
    def batches(self) -> list[Tensor]:
        generator = torch.Generator().manual_seed(1)
        return [torch.randn(4, 1, 4800, generator=generator) * 0.2 for _ in range(5)]

    def train(self, model: ConvVAE, batches: Any, spectrogram: AudioSpectrogram, **more: Any) -> dict[str, float]:
        optimizer = AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
        return train_epoch(model, batches, optimizer, spectrogram, 1e-3, "cpu", 1.0, **more)

    def test_training_lowers_the_loss(
        self, model: ConvVAE, batches: list[Tensor], spectrogram: AudioSpectrogram
    ) -> None:
        events: list[Event] = []
        before = validate_epoch(model, batches, spectrogram, 1e-3, "cpu")
        assert set(before) == {"val_loss", "val_recon_loss", "val_kl_loss", "kl_divergence"}
        assert before["val_loss"] == pytest.approx(before["val_recon_loss"] + 1e-3 * before["val_kl_loss"])
        for _ in range(4):
            found = self.train(model, batches, spectrogram, callback=events.append)
        assert set(found) == {"train_loss", "recon_loss", "kl_loss"}
        after = validate_epoch(model, batches, spectrogram, 1e-3, "cpu")
        assert after["val_loss"] < 0.9 * before["val_loss"]
        assert after == validate_epoch(model, batches, spectrogram, 1e-3, "cpu")
        steps = [e for e in events if isinstance(e, StepMetrics)]
        assert [e.step for e in steps] == [0, 1, 2, 3, 4] * 4
        assert all((e.total_steps, e.kl_weight) == (5, 1e-3) for e in steps)
        last = steps[-5:]
        assert found["train_loss"] == pytest.approx(sum(e.train_loss for e in last) / 5)

    def test_features_and_generators_are_taken_too(
        self, model: ConvVAE, batches: list[Tensor], spectrogram: AudioSpectrogram
    ) -> None:
        other = copy.deepcopy(model)
        torch.manual_seed(3)
        one = self.train(model, [spectrogram.waveform_to_mel(b) for b in batches], spectrogram)
        torch.manual_seed(3)
        assert self.train(other, iter(batches), spectrogram) == one

    def test_each_epoch_draws_anew_and_a_seed_repeats_it(
        self, model: ConvVAE, batches: list[Tensor], spectrogram: AudioSpectrogram
    ) -> None:
        def epochs(seed: int) -> list[float]:
            torch.manual_seed(seed)
            frozen = copy.deepcopy(model)
            optimizer = AdamW([p for p in frozen.parameters() if p.requires_grad], lr=0.0, weight_decay=0.0)
            return [
                train_epoch(frozen, batches, optimizer, spectrogram, 1e-3, "cpu", 1.0)["train_loss"] for _ in range(2)
            ]

        first, second = epochs(1)
        assert first != second  # same weights, same batches: only the noise differs
        assert epochs(1) == [first, second]

    def test_a_loader_is_read_batch_by_batch(
        self, model: ConvVAE, batches: list[Tensor], spectrogram: AudioSpectrogram
    ) -> None:
        """A training set does not have to fit into memory."""
        read, events = list[int](), list[int]()

        class Watched(Dataset[Tensor]):
            def __len__(self) -> int:
                return len(batches)

            def __getitem__(self, item: int) -> Tensor:
                read.append(item)
                events.append(len(read) - len(taken))
                return batches[item]

        class Stream(IterableDataset[Tensor]):
            def __iter__(self) -> Iterator[Tensor]:
                return iter(batches)

        taken: list[Event] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("distill.training.steps.loss_reader._READ_INTERVAL_S", 0.0)
            self.train(model, DataLoader(Watched(), batch_size=None), spectrogram, callback=taken.append)
        assert max(events) == 1
        for uncounted in (DataLoader(Stream(), batch_size=None), iter(batches)):
            steps: list[StepMetrics] = []
            self.train(model, uncounted, spectrogram, callback=steps.append)
            assert [event.total_steps for event in steps] == [len(batches)] * len(batches)

    def test_cancelling(self, model: ConvVAE, batches: list[Tensor], spectrogram: AudioSpectrogram) -> None:
        cancel = threading.Event()
        cancel.set()
        before = copy.deepcopy(model.state_dict())
        found = self.train(model, batches, spectrogram, cancel_event=cancel)
        assert set(found) == {"train_loss", "recon_loss", "kl_loss"}
        assert all(math.isnan(v) for v in found.values())
        assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())

    def test_nan_in_a_batch_is_told_and_left_out(
        self, model: ConvVAE, batches: list[Tensor], spectrogram: AudioSpectrogram
    ) -> None:
        batches[2][1, 0, 77] = math.nan
        events: list[Event] = []
        found = self.train(model, batches, spectrogram, callback=events.append)
        assert all(math.isfinite(v) for v in found.values())
        assert [e.topic for e in events if isinstance(e, TrainingNotice)] == ["non-finite"]
        steps = [e for e in events if isinstance(e, StepMetrics)]
        assert [math.isfinite(e.train_loss) for e in steps] == [True, True, False, True, True]
        assert all(torch.isfinite(v).all() for v in model.state_dict().values())

    def test_fifty_in_a_row_end_it(self, model: ConvVAE, batches: list[Tensor], spectrogram: AudioSpectrogram) -> None:
        bad = [b * math.nan for b in batches]
        before = copy.deepcopy(model.state_dict())
        with pytest.raises(TrainingError, match="50 steps in a row"):
            self.train(model, (bad * 11)[:50], spectrogram)
        assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
        self.train(model, [*(bad * 10)[:49], batches[0], *(bad * 10)[:49]], spectrogram)  # not in a row

    def test_the_mode_is_left_as_it_was(
        self, model: ConvVAE, batches: list[Tensor], spectrogram: AudioSpectrogram
    ) -> None:
        for mode in (True, False):
            model.train(mode)
            validate_epoch(model, batches, spectrogram, 1.0, "cpu")
            assert model.training is mode
