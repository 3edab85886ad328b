"""Models that were opened from a file and can make sound."""

import hashlib
import math
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from distill.audio.spectrogram import AudioSpectrogram
from distill.audio.stft_and_mel import check_waveform
from distill.config.training import VQVAEConfig
from distill.errors import ModelFileError
from distill.models.codes_file import SoundCodes
from distill.models.detail_by_example import EVENNESS
from distill.models.families.family import ModelFamily
from distill.models.latent_space.latent_map import LatentMap
from distill.models.metadata import ModelMetadata
from distill.models.model_parts import ModelParts, draw_points
from distill.models.nearest_training_sound import Nearest
from distill.models.priors.window_prior import WindowPrior
from distill.models.stereo import stereo_variations
from distill.models.stereo.image_store import ImageStore
from distill.models.synthesis.synthesizer import (
    LONGEST_S,
    MOST_TEMPERATURE,
    SHORTEST_S,
    Choose,
    Synthesizer,
    check_number,
    check_whole,
    no_prior,
)
from distill.models.vae import ConvVAE
from distill.models.vqvae import ConvVQVAE

#: Chunks that go through a model at once when a sound is reconstructed.
CHUNKS_AT_ONCE = 16


@dataclass(frozen=True)
class OpenModel:
    """A model of any family.

    Attributes
    ----------
    model
        The network, in eval mode.
    spectrogram
        Its representation.
    metadata
        What the file says of it.
    device
        Where it computes.
    family
        What it is.
    parts
        What new sounds come from beside the network; each part is None where the file has none.
    map
        Two-dimensional map of the sounds that it was trained on, or None.
    """

    model: nn.Module
    spectrogram: AudioSpectrogram
    metadata: ModelMetadata
    device: torch.device
    family: ModelFamily
    parts: ModelParts = field(default_factory=ModelParts, kw_only=True)
    map: LatentMap | None = field(default=None, kw_only=True)

    @torch.no_grad()
    def reconstruct(self, waveform: Tensor, detail: float | None = None) -> Tensor:
        """Return waveforms ``[B, 1, N]`` that went through the latent and nothing else; level in is level out.

        Each sound is brought to full scale, cut into chunks of the model's length, and given its level back.

        Parameters
        ----------
        waveform
            Mono sounds ``[B, 1, N]`` at the model's sample rate.
        detail
            Share of the detail that is put back, 0 to 1; None for the model's default.

        Raises
        ------
        ValueError
            The shape is not ``[B, 1, N]``, there are samples that are not numbers, or ``detail`` is out of range.
        """
        chunks, peak = self._chunks(waveform)
        if detail is not None:
            check_number("detail", detail, 0.0, 1.0)
        pieces = [self.through_latent(batch, detail) for batch in torch.split(chunks, CHUNKS_AT_ONCE)]
        return torch.cat(pieces).reshape(len(waveform), 1, -1)[..., : waveform.shape[-1]] * peak

    def weights_id(self) -> str:
        """Return the content id of everything that a model generates with: network, prior, detail and stereo images."""
        digest = hashlib.blake2b(digest_size=16)
        for part in (self.model, self.parts.prior, self.parts.detail, self.parts.stereo):
            for name, value in sorted(part.state_dict().items()) if part is not None else ():
                digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
                digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    @property
    def chunk_samples(self) -> int:
        """Samples that the model describes at once."""
        return round(self.family.config.chunk_duration_s * self.family.spectrogram_config.sample_rate)

    def _chunks(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sounds at full scale, cut into chunks ``[B * n, 1, chunk]``, and their peaks ``[B, 1, 1]``."""
        check_waveform(waveform)
        sounds = waveform.detach().to("cpu", torch.float32)
        peak = sounds.abs().amax(-1, keepdim=True)
        if not bool(torch.isfinite(peak).all()):
            raise ValueError("The sound contains samples that are not numbers.")
        padded_sounds = nn.functional.pad(sounds / peak.clamp_min(1e-12), (0, -sounds.shape[-1] % self.chunk_samples))
        return padded_sounds.reshape(-1, 1, self.chunk_samples), peak

    @torch.no_grad()
    def check_gives_sound(self, path: Path) -> None:
        """Refuse a network that does not give numbers: finite weights may still overflow in its layers.

        Raises
        ------
        ModelFileError
            What it makes of a tone is not finite.
        """
        tone = torch.sin(torch.arange(self.chunk_samples, device=self.device) * 0.03)[None, None]
        result = self.family.reconstruct(self.model, self.family.features(tone))
        if not bool(torch.isfinite(result).all()):
            raise ModelFileError(f"{path.name} is damaged: its network gives no sound. Use another model file.")

    @torch.no_grad()
    def through_latent(self, chunks: Tensor, detail: float | None = None) -> Tensor:
        """Return chunks ``[B, 1, chunk]`` of full scale as they come out of the latent."""
        features = self.family.features(chunks.to(self.device))
        copies = self.family.reconstruct(self.model, features)
        return self.family.to_waveform(self.with_detail(copies, detail), chunks.shape[-1])

    @property
    def prior(self) -> WindowPrior | None:
        """Prior of the sounds that the model was trained on, or None."""
        return self.parts.prior

    @property
    def synthesizer(self) -> Synthesizer:
        """What makes new sounds and variations."""
        prior = self.prior
        if prior is None and isinstance(self.model, ConvVAE):
            # A file of an older version: its latents were held to the standard normal, and nothing else is known.
            prior = WindowPrior.standard(self.model.latent_dim).to(self.device).eval()
        parts = self.parts.detail, self.parts.index
        return Synthesizer(self.model, self.family, self.device, prior, *parts, self.metadata.name)

    @property
    def is_stereo(self) -> bool:
        """Whether the model was trained on stereo sounds, so that it can give sounds two channels."""
        return self.parts.stereo is not None

    def in_stereo(self, sound: Tensor) -> Tensor:
        """Return a new sound ``[1, N]`` with the stereo image of the training sound that it resembles most.

        It is ``[2, N]``, peak 1; the mean of its channels is the sound itself, at another level.

        Raises
        ------
        ModelFileError
            The model was trained on mono sounds.
        """
        store = self._need_images()
        channels = torch.from_numpy(store.render(sound[0].to("cpu", torch.float32).numpy()))
        return channels / channels.abs().max().clamp_min(1e-9)

    def _need_images(self) -> ImageStore:
        """Return the stereo images.

        Raises
        ------
        ModelFileError
            The model has none.
        """
        if self.parts.stereo is None:
            raise ModelFileError(
                f"The model {self.metadata.name!r} makes mono sounds: it was not trained on stereo ones, or its run "
                "was stopped before its end."
            )
        return self.parts.stereo

    @torch.no_grad()
    def with_detail(self, features: Tensor, amount: float | None = None) -> Tensor:
        """Return decoded features ``[B, C, F, T]`` with the detail that the decoder averages away.

        A copy of a training sound gets none of that sound's own detail: it stays a copy through the latents.  Without
        an ``amount`` it gets the family's share for copies.
        """
        store, share = self.parts.detail, self.family.copy_detail if amount is None else amount
        if store is None or share == 0:
            return features
        return store.add(features, share, store.owners_of(features))

    @torch.no_grad()
    def nearest(self, waveform: Tensor) -> Nearest | None:
        """Return which training sound is nearest to the beginning of each sound ``[B, 1, N]``, and how near.

        None where the model file does not have it (those of older versions).

        Raises
        ------
        ValueError
            The shape is not ``[B, 1, N]``.
        """
        check_waveform(waveform)
        if self.parts.index is None:
            return None
        peak = waveform.abs().amax(-1, keepdim=True).clamp_min(1e-9)
        chunk = nn.functional.pad(waveform / peak, (0, max(0, self.chunk_samples - waveform.shape[-1])))
        return self.parts.index.nearest(self.family.features(chunk[..., : self.chunk_samples].to(self.device)))

    @torch.no_grad()
    def sample(
        self, num_samples: int, seed: int | None = None, temperature: float = 1.0, detail: float = 1.0
    ) -> Tensor:
        """Return the beginnings of new sounds ``[num_samples, 1, N]``, one chunk each, peak 1.

        The same seed gives the same sounds; without one they differ from call to call.  For the other parameters see
        `draw`.

        Raises
        ------
        ValueError
            A number is out of range, or the model cannot make new sounds.
        """
        batches = self.draw(num_samples, _seed(seed), temperature, detail)
        return torch.cat([self.to_sounds(batch) for batch in batches])

    @torch.no_grad()
    def draw(self, num_samples: int, seed: int, temperature: float = 1.0, detail: float = 1.0) -> tuple[Tensor, ...]:
        """Return the features of the beginnings of new sounds in batches, in order, each ready for `to_sounds`.

        Parameters
        ----------
        num_samples
            How many sounds.
        seed
            The same seed gives the same sounds.
        temperature
            How far the draw strays, 0 to 4: under 1 more typical sounds, over 1 odder ones.
        detail
            Share of the detail that is put back, 0 to 1; 0 gives the smooth spectra of the decoder alone.

        Raises
        ------
        ValueError
            A number is out of range, or the model cannot make new sounds.
        """
        _check_draw("num_samples", num_samples, temperature, detail=detail)
        points = draw_points(self.family, self.model, self.prior, num_samples, seed, temperature)
        if points is None:
            raise no_prior(self.metadata.name, "make new sounds")
        decoded = (self.family.from_points(self.model, batch) for batch in torch.split(points, CHUNKS_AT_ONCE))
        store = self.parts.detail
        if store is None:
            return tuple(decoded)
        return tuple(store.add(features, detail, evenness=EVENNESS, spare_main=True) for features in decoded)

    def generate(
        self,
        count: int,
        seed: int | None = None,
        *,
        seconds: float | None = None,
        temperature: float = 1.0,
        freedom: float | None = None,
        detail: float | None = None,
        channels: int | None = 1,
    ) -> list[Tensor]:
        """Return new sounds ``[channels, N_i]``, peak 1, each with its own length.

        Parameters
        ----------
        count
            How many.
        seed
            Start of the draw; by chance where None.
        seconds
            Length of each, 0.1 to 30; None for lengths like those of the corpus.
        temperature
            Spread of the draw: under 1 more typical, over 1 odder.
        freedom
            From 0, closer to the sounds of the corpus, to 1, freer; None for the default, as is 0.5.
        detail
            Share of the corpus's detail that is put back, 0 to 1; None for all of it.
        channels
            1 for mono, 2 for stereo sounds of a model that `is_stereo`; None for what the model can.

        Raises
        ------
        ValueError
            A number is out of range, or the model cannot make new sounds.
        ModelFileError
            Stereo sounds are requested of a mono model.
        """
        sounds = self.generate_each(
            count, seed, seconds=seconds, temperature=temperature, freedom=freedom, detail=detail, channels=channels
        )
        return list(sounds)

    def generate_each(
        self,
        count: int,
        seed: int | None = None,
        *,
        seconds: float | None = None,
        temperature: float = 1.0,
        freedom: float | None = None,
        detail: float | None = None,
        choose: Choose | None = None,
        channels: int | None = 1,
    ) -> Iterator[Tensor]:
        """Yield the sounds of `generate`, each when it is done; ``choose`` as in `Synthesizer.new_sounds`."""
        _check_draw("count", count, temperature, freedom=freedom, detail=detail)
        if seconds is not None:
            check_number("seconds", seconds, SHORTEST_S, LONGEST_S)
        if channels not in (1, 2, None):
            raise ValueError(f"channels must be 1, 2 or None, not {channels!r}.")
        finish = None
        if channels == 2 or (channels is None and self.is_stereo):
            self._need_images()
            finish = self.in_stereo
        return self.synthesizer.new_sounds(count, _seed(seed), seconds, temperature, freedom, detail, choose, finish)

    def vary(self, waveform: Tensor, count: int, strength: float, seed: int | None = None) -> list[Tensor]:
        """Return variations of a sound, as long and as loud as it is.

        Parameters
        ----------
        waveform
            The sound ``[1, N]`` at the model's sample rate.  Here and below, a model that `is_stereo` also takes sounds
            ``[2, N]`` and keeps their image.
        count
            How many, 1 to 1000.
        strength
            0 for the model's own copy, 1 for sounds that have nothing to do with it.
        seed
            The same seed gives the same variations; without one they differ from call to call.

        Raises
        ------
        ValueError
            A number is out of range, or the sound cannot be used.
        ModelFileError
            The model has no prior.
        """
        return list(self.vary_each(waveform, count, strength, seed))

    def vary_each(self, waveform: Tensor, count: int, strength: float, seed: int | None = None) -> Iterator[Tensor]:
        """Yield the sounds of `vary`, each when it is done: those of a long sound do not fit into memory together."""
        return stereo_variations.vary(self.synthesizer, self._taken(waveform), count, strength, _seed(seed))

    def morph(self, first: Tensor, second: Tensor, steps: int) -> list[Tensor]:
        """Return ``steps`` sounds (2 to 1000) on the way from one sound ``[1, N]`` to another, evenly spaced.

        Raises
        ------
        ValueError
            ``steps`` is out of range, or a sound cannot be used.
        """
        return list(self.morph_each(first, second, steps))

    def morph_each(self, first: Tensor, second: Tensor, steps: int) -> Iterator[Tensor]:
        """Yield the sounds of `morph`, each when it is done."""
        return stereo_variations.morph(self.synthesizer, self._taken(first), self._taken(second), steps)

    def extend(self, waveform: Tensor, seconds: float, seed: int | None = None) -> Tensor:
        """Return a sound ``[1, N]`` that goes on for ``seconds`` more (0.1 to 30); its own samples stay as they are.

        Raises
        ------
        ValueError
            ``seconds`` is out of range, or the sound cannot be used.
        ModelFileError
            The model has no prior.
        """
        return stereo_variations.extend(self.synthesizer, self._taken(waveform), seconds, _seed(seed))

    def repaint(self, waveform: Tensor, start_seconds: float, end_seconds: float, seed: int | None = None) -> Tensor:
        """Return a sound ``[1, N]`` of which the part between two times (seconds) is new; the rest stays as it is.

        Raises
        ------
        ValueError
            The part is not inside the sound, or is too short or too long, or the sound cannot be used.
        ModelFileError
            The model has no prior.
        """
        return stereo_variations.repaint(
            self.synthesizer, self._taken(waveform), start_seconds, end_seconds, _seed(seed)
        )

    def _taken(self, waveform: Tensor) -> Tensor:
        """Return a sound that the model can take.

        Raises
        ------
        ValueError
            It has two channels, and the model is mono.
        """
        if not self.is_stereo and waveform.ndim == 2 and len(waveform) == 2:
            raise ValueError(
                f"waveform must be one mono sound [1, N], not {list(waveform.shape)}: the model "
                f"{self.metadata.name!r} was not trained on stereo sounds."
            )
        return waveform

    @torch.no_grad()
    def to_sounds(self, features: Tensor) -> Tensor:
        """Return the sounds ``[B, 1, N]``, peak 1, of features that `draw` gave."""
        waves = self.family.to_waveform(features, self.chunk_samples)
        return waves / waves.abs().amax(-1, keepdim=True).clamp_min(1e-9)


def _check_draw(name: str, count: int, temperature: float, **shares: float | None) -> None:
    """Refuse numbers that are out of range: the one of sounds, which has a name; ``shares`` go from 0 to 1."""
    check_whole(name, count)
    if count < 1:
        raise ValueError(f"{name} must be at least 1, not {count!r}.")
    check_number("temperature", temperature, 0.0, MOST_TEMPERATURE)
    for name, value in shares.items():
        if value is not None:
            check_number(name, value, 0.0, 1.0)


def _seed(seed: int | None) -> int:
    if seed is None:
        return secrets.randbits(31)
    check_whole("seed", seed, "a whole number or None")
    return int(seed)


@dataclass(frozen=True)
class LoadedModel(OpenModel):
    """A VAE; ``analysis`` is what was stored of its latents for the sliders, or None."""

    analysis: dict[str, Any] | None = None


@dataclass(frozen=True)
class LoadedVQModel(OpenModel):
    """A VQ-VAE.

    Attributes
    ----------
    vqvae_config
        Settings that it was trained with.
    codebook_health
        Health of each level when it was saved, or None.
    analysis
        What was stored of its grid for the sliders, or None.
    """

    vqvae_config: VQVAEConfig
    codebook_health: dict[str, dict[str, float]] | None = None
    analysis: dict[str, Any] | None = None

    @torch.no_grad()
    def encode(self, waveform: Tensor) -> SoundCodes:
        """Return the codes of a sound ``[1, 1, N]``.

        Raises
        ------
        ValueError
            The shape is another, or there are samples that are not numbers.
        """
        if waveform.shape[0] != 1:
            raise ValueError(f"encode takes one sound [1, 1, N] at a time, not {list(waveform.shape)}.")
        chunks, peak = self._chunks(waveform)
        network = self._network
        grids = [
            network.encode(self.family.features(batch.to(self.device))).cpu()
            for batch in torch.split(chunks, CHUNKS_AT_ONCE)
        ]
        return SoundCodes(
            codes=torch.cat(grids).numpy().astype(np.uint16),
            samples=waveform.shape[-1],
            peak=float(peak),
            model_id=self.metadata.model_id,
        )

    @torch.no_grad()
    def decode(self, codes: SoundCodes) -> Tensor:
        """Return the sound ``[1, 1, N]`` of codes: what `reconstruct` makes of the sound that they were made from.

        Raises
        ------
        ModelFileError
            The codes are of another model, or do not fit this one.
        """
        network, config = self._network, self.vqvae_config
        codes.check(self.metadata.model_id, math.prod(network.grid), config.num_quantizers, config.codebook_size)
        if len(codes.codes) != -(-codes.samples // self.chunk_samples):
            raise ModelFileError("The codes do not fit the length of the sound that they claim to be of.")
        grids = torch.from_numpy(codes.codes.astype(np.int64))
        pieces = [
            self.family.to_waveform(self.with_detail(network.decode(batch.to(self.device))), self.chunk_samples)
            for batch in torch.split(grids, CHUNKS_AT_ONCE)
        ]
        return torch.cat(pieces).reshape(1, 1, -1)[..., : codes.samples] * codes.peak

    @property
    def _network(self) -> ConvVQVAE:
        assert isinstance(self.model, ConvVQVAE)
        return self.model
