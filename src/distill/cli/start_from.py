"""What ``distill train --from`` starts from."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distill.cli.options import given_options
from distill.files import is_file

if TYPE_CHECKING:
    from distill.config.training import AnyConfig
    from distill.training.start_point import StartPoint

StartFrom = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="MODEL",
        exists=True,
        show_default=False,
        help="Go on from what a model has learnt: a .distill file, a checkpoint, or the folder of a run. Family and "
        "size are the model's. Without SOUNDS, the sounds of the run.",
    ),
]
StartEpoch = Annotated[
    int | None,
    typer.Option("--from-epoch", min=1, show_default=False, help="With --from RUN: the epoch to start from."),
]
#: Options of the command that are settings of the shape of a model.
_SETTINGS = ("family",)


def set_options(context: typer.Context) -> frozenset[str]:
    """Return the names of the settings that were given on the command line."""
    return given_options(context, *_SETTINGS)


@dataclass(frozen=True)
class Origin:
    """What a new run starts from, if it does not start from nothing; ``chosen`` are the settings that were given."""

    start: "StartPoint | None" = None
    path: Path | None = None
    chosen: Collection[str] = ()

    @classmethod
    def of(cls, path: Path | None, epoch: int | None, chosen: Collection[str]) -> "Origin":
        """Read the model or the checkpoint.

        Raises
        ------
        DistillError
            It cannot be used.
        """
        if path is None:
            if epoch is not None:
                raise typer.BadParameter("--from-epoch needs --from with the folder of a run.")
            return cls()
        if epoch is not None and not path.is_dir():
            raise typer.BadParameter(f"--from-epoch is for the folder of a run, and {path} is one file.")
        from distill.runs.checkpoint_folder import checkpoint_of
        from distill.training.start_point import read_start

        file = checkpoint_of(path, epoch)
        return cls(read_start(file), file, chosen)

    @property
    def family(self) -> str:
        """The family of the model, unless another was asked for, which `fit` refuses."""
        return "" if self.start is None or "family" in self.chosen else self.start.config.family

    def sounds(self) -> list[Path]:
        """Return the sounds of the run that the model is from, as far as they are there."""
        return [] if self.start is None else [path for path in self.start.sounds if is_file(path)]

    def fit(self, config: "AnyConfig") -> "AnyConfig":
        """Return settings with the shape of the model.

        Raises
        ------
        ConfigurationError
            What was asked for is not the model's.
        """
        from distill.config.factory import config_from_model

        return config if self.start is None else config_from_model(config, self.start.config, self.chosen)
