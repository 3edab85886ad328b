"""The commands that make sound with a finished model.

``sample``, ``vary``, ``morph``, ``extend``, ``repaint``, ``transform``, ``reconstruct``, ``remake``, ``encode`` and
``decode``.
"""

import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distill import paths
from distill.audio.export_options import RATES, ExportOptions, format_of_suffix
from distill.cli.options import ExportedFormat, ModelFile, Mono, Rate, SoundFile, Stereo
from distill.cli.output.printable_text import printable
from distill.errors import ConfigurationError, DistillError, ModelReplacedError
from distill.names import file_name, slug
from distill.process.stop_signals import EXIT_STOPPED, stop_on_signal

if TYPE_CHECKING:
    from distill.generation.generated_sound import GeneratedSound, GeneratedStream

MAX_SAMPLES = 1000

OutFile = Annotated[
    Path,
    typer.Argument(
        metavar="OUT", dir_okay=False, help="The sound file to write: .wav, .flac, .ogg or .mp3. None is overwritten."
    ),
]
OutFolder = Annotated[Path, typer.Option(file_okay=False, help="Folder to write to.")]
SecondFile = Annotated[
    Path,
    typer.Argument(metavar="IN2", exists=True, dir_okay=False, readable=False, help="The sound at the other end."),
]
Count = Annotated[int, typer.Option(min=1, max=MAX_SAMPLES, help="How many sounds.")]
DrawSeed = Annotated[
    int | None,
    typer.Option(min=0, max=2**31, show_default=False, help="The same seed gives the same sounds; else by chance."),
]
Similar = Annotated[
    bool,
    typer.Option(
        "--similar",
        help="Make a similar sound where the exact one cannot be made again: the model was trained further, or another "
        "version of Distill drew it.",
    ),
]
_CODES = "The file of codes (.npz)."
CodesFile = Annotated[Path, typer.Argument(metavar="CODES", dir_okay=False, help=_CODES)]
ExistingCodes = Annotated[
    Path, typer.Argument(metavar="CODES", exists=True, dir_okay=False, readable=False, help=_CODES)
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(epilog="Example: distill sample bells.distill --count 8 --seed 1 --out ~/new-bells")(sample)
    app.command(epilog="Example: distill vary bells.distill bell.wav --strength 0.4 --count 8 --out ~/bells")(vary)
    app.command(epilog="Example: distill morph bells.distill bell.wav gong.wav --steps 8 --out ~/morph")(morph)
    app.command(epilog="Example: distill extend bells.distill bell.wav long-bell.wav --seconds 3")(extend)
    app.command(epilog="Example: distill repaint bells.distill loop.wav new-loop.wav --from 0.5 --to 1.0")(repaint)
    app.command(epilog="Example: distill transform bells.distill rain.wav rain-of-bells.flac --mix 0.7")(transform)
    app.command(epilog="Example: distill reconstruct bells.distill bell.wav bell-again.wav")(reconstruct)
    app.command(epilog="Example: distill remake bells_seed1_03.wav again.wav --format wav24")(remake)
    app.command(epilog="Example: distill encode bells.distill bell.wav bell.npz")(encode)
    app.command(epilog="Example: distill decode bells.distill bell.npz bell-again.wav")(decode)


def sample(
    model: ModelFile,
    count: Count = 4,
    seed: DrawSeed = None,
    out: OutFolder = Path(),
    temperature: Annotated[
        float, typer.Option(min=0.0, max=4.0, help="How far sounds stray: under 1 more typical, over 1 odder.")
    ] = 1.0,
    seconds: Annotated[
        float | None,
        typer.Option(min=0.1, max=30.0, show_default=False, help="Length; without it like the model's own sounds."),
    ] = None,
    freedom: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, show_default=False, help="0: closer to the model's own sounds, 1: freer."),
    ] = None,
    follow_stars: Annotated[
        bool, typer.Option("--follow-stars", help="Make them like the model's sounds that you starred in the window.")
    ] = False,
    format: ExportedFormat = None,
    rate: Rate = 48_000,
    stereo: Stereo = False,
    mono: Mono = False,
) -> None:
    """Make new sounds.  The file names hold the seed that brings them back."""
    options = _options(format or "wav16", rate, stereo, mono)
    with _stoppable() as stop:
        from distill.generation.new_sounds import make_new
        from distill.models.persistence import open_model

        opened, taste = open_model(model), None
        if follow_stars:
            from distill.generation.starred_sounds import read_taste

            taste = read_taste(opened, cancel_event=stop)
        for generated in make_new(opened, model, count, seed, temperature, stop, seconds, freedom, taste, mono=mono):
            recipe = generated.recipe
            name = f"{slug(model.stem)}_{recipe.draw_name}_{recipe.number:02d}"
            write_generated(out / file_name(name, options.kind.suffix), generated, options, model)


def vary(
    model: ModelFile,
    source: SoundFile,
    strength: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="0: the model's copy of the sound, 1: nothing to do with it.")
    ] = 0.4,
    count: Count = 4,
    seed: DrawSeed = None,
    out: OutFolder = Path(),
    format: ExportedFormat = None,
    rate: Rate = 48_000,
    stereo: Stereo = False,
    mono: Mono = False,
) -> None:
    """Make variations of a sound, as long and as loud as it is."""
    options = _options(format or "wav16", rate, stereo, mono)
    with _stoppable() as stop:
        from distill.generation.recipe import VARIED

        chosen = _chosen(seed)
        for generated in _from_sound(
            model, VARIED, source, stop, mono=mono, strength=strength, count=count, seed=chosen
        ):
            name = f"{slug(source.stem)}_varied_seed{generated.recipe.seed}_{generated.recipe.number:02d}"
            write_generated(out / file_name(name, options.kind.suffix), generated, options, model)


def morph(
    model: ModelFile,
    first: SoundFile,
    second: SecondFile,
    steps: Annotated[int, typer.Option(min=2, max=MAX_SAMPLES, help="How many sounds, both ends included.")] = 8,
    out: OutFolder = Path(),
    format: ExportedFormat = None,
    rate: Rate = 48_000,
    stereo: Stereo = False,
    mono: Mono = False,
) -> None:
    """Go from one sound to another in evenly spaced steps."""
    options = _options(format or "wav16", rate, stereo, mono)
    with _stoppable() as stop:
        from distill.generation.recipe import MORPHED

        for generated in _from_sound(model, MORPHED, first, stop, second, mono=mono, count=steps):
            name = f"{slug(first.stem)}_to_{slug(second.stem)}_{generated.recipe.number:02d}"
            write_generated(out / file_name(name, options.kind.suffix), generated, options, model)


def extend(
    model: ModelFile,
    source: SoundFile,
    target: OutFile,
    seconds: Annotated[float, typer.Option(min=0.1, max=30.0, help="How much longer the sound gets.")] = 1.0,
    seed: DrawSeed = None,
    format: ExportedFormat = None,
    rate: Rate = 48_000,
    stereo: Stereo = False,
    mono: Mono = False,
) -> None:
    """Let a sound go on after its end; what is there stays as it is."""
    options = _options_of(target, format, rate, stereo, mono)
    _refuse_same(target, source)
    with _stoppable() as stop:
        from distill.generation.recipe import EXTENDED

        for generated in _from_sound(model, EXTENDED, source, stop, mono=mono, seconds=seconds, seed=_chosen(seed)):
            write_generated(target, generated, options, model)


def repaint(
    model: ModelFile,
    source: SoundFile,
    target: OutFile,
    start: Annotated[float, typer.Option("--from", min=0.0, metavar="S", help="Begin of the new part, in seconds.")],
    end: Annotated[float, typer.Option("--to", min=0.0, metavar="S", help="End of the new part, in seconds.")],
    seed: DrawSeed = None,
    format: ExportedFormat = None,
    rate: Rate = 48_000,
    stereo: Stereo = False,
    mono: Mono = False,
) -> None:
    """Replace a part of a sound by a new one; the rest stays as it is."""
    if end <= start:
        raise typer.BadParameter(f"--to must be later than --from, and {end:g} s is not later than {start:g} s.")
    options = _options_of(target, format, rate, stereo, mono)
    _refuse_same(target, source)
    with _stoppable() as stop:
        from distill.generation.recipe import REPAINTED

        for generated in _from_sound(
            model, REPAINTED, source, stop, mono=mono, start=start, end=end, seed=_chosen(seed)
        ):
            write_generated(target, generated, options, model)


def transform(
    model: ModelFile,
    source: SoundFile,
    target: OutFile,
    mix: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="The model's share of the result; the rest is the sound itself.")
    ] = 1.0,
    format: ExportedFormat = None,
    rate: Rate = 48_000,
    stereo: Stereo = False,
    mono: Mono = False,
) -> None:
    """Send a sound of any length through a model, without seams, and blend it with itself."""
    options = _options_of(target, format, rate, stereo, mono)
    _refuse_same(target, source)
    with _stoppable() as stop, _reading(source):
        from distill.generation.transform import stream_transform
        from distill.models.persistence import open_model

        stream = stream_transform(open_model(model), model, source, mix, None, stop, mono)
        write_generated(target, stream, options, model)


def reconstruct(
    model: ModelFile,
    source: SoundFile,
    target: OutFile,
    format: ExportedFormat = None,
    rate: Rate = 48_000,
    stereo: Stereo = False,
    mono: Mono = False,
) -> None:
    """Encode and decode a sound chunk by chunk: what a model keeps of it."""
    options = _options_of(target, format, rate, stereo, mono)
    _refuse_same(target, source)
    with _stoppable() as stop, _reading(source):
        from distill.audio.decoding.mono_decoder import measure_mono

        measure_mono(source, stop)  # a sound that cannot be used is told before the model is opened
        from distill.generation.transform import stream_reconstruction
        from distill.models.persistence import open_model

        write_generated(target, stream_reconstruction(open_model(model), model, source, stop, mono), options, model)


def remake(
    source: SoundFile,
    target: OutFile,
    format: ExportedFormat = None,
    rate: Rate = 48_000,
    stereo: Stereo = False,
    mono: Mono = False,
    similar: Similar = False,
) -> None:
    """Make a sound again that Distill made, from the recipe in its file: in another format, or after an edit."""
    options = _options_of(target, format, rate, stereo, mono)
    _refuse_same(target, source)
    with _stoppable() as stop:
        from distill.generation.recipe import read_recipe
        from distill.generation.remake import stream_again
        from distill.library.model_library import ModelLibrary

        recipe = read_recipe(source)
        if recipe is None:
            raise DistillError(f"{source} does not say how it was made: it was not made by Distill, or was edited.")
        print(printable(recipe.reads()), file=sys.stderr, flush=True)
        try:
            generated = stream_again(recipe, ModelLibrary(paths.models_dir()), cancel_event=stop, takes_nearest=similar)
        except ModelReplacedError as exc:
            raise DistillError(f"{exc} --similar makes that one.") from exc
        write_generated(target, generated, options)


def encode(model: ModelFile, source: SoundFile, target: CodesFile) -> None:
    """Encode a sound to codes with a residual-VQ model: a NumPy archive, described in the README.

    A file of that name is replaced.
    """
    if target.suffix.lower() != ".npz":
        raise typer.BadParameter(f"CODES is written as a NumPy archive, so its name must end in .npz: {target}")
    with _reading(source):
        from distill.audio.decoding.mono_decoder import decode_sound

        audio = decode_sound(source, normalize=False)
    import torch

    from distill.models.codes_file import save_codes
    from distill.models.persistence import load_model_v2

    codes = load_model_v2(model).encode(torch.from_numpy(audio)[None, None])
    with _writing(target):
        save_codes(target, codes)
    print(printable(target))


def decode(
    model: ModelFile,
    source: ExistingCodes,
    target: OutFile,
    format: ExportedFormat = None,
    rate: Rate = 48_000,
    stereo: Stereo = False,
    mono: Mono = False,
) -> None:
    """Decode codes to a sound with the residual-VQ model that they are of."""
    options = _options_of(target, format, rate, stereo, mono)
    from distill.audio.export import export_sound
    from distill.models.codes_file import load_codes
    from distill.models.persistence import load_model_v2

    codes = load_codes(source)
    sound = load_model_v2(model).decode(codes)[0, 0].cpu().numpy()
    with _writing(target):
        print(printable(export_sound(target, sound, options).path))


# --- what the commands share -------------------------------------------------------------------------------------


def _options(format: str, rate: int, stereo: bool, mono: bool) -> ExportOptions:
    if stereo and mono:
        raise typer.BadParameter("Give either --stereo or --mono.")
    if rate not in RATES:
        raise typer.BadParameter(f"--rate must be one of {', '.join(map(str, RATES))}, not {rate}.")
    try:
        return ExportOptions(format, rate, stereo if stereo or mono else None)
    except ConfigurationError as error:
        raise typer.BadParameter(str(error)) from error


def _options_of(target: Path, format: str | None, rate: int, stereo: bool, mono: bool) -> ExportOptions:
    """Return the options for a file whose name says what it is, unless ``--format`` says it more exactly."""
    try:
        options = _options(format or format_of_suffix(target.suffix).key, rate, stereo, mono)
    except ConfigurationError as error:
        raise typer.BadParameter(str(error)) from error
    if target.suffix.lower() != options.kind.suffix:
        raise typer.BadParameter(
            f"OUT is written as {options.kind.label}, so its name must end in {options.kind.suffix}: "
            f"{printable(target)}"
        )
    return options


def _from_sound(
    model: Path, kind: str, source: Path, stop: threading.Event, second: Path | None = None, **settings: Any
) -> Iterator["GeneratedSound"]:
    """Yield what a model makes from a sound, with the errors that a terminal shows."""
    from distill.generation.generated_sound import check_wanted
    from distill.generation.vary_morph_extend import make_from_sound
    from distill.models.persistence import open_model

    for path in (source, second):
        if path is not None:
            with _reading(path):
                from distill.generation.source_limits import measure_source

                measure_source(path, kind, stop)  # a sound that cannot be used is reported before the model is opened
    check_wanted(stop)
    opened = open_model(model)
    try:
        yield from make_from_sound(opened, model, kind, source, second, stop, **settings)
    except ValueError as error:
        raise error if isinstance(error, DistillError) else DistillError(str(error)) from error


def _chosen(seed: int | None) -> int:
    """Return a seed: the one that was given, or one by chance."""
    return secrets.randbelow(2**31) if seed is None else seed


def _refuse_same(target: Path, source: Path) -> None:
    if target.exists() and target.samefile(source):
        raise typer.BadParameter("OUT is IN itself. Choose another name.")


@contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C sets; what is written by then stays."""
    with stop_on_signal("Stopping.") as stop:
        from distill.errors import Cancelled

        try:
            yield stop
        except Cancelled:
            raise typer.Exit(EXIT_STOPPED) from None


@contextmanager
def _reading(source: Path) -> Iterator[None]:
    from distill.errors import SoundError

    try:
        yield
    except SoundError as error:
        raise DistillError(f"{source} cannot be used: {error}") from error


def write_generated(
    target: Path,
    generated: "GeneratedSound | GeneratedStream",
    options: ExportOptions,
    model: Path | None = None,
) -> None:
    """Write a generated sound with its recipe, remember it in the history, and print its path.

    The ``model`` that it was just generated with is kept for the recipe; None where that is done.
    """
    from distill.audio.export import export_sound
    from distill.generation.history.kept_weights import keep_weights
    from distill.generation.history.sound_history import GeneratedEntry, GeneratedHistory

    with _writing(target):
        recipe = generated.recipe
        written = export_sound(target, generated.blocks, options, recipe.title(), recipe.to_text()).path
    print(printable(written), flush=True)
    try:
        GeneratedHistory().add([GeneratedEntry(written.absolute(), generated.recipe)])
    except OSError as error:
        reason = error.strerror or error
        print(f"Note: the history of generated sounds could not be written ({reason}).", file=sys.stderr)
    if model is not None:  # once the list names them: those that it does not name are deleted
        keep_weights(model, recipe.map or recipe.weights)  # a resumed run replaces the file


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DistillError(f"{target} cannot be written: {error.strerror or error}.") from error
