"""The sounds that a command is given: finds them, and refuses too few for a run."""

import math
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from distill.cli.output.text import printable
from distill.cli.run_engine import say
from distill.computing.unresponsive_drives import wait_for
from distill.errors import NotEnoughSoundsError, SoundError

if TYPE_CHECKING:
    from distill.audio.scan_result import ScanResult, SoundEntry


def find_sounds(given: list[Path], demo: bool, stop: threading.Event, as_json: bool) -> tuple[list[Path], int]:
    """Return all files to give to the engine, which reports the bad ones, and how many look usable.

    Raises
    ------
    NotEnoughSoundsError
        A run could not begin with them.
    """
    from distill.audio.sound_scan import scan_sounds

    if demo:
        from distill.audio.demo.demo_sounds import write_demo_sounds

        given = [*given, *write_demo_sounds()]
    scan = wait_for(lambda _progress: scan_sounds(given, cancel_event=stop), stop, given)
    if text := scan.passed_over_text():
        say(printable(text), as_json)
    _refuse_too_few(scan, given)
    _refuse_too_few(wait_for(lambda _progress: _first_usable_sounds(scan, stop), stop, given), given)
    files = [entry.path for entry in scan.entries] + [sound.path for sound in scan.skipped]
    return files, len(scan.entries)


def _first_usable_sounds(scan: "ScanResult", stop: threading.Event) -> "ScanResult":
    """Return the first two sounds that can be used, and what cannot be used before them: silence has a header, too.

    The run finds in the cache what is decoded here.
    """
    from distill.audio.cache.sound_cache import SoundCache
    from distill.audio.scan_result import SkippedSound

    cache, skipped = SoundCache(), list(scan.skipped)
    usable: list[SoundEntry] = []
    for entry in scan.entries:
        try:
            cache.get(entry.path, stop)
        except SoundError as exc:
            skipped.append(SkippedSound(entry.path, str(exc)))
        else:
            usable.append(entry)
        if len(usable) > 1:
            break
    return replace(scan, entries=tuple(usable), skipped=tuple(skipped))


def _refuse_too_few(scan: "ScanResult", given: list[Path]) -> None:
    from distill.runs.estimates.enough_sounds import too_few_text
    from distill.training.data.split import MIN_DIVIDED_CHUNKS

    entries = scan.entries
    if len(entries) > 1 or (entries and math.ceil(entries[0].duration_s) >= MIN_DIVIDED_CHUNKS):
        return
    if not scan.file_count:
        raise NotEnoughSoundsError(f"There are no sounds in {given[0]}. Choose a folder of sounds.")
    usable = f"only {entries[0].name} can be used" if entries else "none can be used"
    raise NotEnoughSoundsError(too_few_text(MIN_DIVIDED_CHUNKS, usable, scan.skipped))
