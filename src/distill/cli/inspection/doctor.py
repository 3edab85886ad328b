"""The dataset doctor in a terminal: its findings, and the fixes that a run is given."""

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distill.cli.output.printable_text import printable

if TYPE_CHECKING:
    from distill.audio.cache.sound_cache import SoundCache
    from distill.audio.decoding.sound_fix import SoundFix
    from distill.audio.scan_result import SoundEntry
    from distill.training.data.doctor.findings import Finding

#: Kinds of findings that have a fix.
FIXABLE = ("copies", "clipping", "hum", "phase", "silence", "stranger")


def _fix_kind(text: str) -> str:
    if text not in ("all", *FIXABLE):
        raise typer.BadParameter(f"{text!r} is not one of all, {', '.join(FIXABLE)}.")
    return text


Fix = Annotated[
    list[str] | None,
    typer.Option(
        "--fix",
        metavar="KIND",
        parser=_fix_kind,
        show_default=False,
        help="Fix what distill inspect finds, when sounds are read; your files stay as they are. Can be given several "
        f"times. One of all, {', '.join(FIXABLE)}.",
    ),
]
InspectJson = Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")]


def find_faults(files: Sequence[Path], cache: "SoundCache", stop: threading.Event) -> "list[Finding]":
    """Return what the doctor finds in sounds that can be used.

    Raises
    ------
    DistillError
        The disk is full, or the cache cannot be written to.
    Cancelled
        The user stopped.
    """
    from distill.errors import SoundError
    from distill.training.data.doctor.findings import examine

    sounds = []
    for path in files:
        try:
            sounds.append(cache.get(path, stop))
        except SoundError:  # reported elsewhere
            continue
    return examine(sounds, cancel_event=stop)


def doctor_fixes(files: Sequence[Path], kinds: Sequence[str], stop: threading.Event) -> "dict[Path, SoundFix]":
    """Return the fixes of some kinds for sounds, by file; errors are those of `find_faults`."""
    if not kinds:
        return {}
    from distill.audio.cache.sound_cache import SoundCache
    from distill.training.data.doctor.findings import merged_fixes

    findings = find_faults(files, SoundCache(), stop)
    return merged_fixes(finding for finding in findings if "all" in kinds or finding.kind in kinds)


def print_findings(findings: "Sequence[Finding]") -> None:
    """Print findings with their sounds, and how to fix them."""
    for finding in findings:
        print(f"found    {printable(finding.title)}")
        for path in finding.sounds:
            print(f"           {printable(path)}")
        print(f"         {printable(finding.why)}")
        if finding.done_text:
            print(f"         {printable(finding.done_text)}")
        if finding.fixes:
            print(f"         {printable(finding.fix_text)} (distill train --fix {finding.kind})")


def print_json(
    usable: "Sequence[SoundEntry]",
    skipped: Mapping[Path, str],
    findings: "Sequence[Finding]",
    stereo: int,
    notes: Sequence[str],
    estimate: Mapping[str, Any] | None = None,
) -> None:
    """Print sounds, how many of them are stereo, what is said of how they are read, and findings as a JSON object.

    An estimate of a run on them is added to it.
    """
    sounds = [
        {"path": str(e.path), "seconds": e.duration_s, "sample_rate": e.sample_rate, "channels": e.channels}
        for e in usable
    ]
    left_out = [{"path": str(path), "reason": reason} for path, reason in sorted(skipped.items())]
    found = [item.to_dict() for item in findings]
    said: dict[str, Any] = {"notes": list(notes), "stereo": stereo, "findings": found}
    if estimate is not None:
        said["estimate"] = dict(estimate)
    print(json.dumps({"usable": sounds, "left_out": left_out, **said}))
