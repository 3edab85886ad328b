"""``distill inspect``: what would be trained on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distill.cli.inspection.doctor import InspectJson, find_faults, print_findings, print_json
from distill.cli.options import Epochs, Family, Preset, Sounds, given_options
from distill.cli.output.printable_text import duration, printable
from distill.cli.run_engine import stoppable
from distill.computing.unresponsive_drives import wait_for
from distill.errors import DistillError
from distill.process.stop_signals import EXIT_STOPPED

if TYPE_CHECKING:
    from distill.audio.cache.sound_cache import SoundCache
    from distill.audio.scan_result import ScanResult, SoundEntry


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog="Example: distill inspect ~/sounds/bells")(inspect)


def inspect(
    context: typer.Context,
    sounds: Sounds,
    as_json: InspectJson = False,
    with_estimate: Annotated[
        bool, typer.Option("--estimate", help="Also print what a run on them would take: time, memory, disk.")
    ] = False,
    family: Family = "vae",
    epochs: Epochs = None,
    preset: Preset = "auto",
) -> None:
    """Show what would be trained on: the usable files, those left out with the reason, and what is wrong with sounds.

    Every file is decoded.
    With --estimate, the family, epochs and preset of the run can be given too.
    """
    if not with_estimate and given_options(context, "family", "epochs", "preset"):
        raise typer.BadParameter("--family, --epochs and --preset are for --estimate: add it, or leave them out.")
    from distill.audio.cache.sound_cache import SoundCache
    from distill.audio.sound_scan import check_sounds, scan_sounds
    from distill.audio.stereo.stereo_files import count_stereo
    from distill.cli.inspection.estimate import estimate_as_json, print_estimate
    from distill.config.factory import make_config
    from distill.runs.estimates.enough_sounds import needed_text
    from distill.training.data.split import MIN_DIVIDED_CHUNKS

    with stoppable("Stopping.") as stop:
        reasons: dict[Path, str | None] = {}
        cache = SoundCache()

        def read(_progress: object) -> "ScanResult":
            scan = scan_sounds(sounds, cancel_event=stop)
            check_sounds(scan.entries, cache, lambda entry, reason: reasons.update({entry.path: reason}), stop)
            return scan

        scan = wait_for(read, stop, sounds)
        if stop.is_set():
            raise typer.Exit(EXIT_STOPPED)
        usable = [entry for entry in scan.entries if reasons[entry.path] is None]
        findings = find_faults([entry.path for entry in usable], cache, stop)
        stereo = count_stereo([cache.get(entry.path, stop) for entry in usable], stop)
    left_out = {sound.path: sound.reason for sound in scan.skipped}
    left_out |= {path: reason for path, reason in reasons.items() if reason is not None}
    files = [entry.path for entry in usable]
    notes, is_enough = _sound_notes(files, cache), _can_be_trained_on(files, cache)
    if as_json:
        estimate = None
        if with_estimate and is_enough:
            with stoppable("Stopping.") as stop:
                estimate = estimate_as_json(files, make_config(family, len(files), preset, epochs), stop)
        print_json(usable, left_out, findings, stereo, notes, estimate)
    else:
        _print_inspection(usable, left_out, scan.passed_over_text(), notes, stereo)
        print_findings(findings)
    if not is_enough:
        raise DistillError(needed_text(MIN_DIVIDED_CHUNKS))
    if with_estimate and not as_json:
        with stoppable("Stopping.") as stop:
            print_estimate(files, make_config(family, len(files), preset, epochs), stop)


def _print_inspection(
    usable: "list[SoundEntry]", left_out: dict[Path, str], passed_over: str, notes: list[str], stereo: int
) -> None:
    from distill.audio.stereo.stereo_files import stereo_text

    for entry in usable:
        sound = f"{entry.duration_s:8.2f} s  {entry.sample_rate:6d} Hz  {entry.channels} ch"
        print(f"usable   {sound}  {printable(entry.path)}")
    for note in notes:
        print(f"note     {printable(note)}")
    for path, reason in sorted(left_out.items()):
        print(f"left out {printable(path)}: {printable(reason)}")
    if passed_over:
        print(printable(passed_over))
    total = duration(sum(entry.duration_s for entry in usable))
    print(f"{len(usable)} usable sounds, {total} together; {len(left_out)} left out.")
    if stereo:
        print(stereo_text(stereo, len(usable)))


def _sound_notes(usable: list[Path], cache: "SoundCache") -> list[str]:
    """Return what a user should know about how sounds are read and used."""
    from distill.audio.decoding.mono_decoder import SAMPLE_RATE
    from distill.training.data.audible_regions import silence_note

    sounds = [cache.get(path) for path in usable]
    notes = [f"{sound.source}: {note}" for sound in sounds for note in sound.notes]
    silence = silence_note(sounds, SAMPLE_RATE)
    return [*notes, silence] if silence else notes


def _can_be_trained_on(usable: list[Path], cache: "SoundCache") -> bool:
    from distill.audio.decoding.mono_decoder import SAMPLE_RATE
    from distill.training.data.split import can_be_divided

    return len(usable) > 1 or (len(usable) == 1 and can_be_divided(cache.get(usable[0]), SAMPLE_RATE))
