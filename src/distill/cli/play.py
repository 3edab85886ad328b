"""The commands that make an instrument of a model: kit, map."""

from pathlib import Path
from typing import Annotated

import typer

from distill.cli.options import ModelFile
from distill.cli.terminal import printable
from distill.errors import DistillError
from distill.runtime import EXIT_STOPPED, stop_on_signal

#: Most sounds of a kit; `distill.generation.kit` has as many keys.
MOST_SOUNDS = 92


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(epilog="Example: distill kit bells.distill --count 16 --seed 1 --out ~/kits/bells")(kit)


def kit(
    model: ModelFile,
    out: Annotated[Path, typer.Option(file_okay=False, help="New folder for the kit.")],
    count: Annotated[int, typer.Option(min=1, max=MOST_SOUNDS, help="Number of sounds, one for each key.")] = 16,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**31, show_default=False, help="The same seed gives the same kit; else by chance."),
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the kit; without it that of the model.")] = "",
) -> None:
    """Generate sounds and write them as a kit: trimmed WAV files, and presets for SFZ players and DecentSampler."""
    from distill.generation.kit import check_folder

    check_folder(out)
    with stop_on_signal("Stopping.") as stop:
        from distill.audio.decoding.sound_file import DecodingCancelled
        from distill.generation.kit import write_kit
        from distill.generation.kit_sounds import kit_sounds
        from distill.models.persistence import open_model

        opened = open_model(model)
        title = name.strip() or opened.metadata.name
        try:
            written = write_kit(out, title, kit_sounds(opened, model, count, seed, stop), cancel_event=stop)
        except DecodingCancelled:
            raise typer.Exit(EXIT_STOPPED) from None
        except OSError as error:
            raise DistillError(f"{printable(out)} cannot be written: {error.strerror or error}.") from error
    for preset in written.presets:
        print(printable(preset))
    print(f"{count} sounds in {len(written.samples)} files. The first key is C2.")
