"""Detail by example: puts back what a decoder averages away.

A decoder that is trained on a mean error gives the mean of all sounds that could be meant: smooth spectra, without the
grain of the recordings.  What it misses on the training sounds is known, though.  For each patch of decoded features
the training patch in the same bands whose *reconstruction* is most similar is looked up, and what that reconstruction
missed is added, with windows that overlap by half.  (Patches of examples in place of a trained generator: Efros and
Freeman 2001, "Image quilting"; Granot et al. 2022, "Drop the GAN".)
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Side of a patch, in bands and frames, and the distance between neighbouring ones.
PATCH, HOP = 16, 8
#: Numbers that a patch is compared by: its scores on the principal axes of all patches.
KEY_SIZE = 24
#: For new sounds, keys are compared with each axis divided by its spread to this power: 0 goes by the level of a patch
#: nearly alone, 1 takes its finest structure as seriously.  Copies are closer with 0.
EVENNESS = 0.5
#: Largest store (bytes); model files stay small enough to be sent around.
MOST_BYTES = 5_000_000
#: Patches that the axes of the keys are found from.
_AXES_SAMPLE = 20_000
#: Levels of the 8-bit numbers that residuals and keys are stored in.
_LEVELS = 127
#: Mean distance of a chunk's keys to those of a stored chunk, in spreads, under which the two are the same sound.
_SAME = 0.05


def _window() -> Tensor:
    rise = torch.sin(torch.pi * (torch.arange(PATCH) + 0.5) / PATCH).square()
    return (rise[:, None] * rise).flatten()


def _padded(features: Tensor) -> Tensor:
    """Return features ``[B, C, F, T]`` with room for half a patch on each side, and whole patches."""
    bands, frames = features.shape[-2:]
    edge = PATCH - HOP
    room = (edge, edge + -frames % HOP, edge, edge + -bands % HOP)
    return functional.pad(features, room, mode="replicate")


def _patches(features: Tensor) -> Tensor:
    """Return the patches of features as a view, ``[B, C, rows, columns, PATCH, PATCH]``."""
    return _padded(features).unfold(2, PATCH, HOP).unfold(3, PATCH, HOP)


def bytes_per_chunk(channels: int, bands: int, frames: int) -> int:
    """Return the size of a chunk in the store."""
    rows, columns = -(-bands // HOP) + 1, -(-frames // HOP) + 1
    return channels * bands * frames + rows * columns * KEY_SIZE


class DetailStore(nn.Module):
    """Training chunks by what their reconstructions look like, and what those miss.

    Everything is a buffer: `state_dict` is what a model file holds.  No name of a file is in it; sounds are told
    apart by a number.

    Parameters
    ----------
    chunks, channels, bands, frames
        Sizes: stored chunks of features ``[channels, bands, frames]``.
    """

    residual: Tensor
    residual_step: Tensor
    keys: Tensor
    key_step: Tensor
    axes: Tensor
    centre: Tensor
    owner: Tensor

    def __init__(self, chunks: int, channels: int, bands: int, frames: int) -> None:
        super().__init__()
        rows, columns = -(-bands // HOP) + 1, -(-frames // HOP) + 1
        self.register_buffer("residual", torch.zeros(chunks, channels, bands, frames, dtype=torch.int8))
        self.register_buffer("residual_step", torch.ones(channels))
        self.register_buffer("keys", torch.zeros(chunks, rows, columns, KEY_SIZE, dtype=torch.int8))
        self.register_buffer("key_step", torch.ones(KEY_SIZE))
        self.register_buffer("axes", torch.zeros(PATCH * PATCH, KEY_SIZE))
        self.register_buffer("centre", torch.zeros(PATCH * PATCH))
        self.register_buffer("owner", torch.zeros(chunks, dtype=torch.int32))
        self._key_tables: dict[float, list[tuple[Tensor, Tensor]]] = {}
        self._source: Tensor | None = None

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "DetailStore":
        """Return the store with a state dict's sizes and contents.

        Raises
        ------
        AttributeError, KeyError, RuntimeError, TypeError, ValueError
            The state is not one of a store.
        """
        chunks, channels, bands, frames = state["residual"].shape
        if state["residual_step"].shape != (channels,):
            raise ValueError("sizes that do not fit each other")
        store = cls(chunks, channels, bands, frames)
        store.load_state_dict(dict(state))
        return store

    @classmethod
    @torch.no_grad()
    def build(cls, features: Tensor, reconstructions: Tensor, owner: Tensor) -> "DetailStore":
        """Return a store of training chunks.

        Parameters
        ----------
        features, reconstructions
            ``[N, C, F, T]``; patches are compared by the first channel, and all channels get their detail.
        owner
            Number of the file that each is of, ``[N]``.
        """
        store = cls(*features.shape)
        residual = features.float() - reconstructions
        spread = residual.square().mean((0, 2, 3)).sqrt().clamp_min(1e-6)
        store.residual_step.copy_(4 * spread / _LEVELS)
        store.residual.copy_(_to_levels(residual, store.residual_step[:, None, None]))
        patches = _patches(reconstructions[:, :1])[:, 0].flatten(-2)
        rows = patches.reshape(-1, PATCH * PATCH)
        sample = rows[:: max(1, len(rows) // _AXES_SAMPLE)]
        store.centre.copy_(sample.mean(0))
        centred = (sample - store.centre).cpu().double()
        vectors = torch.linalg.eigh(centred.T @ centred)[1]
        store.axes.copy_(vectors.flip(1)[:, :KEY_SIZE].float())
        scores = (patches - store.centre) @ store.axes
        store.key_step.copy_(4 * scores.flatten(0, 2).square().mean(0).sqrt().clamp_min(1e-6) / _LEVELS)
        store.keys.copy_(_to_levels(scores, store.key_step))
        store.owner.copy_(owner)
        return store

    def __len__(self) -> int:
        return len(self.owner)

    def _row_keys(self, evenness: float) -> list[tuple[Tensor, Tensor]]:
        """Return keys ``[KEY_SIZE, chunks * columns]`` and their squared lengths for each row, made on first use."""
        if evenness not in self._key_tables:
            keys = self.keys.float() * (self.key_step * self._axis_weights(evenness))
            rows = [row.reshape(-1, KEY_SIZE).T.contiguous() for row in keys.unbind(1)]
            self._key_tables[evenness] = [(row, row.square().sum(0)) for row in rows]
        return self._key_tables[evenness]

    def _axis_weights(self, evenness: float) -> Tensor:
        """Return the weight of each axis in comparisons, ``[KEY_SIZE]``; steps are proportional to spreads."""
        return (self.key_step[0] / self.key_step).pow(evenness)

    def _residual_patches(self) -> Tensor:
        """Return the patches of the residuals, of which the padded copy is made on first use."""
        if self._source is None:
            self._source = _patches(self.residual)
        return self._source

    def _scores(self, features: Tensor) -> Tensor:
        """Return the keys of features' patches, ``[B, rows, columns, KEY_SIZE]``."""
        return (_patches(features[:, :1])[:, 0].flatten(-2) - self.centre) @ self.axes

    @torch.no_grad()
    def owners_of(self, reconstructions: Tensor) -> Tensor:
        """Return the number of the stored sound that each reconstruction ``[B, C, F, T]`` is of, ``[B]``, or -1.

        Only chunks of the stored length can be recognized.
        """
        scores = self._scores(reconstructions)
        unknown = torch.full((len(scores),), -1, dtype=self.owner.dtype, device=self.owner.device)
        if scores.shape[1:] != self.keys.shape[1:] or not len(self):
            return unknown
        spread = self.key_step * (_LEVELS / 4)
        limit = _LEVELS * self.key_step
        mine = (scores.clamp(-limit, limit) / spread).flatten(1)
        theirs = (self.keys.float() * (self.key_step / spread)).flatten(1)
        distance, nearest = (torch.cdist(mine, theirs) / mine.shape[1] ** 0.5).min(1)
        return torch.where(distance < _SAME, self.owner[nearest], unknown)

    @torch.no_grad()
    def add(
        self,
        features: Tensor,
        amount: float = 1.0,
        exclude: Tensor | None = None,
        evenness: float = 0.0,
        spare_main: bool = False,
    ) -> Tensor:
        """Return features ``[B, C, F, T]`` of any length with their detail.

        Parameters
        ----------
        features
            Decoded features.
        amount
            0 leaves them as they are, 1 adds all of the detail.
        exclude
            Number of a stored sound whose patches must not be used, for each of the B; -1 for none.
        evenness
            How patches are compared; see `EVENNESS`.
        spare_main
            Whether the stored sound that most patches resemble is excluded, too.
        """
        if amount == 0 or not len(self):
            return features
        scores = self._scores(features) * self._axis_weights(evenness)
        batch, rows, columns, _ = scores.shape
        stored_columns = self.keys.shape[2]
        best = self._nearest(scores, exclude, evenness)
        if spare_main:
            main = self._main_owner(best)
            again = self._nearest(scores, main, evenness)
            best = torch.where(self._chunk_owner(best) == main[:, None, None], again, best)
        source = self._residual_patches()
        out = features.new_zeros(batch, features.shape[1], PATCH * PATCH, rows, columns)
        for row in range(rows):
            nearest = best[:, row].flatten()
            # [B * columns, C, P * P]
            patches = source[nearest // stored_columns, :, row, nearest % stored_columns].flatten(-2)
            out[:, :, :, row] = patches.float().view(batch, columns, -1, PATCH * PATCH).permute(0, 2, 3, 1)
        out *= _window().to(out)[:, None, None]
        out *= self.residual_step[:, None, None, None]
        size = (HOP * (rows - 1) + PATCH, HOP * (columns - 1) + PATCH)
        flat = out.view(-1, PATCH * PATCH, rows * columns)
        summed = functional.fold(flat, size, PATCH, stride=HOP).view(batch, -1, *size)
        edge, (bands, frames) = PATCH - HOP, features.shape[-2:]
        return features + amount * summed[:, :, edge : edge + bands, edge : edge + frames]

    def _main_owner(self, best: Tensor) -> Tensor:
        """Return the number of the stored sound that most patches resemble, ``[B]``."""
        return self._chunk_owner(best).flatten(1).mode(1).values

    def _chunk_owner(self, best: Tensor) -> Tensor:
        return self.owner[best // self.keys.shape[2]]

    def _nearest(self, scores: Tensor, exclude: Tensor | None, evenness: float) -> Tensor:
        """Return which stored patch of its row is nearest to each patch ``[B, rows, columns]``."""
        batch, _, columns, _ = scores.shape
        barred = self._barred(exclude, columns)
        nearest_patches = []
        for row, (keys, squares) in enumerate(self._row_keys(evenness)):
            # Squared distances but for what is the same for all stored patches.
            distance = torch.addmm(squares, scores[:, row].reshape(-1, KEY_SIZE), keys, alpha=-2)
            if barred is not None:
                distance.masked_fill_(barred, torch.inf)
            nearest_patches.append(distance.argmin(1).view(batch, columns))
        return torch.stack(nearest_patches, 1)

    def _barred(self, exclude: Tensor | None, columns: int) -> Tensor | None:
        """Return which stored patches each patch must not use, ``[B * columns, chunks * stored columns]``."""
        if exclude is None or not bool((exclude >= 0).any()):
            return None
        same = exclude[:, None] == self.owner
        same &= ~same.all(1, keepdim=True)  # where nothing else is stored, its own is better than none
        return same.repeat_interleave(columns, 0).repeat_interleave(self.keys.shape[2], 1)


def _to_levels(values: Tensor, step: Tensor) -> Tensor:
    return (values / step).round().clamp(-_LEVELS, _LEVELS).to(torch.int8)
