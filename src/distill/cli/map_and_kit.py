"""The commands that make an instrument of a model: kit, map."""

import json
from pathlib import Path
from typing import Annotated

import typer

from distill.audio.export_options import format_of_suffix
from distill.cli.generate import write_generated
from distill.cli.options import ModelFile
from distill.cli.output.printable_text import printable
from distill.errors import ConfigurationError, DistillError
from distill.process.stop_signals import EXIT_STOPPED, stop_on_signal

#: Most sounds of a kit; `distill.generation.kits.kit_writer` has as many keys.
MOST_SOUNDS = 92


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(epilog="Example: distill kit bells.distill --count 16 --seed 1 --out ~/kits/bells")(kit)
    app.command("map", epilog="Example: distill map bells.distill --svg > bells.svg")(show_map)


def kit(
    model: ModelFile,
    out: Annotated[Path, typer.Option(file_okay=False, help="New folder for the kit.")],
    count: Annotated[int, typer.Option(min=1, max=MOST_SOUNDS, help="Number of sounds, one for each key.")] = 16,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**31, show_default=False, help="The same seed gives the same kit; else by chance."),
    ] = None,
    round_robins: Annotated[
        int, typer.Option(min=1, max=8, help="Variations of each sound that are played in turn.")
    ] = 2,
    layers: Annotated[
        int, typer.Option(min=1, max=4, help="Ranges of velocity with variations of their own, darker for soft notes.")
    ] = 2,
    name: Annotated[str, typer.Option(help="Name of the kit; without it that of the model.")] = "",
) -> None:
    """Generate sounds and write them as a kit: trimmed WAV files, and presets for SFZ players and DecentSampler."""
    from distill.generation.kits.kit_writer import check_folder

    check_folder(out)
    with stop_on_signal("Stopping.") as stop:
        from distill.errors import Cancelled
        from distill.generation.kits.kit_sounds import KitPlan, kit_sounds
        from distill.generation.kits.kit_writer import write_kit
        from distill.models.persistence import open_model

        opened = open_model(model)
        title = name.strip() or opened.metadata.name
        plan = KitPlan(count, round_robins, layers)
        try:
            written = write_kit(out, title, kit_sounds(opened, model, plan, seed, stop), cancel_event=stop)
        except Cancelled:
            raise typer.Exit(EXIT_STOPPED) from None
        except OSError as error:
            raise DistillError(f"{printable(out)} cannot be written: {error.strerror or error}.") from error
    for preset in written.presets:
        print(printable(preset))
    print(f"{count} sounds in {len(written.samples)} files. The first key is C2.")


def show_map(
    model: ModelFile,
    as_json: Annotated[bool, typer.Option("--json", help="Print the map as one JSON object.")] = False,
    as_svg: Annotated[bool, typer.Option("--svg", help="Print the map as a picture (SVG).")] = False,
    sounds: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder of the sounds, to name them; without it those of the runs on this computer.",
        ),
    ] = None,
    at: Annotated[
        str, typer.Option(metavar="X,Y", help="Generate the sound at a position of the map, for instance 0.3,0.7.")
    ] = "",
    out: Annotated[Path | None, typer.Option(dir_okay=False, help="The sound file to write with --at.")] = None,
) -> None:
    """Show where the sounds lie on a model's map, or generate the sound at a position."""
    if bool(at) != (out is not None):
        raise typer.BadParameter("--at and --out belong together: a position, and the file for its sound.")
    if as_json and as_svg:
        raise typer.BadParameter("Give either --json or --svg.")
    if at and (as_json or as_svg or sounds is not None):
        raise typer.BadParameter("--json, --svg and --sounds are for the whole map: leave them out with --at.")
    position = _position(at) if at else None
    if out is not None:
        try:
            format_of_suffix(out.suffix)
        except ConfigurationError as error:
            raise typer.BadParameter(str(error)) from error
    from distill.generation.map.map_sounds import map_of
    from distill.models.persistence import open_model

    opened = open_model(model)
    if position is not None and out is not None:
        from distill.audio.export_options import ExportOptions
        from distill.generation.generated_sound import GeneratedSound
        from distill.generation.map.map_sounds import audio_of_map, map_id, recipe_at

        recipe = recipe_at(opened, model, map_id(opened), position, {})
        options = ExportOptions(format_of_suffix(out.suffix).key)
        write_generated(out, GeneratedSound(audio_of_map(opened, recipe), recipe), options, model)
        return
    from distill.audio.sound_scan import scan_sounds
    from distill.generation.map.json_and_svg import map_summary, map_svg, map_table
    from distill.generation.map.training_sound_files import find_sounds, sounds_of_runs

    shown = map_of(opened)
    candidates = sounds_of_runs(model) if sounds is None else [entry.path for entry in scan_sounds([sounds]).entries]
    files = find_sounds(shown.fingerprints, candidates)
    names = {fingerprint: path.name for fingerprint, path in files.items()}
    if as_json:
        print(json.dumps(map_table(shown, names), allow_nan=False))
    elif as_svg:
        shown_names = {fingerprint: printable(name) for fingerprint, name in names.items()}
        print(map_svg(shown, shown_names, printable(opened.metadata.name)))
    else:
        print(printable(map_summary(shown, names)))


def _position(text: str) -> tuple[float, float]:
    """Return the two numbers of a position."""
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"--at takes two numbers from 0 to 1, for instance 0.3,0.7, not {text!r}.") from None
    if not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
        raise typer.BadParameter(f"--at takes two numbers from 0 to 1, for instance 0.3,0.7, not {text!r}.")
    return x, y
