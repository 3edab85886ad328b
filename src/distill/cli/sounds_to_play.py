"""The sounds that ``distill play`` plays: 16 of the map, or new ones of a model without a map."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from distill.audio.decoding.mono_decoder import SAMPLE_RATE
from distill.audio.export import write_wav
from distill.control.pads_keys_and_knobs import PADS
from distill.errors import ModelFileError
from distill.generation.map.map_sounds import map_of, sliders_of, sound_at
from distill.generation.mono_or_stereo import as_audio, own_channels
from distill.models.latent_space.sliders import MOST_AMOUNT
from distill.models.persistence import open_model


class Sounds:
    """Sounds of a model as files.

    Parameters
    ----------
    model_file
        The model.
    folder
        Where the files are written.
    seed
        Of new sounds.

    Raises
    ------
    DistillError
        The model cannot be used.
    """

    def __init__(self, model_file: Path, folder: Path, seed: int) -> None:
        self._model, self._folder, self._count = open_model(model_file), folder, 0
        analysis = sliders_of(self._model) if self._model.map is not None else None
        #: Names of the sliders.
        self.sliders = tuple(direction.name for direction in analysis.directions) if analysis is not None else ()
        #: One sound for each pad.
        self.paths = [self._written(sound) for sound in self._model.generate(PADS, seed, channels=None)]

    def at(self, position: tuple[float, float], slider_shares: Mapping[str, float]) -> Path:
        """Return the file of the sound at a position; sliders are moved by shares of their range, -1 to 1.

        Raises
        ------
        ModelFileError
            The model has no map.
        """
        map_of(self._model)
        moves = {name: share * MOST_AMOUNT for name, share in slider_shares.items() if name in self.sliders}
        sound_to_play = sound_at(self._model, position, moves)
        return self._written(own_channels(self._model, sound_to_play))

    def _written(self, sound: Tensor) -> Path:
        self._count += 1
        path = self._folder / f"{self._count:05d}.wav"
        try:
            write_wav(path, as_audio(sound), SAMPLE_RATE)
        except OSError as exc:
            raise ModelFileError(f"The sound cannot be stored: {exc.strerror or exc}. Free some disk space.") from exc
        return path
