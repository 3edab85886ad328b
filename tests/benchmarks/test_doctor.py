"""How many planted faults the dataset doctor finds, and how many untouched sounds it flags.  By hand.

Thresholds were chosen on every second sound of the sorted corpus; both halves are reported.  ``DISTILL_BENCH_SOUNDS``
names the corpus.  Strangers are planted by the first word of the file names: one sound of another kind among bass
drums (``bd``), tablas or robot voices (``mehackit``).
"""

import time
import zlib
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

from distill.audio.cache.sound_cache import SoundCache
from distill.errors import SoundError
from distill.training.data.doctor.findings import Finding, findings_of
from distill.training.data.doctor.sound_measurements import MeasuredSound, measure
from tests.benchmarks.conftest import Report
from tests.support.faults import plant

pytestmark = pytest.mark.benchmark

#: Least share of planted faults that is found, and largest share of untouched sounds that is flagged.
LEAST_FOUND, MOST_FLAGGED = 0.95, 0.02
FAULTS = ("copies", "clipping", "hum", "phase", "silence", "offset")
SETS = {"bd": ("ambi", "loop", "mehackit"), "tabla": ("ambi", "loop", "mehackit"), "mehackit": ("ambi", "bd", "tabla")}


def measured_of(cache: SoundCache, path: Path) -> MeasuredSound | None:
    try:
        return measure(cache.get(path))
    except SoundError:
        return None


def flagged(findings: list[Finding]) -> dict[Path, str]:
    """Return what is said of single sounds; of copies, the best one is none."""
    found = {}
    for finding in findings:
        if finding.kind not in ("few", "lengths"):
            for path in finding.sounds[1:] if finding.kind == "copies" else finding.sounds:
                found[path] = finding.kind
    return found


def halves(files: list[Path]) -> dict[str, list[Path]]:
    return {"chosen on": files[::2], "held back": files[1::2]}


def test_untouched_sounds_and_planted_faults(bench_sounds: list[Path], report: Report, tmp_path: Path) -> None:
    cache, files = SoundCache(), sorted(bench_sounds)
    began = time.perf_counter()
    clean = {path: found for path in files if (found := measured_of(cache, path)) is not None}
    decoded = time.perf_counter()
    said = flagged(findings_of(list(clean.values())))
    report(f"{len(clean)} sounds: {decoded - began:.1f} s to decode and measure, "
           f"{time.perf_counter() - decoded:.1f} s for all findings")  # fmt: skip
    for name, half in halves(files).items():
        wrong = [path for path in half if path in said]
        named = ", ".join(f"{path.stem} ({said[path]})" for path in wrong)
        report(f"{name}: {len(wrong)} of {len(half)} untouched sounds flagged ({len(wrong) / len(half):.1%}): {named}")
    assert len(said) <= MOST_FLAGGED * len(files)
    for kind in FAULTS:
        for name, half in halves(files).items():
            count, missed = 0, []
            for path in half:
                rng = np.random.default_rng(zlib.crc32(f"{path.stem} {kind}".encode()))
                audio, rate = soundfile.read(path, always_2d=True)
                made = plant(kind, audio, rate, tmp_path / f"{kind} {path.stem}", rng)
                item = None if made is None else measured_of(cache, made)
                if item is None:
                    continue
                both = [clean[path], item] if kind == "copies" else [item]
                if any(made in finding.sounds and finding.kind == kind for finding in findings_of(both)):
                    count += 1
                else:
                    missed.append(path.stem)
            total = count + len(missed)
            report(f"{kind}, {name}: {count} of {total} found ({count / total:.3f}); missed {', '.join(missed)}")
            assert count >= LEAST_FOUND * total > 0


def test_strangers(bench_sounds: list[Path], report: Report) -> None:
    cache, kinds = SoundCache(), defaultdict(list)
    for path in sorted(bench_sounds):
        kinds[path.stem.split("_")[0]].append(measure(cache.get(path)))
    results: dict[str, list[bool]] = defaultdict(list)
    wrong = total = 0
    for own, others in SETS.items():
        for other in others:
            for number, stranger in enumerate(kinds[other]):
                found = [item for item in findings_of([*kinds[own], stranger]) if item.kind == "stranger"]
                said = {path for finding in found for path in finding.sounds}
                hit = stranger.sound.source in said
                results["chosen on" if number % 2 == 0 else "held back"].append(hit)
                wrong += sum(item.sound.source in said for item in kinds[own])
                total += len(kinds[own])
    for name, hits in results.items():
        report(f"strangers, {name}: {sum(hits)} of {len(hits)} found ({np.mean(hits):.3f})")
        assert sum(hits) >= LEAST_FOUND * len(hits) > 0
    report(f"of those around them {wrong} of {total} are flagged")
    assert wrong <= MOST_FLAGGED * total
