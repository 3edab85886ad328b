"""The parts of a model beside its network, in memory and in its file: prior, detail, nearest sounds, stereo images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from distill.errors import DistillError, pass_on_memory_error
from distill.models.detail_by_example import DetailStore
from distill.models.families.family import ModelFamily
from distill.models.nearest_training_sound import SoundIndex
from distill.models.priors.window_prior import WindowPrior, prior_entry
from distill.models.stereo.image_store import ImageStore

#: Names of the entries of a model file, and what each is read into.
PRIOR, DETAIL, NEAREST, STEREO = "prior", "detail", "nearest", "stereo"


@dataclass(frozen=True)
class ModelParts:
    """Prior, detail and stereo images of a model; each is None in files of older versions.

    Attributes
    ----------
    prior
        Draws points of new sounds.
    detail
        What decoded features get back.
    index
        Finds the training sound that is nearest to a sound.
    stereo
        Gives new sounds a stereo image; None also for a model of mono sounds.
    """

    prior: WindowPrior | None = None
    detail: DetailStore | None = None
    index: SoundIndex | None = None
    stereo: ImageStore | None = None

    def to(self, device: torch.device) -> "ModelParts":
        """Return the parts on a device; images are applied on the CPU."""
        prior = None if self.prior is None else self.prior.to(device).eval()
        detail = None if self.detail is None else self.detail.to(device).eval()
        index = None if self.index is None else self.index.to(device).eval()
        return ModelParts(prior, detail, index, self.stereo)

    def check_fit(self, point_dim: int, path: Path, error: type[DistillError]) -> None:
        """Refuse a prior that is of another network than one whose points have ``point_dim`` numbers.

        Raises
        ------
        DistillError
            Of type ``error``.
        """
        if self.prior is not None and self.prior.point_dim != point_dim:
            raise error(f"{path.name} is damaged: its prior belongs to another network. Use another model file.")

    def to_file(self) -> dict[str, Any]:
        """Return the entries of a model file.

        The weights of the prior are kept in half precision: sounds that are drawn from them do not differ audibly.
        """
        entries: dict[str, Any] = {}
        if self.prior is not None:
            entries[PRIOR] = prior_entry(self.prior.state_dict())
        if self.detail is not None:
            entries[DETAIL] = _on_cpu(self.detail.state_dict())
        if self.index is not None:
            entries[NEAREST] = _on_cpu(self.index.state_dict())
        if self.stereo is not None:
            entries[STEREO] = _on_cpu(self.stereo.state_dict())
        return entries

    @classmethod
    def of_file(cls, data: Mapping[str, Any], path: Path, error: type[DistillError]) -> "ModelParts":
        """Return the parts that a model file holds.

        Raises
        ------
        DistillError
            Of type ``error``: an entry is damaged.
        """
        return cls(
            _read(WindowPrior.of_state, data, PRIOR, path, error),
            _read(DetailStore.of_state, data, DETAIL, path, error),
            _read(SoundIndex.of_state, data, NEAREST, path, error),
            _read(ImageStore.of_state, data, STEREO, path, error),
        )


def _on_cpu(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.detach().cpu().contiguous() for key, value in state.items()}


def _read(
    build: Callable[[Mapping[str, Any]], Any], data: Mapping[str, Any], name: str, path: Path, error: type[DistillError]
) -> Any:
    entry = data.get(name)
    if entry is None:
        return None
    try:
        part = build(entry)
    except (AttributeError, KeyError, IndexError, RuntimeError, TypeError, ValueError) as exc:
        pass_on_memory_error(exc)
        raise error(f"{path.name} is damaged: its {name} is not readable. Use another model file.") from exc
    for value in part.state_dict().values():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise error(f"{path.name} holds a {name} that is not numbers (NaN or infinite). Use another model file.")
    return part


@torch.no_grad()
def draw_points(
    family: ModelFamily, model: nn.Module, prior: WindowPrior | None, count: int, seed: int, temperature: float = 1.0
) -> Tensor | None:
    """Return the points ``[count, P]`` of new sounds, the same for the same seed; None where they need a prior.

    They are the beginnings of sounds that are as long as those of the corpus.  A VAE without a prior (of an older
    version, or one that the caller built) gets points of the standard normal, to which its latents were held.
    """
    generator = torch.Generator().manual_seed(seed)
    if prior is not None:
        totals, anchors = prior.draw_sounds(count, generator)
        return prior.restore(prior.begin(totals.to(prior.lengths.device), anchors, generator, temperature))
    if family.prior_components is not None:
        return None
    return torch.randn(count, family.point_dim(model), generator=generator).to(next(model.parameters())) * temperature


@torch.no_grad()
def build_detail(
    family: ModelFamily, model: nn.Module, features: Tensor, owner: Tensor, device: torch.device, batch: int = 32
) -> DetailStore:
    """Return the detail of training chunks ``[N, C, F, T]``; ``owner`` is the number of the file of each.

    The network is left in the mode in which it was.
    """
    was_training = model.training
    model.eval()
    copies = [family.reconstruct(model, part.to(device)).float().cpu() for part in torch.split(features, batch)]
    model.train(was_training)
    return DetailStore.build(features, torch.cat(copies), owner)
