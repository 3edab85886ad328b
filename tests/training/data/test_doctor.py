"""Planted faults are found, untouched sounds are not flagged, and the text says what to do."""

import itertools
import threading
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from distill.audio.cache.sound_cache import SoundCache
from distill.audio.decoding.sound_fix import SoundFix
from distill.errors import Cancelled
from distill.training.data.doctor import duplicates
from distill.training.data.doctor.findings import Finding, examine, findings_of, merged_fixes, strangeness
from distill.training.data.doctor.sound_measurements import measure
from tests.support.faults import LOSSLESS, full_scale, plant, write

RATE = 44_100


def pluck(number: int, seconds: float = 1.2) -> Any:
    """A decaying tone ``[frames, 1]`` that begins at once, different for each number."""
    rng = np.random.default_rng(number)
    t = np.arange(round(seconds * RATE)) / RATE
    pitch = 83.0 * 1.13**number
    partials = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 5))
    return full_scale(((partials + 0.02 * rng.standard_normal(t.size)) * np.exp(-5 * t))[:, None])


def examined(cache: SoundCache, *files: Path) -> list[Finding]:
    return [f for f in examine([cache.get(path) for path in files]) if f.kind != "few"]


@pytest.fixture
def cache(tmp_path: Path) -> SoundCache:
    return SoundCache(tmp_path / "cache")


@pytest.fixture
def clean(tmp_path: Path) -> list[Path]:
    """Six sounds without a fault."""
    made = []
    for number in range(6):
        made.append(tmp_path / f"pluck {number}.wav")
        soundfile.write(made[-1], 0.9 * pluck(number), RATE)
    return made


def test_untouched_sounds_are_not_flagged(cache: SoundCache, clean: list[Path]) -> None:
    assert examine([cache.get(path) for path in clean]) == []


#: Kind of fault, what training does about it by itself, and a fix of one of the sounds.
FAULTS = [
    ("copies", "", {"weight": 0.5}),
    ("clipping", "", {"leaves_out": True}),
    ("hum", "", {"hum_hz": None}),
    ("phase", "louder channel is used already", {}),
    ("silence", None, None),
    ("offset", "removed already", {}),
]


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize(("kind", "done", "fix"), FAULTS)
def test_planted_faults_are_found(
    cache: SoundCache, tmp_path: Path, kind: str, done: str | None, fix: dict[str, Any] | None, number: int
) -> None:
    rng = np.random.default_rng(zlib.crc32(f"{kind} {number}".encode()))
    original = tmp_path / "original.flac"
    soundfile.write(original, 0.5 * pluck(number), RATE)
    made = plant(kind, pluck(number), RATE, tmp_path / "made", rng)
    assert made is not None
    before = made.read_bytes()
    found = examined(cache, original, made) if kind == "copies" else examined(cache, made)
    [finding] = [item for item in found if item.kind == kind]
    assert made in finding.sounds
    assert finding.why
    if done is not None:
        assert done in finding.done_text
    if fix is not None:
        chosen = finding.fixes.get(made, SoundFix()).to_dict()
        assert chosen.keys() == fix.keys()
        assert all(wanted is None or chosen[name] == wanted for name, wanted in fix.items())
    assert made.read_bytes() == before


def test_silence_that_is_kept_is_told_from_silence_that_is_skipped(cache: SoundCache, tmp_path: Path) -> None:
    """A sound that fits into a chunk is not cut by itself."""
    short, long = tmp_path / "short.wav", tmp_path / "long.wav"
    soundfile.write(short, np.pad(pluck(0, 0.3), ((RATE // 2, 0), (0, 0))), RATE)
    soundfile.write(long, np.pad(pluck(1, 0.3), ((RATE, 0), (0, 0))), RATE)
    kept, skipped = (item for item in examined(cache, short, long) if item.kind == "silence")
    assert (kept.sounds, kept.fixes, kept.done_text) == ((short,), {short: SoundFix(trims=True)}, "")
    assert (skipped.sounds, skipped.fixes) == ((long,), {})
    assert "skipped already" in skipped.done_text


def test_a_sound_whose_beginning_is_all_zeros_is_measured(
    cache: SoundCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.training.data.doctor.sound_measurements.MEASURED_S", 2.0)
    late = tmp_path / "late.wav"
    soundfile.write(late, np.pad(pluck(0), ((3 * RATE, 0), (0, 0))), RATE)
    facts = measure(cache.get(late)).facts
    assert facts.lead_s == pytest.approx(3.0, abs=0.05)
    assert (facts.clipped, facts.offset, facts.hum_certainty) == (0, 0, 0)
    assert [item.kind for item in examined(cache, late)] == ["silence"]


@pytest.mark.parametrize(("periods", "seconds"), [(0.7, 0.01), (1.5, 0.02), (2.5, 0.1), (7.5, 0.4)])
def test_a_wave_that_ends_within_a_period_is_not_off_centre(
    cache: SoundCache, tmp_path: Path, periods: float, seconds: float
) -> None:
    """Synthesizers come with hundreds of such files; their mean is not that of a bad converter."""
    at = np.arange(round(seconds * RATE)) / (seconds * RATE)
    wave = 0.5 * np.sin(2 * np.pi * periods * at)
    assert abs(wave.mean()) > 0.04 * abs(wave).max()
    plain, moved = saved(tmp_path / "plain.wav", wave), saved(tmp_path / "moved.wav", wave + 0.4)
    assert measure(cache.get(plain)).facts.offset == 0
    if periods > 7:
        assert measure(cache.get(moved)).facts.offset > 0.3


def test_channels_that_nearly_cancel_get_the_louder_one(cache: SoundCache, tmp_path: Path) -> None:
    file = tmp_path / "wide.wav"
    tone = pluck(0)[:, 0]
    soundfile.write(file, np.stack([0.4 * tone, -tone], axis=1), RATE)
    [finding] = examined(cache, file)
    assert (finding.kind, finding.fixes) == ("phase", {file: SoundFix(channel=1)})


def test_a_stranger_is_found(cache: SoundCache, tmp_path: Path, clean: list[Path]) -> None:
    more = [tmp_path / f"more {number}.wav" for number in range(6, 9)]
    for number, path in enumerate(more, 6):
        soundfile.write(path, 0.9 * pluck(number), RATE)
    stranger, t = tmp_path / "stranger.wav", np.arange(3 * RATE) / RATE
    noise = np.random.default_rng(0).standard_normal(t.size)
    soundfile.write(stranger, 0.3 * noise * (1 + np.sin(2 * np.pi * 4 * t)), RATE)
    found = examined(cache, *clean, *more, stranger)
    assert [(item.kind, item.sounds) for item in found] == [("stranger", (stranger,))]


def test_few_sounds_and_unequal_lengths(cache: SoundCache, tmp_path: Path, clean: list[Path]) -> None:
    long = tmp_path / "long.wav"
    soundfile.write(long, np.concatenate([0.9 * pluck(n, 2.0) for n in range(9, 25)]), RATE)
    found = {item.kind: item for item in examine([cache.get(path) for path in (*clean[:2], long)])}
    assert "3 are different" in found["few"].title
    assert found["lengths"].sounds == (long,)
    assert "counts the same" in found["lengths"].done_text


def test_fixes_of_one_sound_add_up(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    findings = [
        Finding("hum", "", "", (path,), {path: SoundFix(hum_hz=50.0)}),
        Finding("copies", "", "", (path,), {path: SoundFix(weight=0.5)}),
    ]
    assert merged_fixes(findings) == {path: SoundFix(hum_hz=50.0, weight=0.5)}


def test_measuring_can_be_stopped_and_is_kept(
    cache: SoundCache, clean: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, done = threading.Event(), []

    def on_progress(count: int, _total: int) -> None:
        done.append(count)
        stop.set()

    sounds = [cache.get(path) for path in clean]
    with pytest.raises(Cancelled):
        examine(sounds, on_progress, stop)
    assert done == [1]
    monkeypatch.setattr(
        "distill.training.data.doctor.sound_measurements._facts", lambda *_: pytest.fail("measured again")
    )
    assert findings_of([measure(sounds[0])])[0].kind == "few"


def test_lossless_formats_are_those_that_keep_clipping(tmp_path: Path, cache: SoundCache) -> None:
    """The helper itself: what is clipped stays clipped, at any level."""
    rng = np.random.default_rng(0)
    for kind in LOSSLESS:
        file = write(tmp_path / kind[1], np.clip(3 * pluck(0), -1, 1), RATE, rng, kind)
        assert "clipping" in {item.kind for item in examined(cache, file)}


@pytest.mark.parametrize(
    ("peak", "coding"),
    [(0.0004, "PCM_16"), (0.001, "PCM_16"), (0.00115, "PCM_16"), (0.0019, "PCM_16"), (0.1, "PCM_U8"), (0.35, "PCM_U8")],
)
def test_the_steps_of_a_quiet_file_are_not_clipping(
    cache: SoundCache, tmp_path: Path, peak: float, coding: str
) -> None:
    """A sine of -60 dB was called clipped: with 16 bits its crests are a few steps high, and flat within each."""
    file, at = tmp_path / "quiet.wav", np.arange(RATE) / RATE
    soundfile.write(file, peak * np.sin(2 * np.pi * 220 * at), RATE, subtype=coding)
    assert measure(cache.get(file)).facts.clipped == 0


@pytest.mark.parametrize(
    ("peak", "coding"), [(0.003, "PCM_16"), (0.003, "PCM_24"), (0.001, "FLOAT"), (0.7, "PCM_U8"), (0.7, "PCM_16")]
)
def test_clipping_is_found_where_the_steps_are_finer(
    cache: SoundCache, tmp_path: Path, peak: float, coding: str
) -> None:
    file, at = tmp_path / "clipped.wav", np.arange(RATE) / RATE
    soundfile.write(file, peak * np.clip(1.5 * np.sin(2 * np.pi * 220 * at), -1, 1), RATE, subtype=coding)
    assert measure(cache.get(file)).facts.clipped > 100


def saved(path: Path, audio: Any) -> Path:
    soundfile.write(path, audio, 48_000, subtype="PCM_16")
    return path


def peak_bytes(work: Any) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_for_thousands_of_short_sounds(cache: SoundCache, tmp_path: Path) -> None:
    """The window examines what is in its list by itself: 20 000 hits took 8 GB for their beginnings alone."""
    files = [saved(tmp_path / f"{n}.wav", pluck(n, 0.1)) for n in range(20)]
    measured = [measure(cache.get(path)) for path in files]
    assert peak_bytes(lambda: duplicates.find_duplicates(measured)) < 20 * 200_000 + 2_000_000
    timbres = np.random.default_rng(0).standard_normal((3000, 70))
    assert peak_bytes(lambda: strangeness(timbres)) < 130e6


def test_of_very_many_sounds_equal_ones_are_found(
    cache: SoundCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each was compared with each: five thousand hits took hours."""
    sound = pluck(1)
    different = {"a": sound, "b": sound, "c": 0.3 * sound, "d": pluck(2)}
    measured = [measure(cache.get(saved(tmp_path / f"{name}.wav", audio))) for name, audio in different.items()]
    assert [sorted(group) for group in duplicates.find_duplicates(measured)] == [[0, 1, 2]]
    monkeypatch.setattr(duplicates, "MOST_COMPARED", 3)
    assert [sorted(group) for group in duplicates.find_duplicates(measured)] == [[0, 1]]


def correlated(first: Any, second: Any) -> float:
    """The largest correlation of two beginnings over all shifts, also between samples, in the simplest way."""
    product = first.spectrum * np.conj(second.spectrum)
    best = 0.0
    for finer in (1, 4):
        shifts = np.arange(-3000 * finer, 3000 * finer + 1)
        values = np.abs(np.fft.irfft(product, finer << 15)[shifts] * finer)
        whole = np.rint(shifts / finer).astype(int)
        shared = [
            one.energy[np.clip(stop, 0, one.samples)] - one.energy[np.clip(start, 0, one.samples)]
            for one, start, stop in ((first, whole, second.samples + whole), (second, -whole, first.samples - whole))
        ]
        allowed = (shared[0] >= 0.4 * first.energy[-1]) & (shared[1] >= 0.4 * second.energy[-1])
        best = float(np.where(allowed, values / np.sqrt(np.maximum(shared[0] * shared[1], 1e-12)), 0.0).max())
        if best < 0.5:
            break
    return best


def test_short_transforms_find_the_same_copies(cache: SoundCache, tmp_path: Path) -> None:
    """Each pair of hits was compared as if it were two seconds long: 500 of one machine took minutes."""
    beginnings = []
    for number, seconds in enumerate([0.06, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.9, 1.3, 2.5]):
        rng = np.random.default_rng(number)
        t = np.arange(int(seconds * RATE)) / RATE
        hit = np.sin(2 * np.pi * rng.uniform(170, 190) * t) * np.exp(-12 * t)
        noisy = hit + rng.uniform(0.02, 0.3) * np.exp(-20 * t) * rng.standard_normal(len(t))
        for part, audio in enumerate((hit, noisy)):
            moved = np.pad(0.5 * audio, (part * 301, 0))
            beginnings.append(duplicates._Beginning.of(cache.get(saved(tmp_path / f"{number} {part}.wav", moved))))
    expected = []
    for first, second in itertools.combinations(beginnings, 2):
        value = correlated(first, second)
        assert duplicates._correlation(first, second, 1 << 15) == pytest.approx(value, abs=1e-5)
        size = max(1 << 13, 1 << (first.samples + second.samples - 1).bit_length())
        assert duplicates._correlation(first, second, min(size, 1 << 15)) == pytest.approx(value, abs=1e-3)
        for wanted in (duplicates.LOSSY_CORRELATION, duplicates.CORRELATION, value - 1e-4, value + 1e-4):
            assert duplicates._are_duplicates(first, second, wanted) is (value >= wanted)
        expected.append(value >= duplicates.LOSSY_CORRELATION)
    assert 0 < sum(expected) < len(expected)
