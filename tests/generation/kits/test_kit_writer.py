"""Kits: their files, and what an independent player makes of them."""

import struct
import threading
import tracemalloc
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from distill.audio.decoding.mono_decoder import FloatArray
from distill.audio.pitch import estimate_pitch
from distill.errors import Cancelled, ConfigurationError
from distill.generation.kits.kit_sounds import KitSound, Layer, single
from distill.generation.kits.kit_writer import FIRST_KEY, PEAK, Kit, trim, write_kit
from distill.generation.kits.sample_loop import find_loop

RATE = 48_000


def tone(hertz: float, seconds: float = 1.0, decay: float = 0.0) -> FloatArray:
    t = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * hertz * k * t + k) / k for k in (1, 2, 3, 4)) * np.exp(-decay * t)
    return np.asarray(0.3 * wave, np.float32)


def noise(seconds: float = 0.4, seed: int = 0) -> FloatArray:
    samples = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    samples = np.convolve(samples, np.hanning(32), "same") / 4  # the player interpolates between samples
    return np.asarray(0.2 * samples * np.exp(-8 * np.arange(len(samples)) / RATE), np.float32)


def smpl(path: Path) -> tuple[Any, ...] | None:
    """Return root note, fraction and loops of a file's ``smpl`` chunk, read by the layout of the specification."""
    data = path.read_bytes()
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
    at = 12
    while at < len(data):
        name, size = struct.unpack("<4sI", data[at : at + 8])
        if name == b"smpl":
            head = struct.unpack("<9I", data[at + 8 : at + 44])
            loops = [struct.unpack("<6I", data[at + 44 + 24 * n :][:24])[2:4] for n in range(head[7])]
            return head[3], head[4] / 2**32, loops
        at += 8 + size + size % 2
    return None


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    layers = (
        Layer((tone(330.0, decay=4), tone(331.0, decay=4)), 1, 63),
        Layer((tone(330.0, decay=3), tone(330.5, decay=3)), 64, 127),
    )
    sounds = [
        replace(single(tone(223.0), "how it was generated"), name="Low bell + kick: 1/2"),
        single(noise()),
        KitSound(layers, name="Snare"),
    ]
    return write_kit(tmp_path_factory.mktemp("kits") / "bells", 'Glass & "bells" -- #1', sounds)


def test_the_files_of_a_kit(kit: Kit) -> None:
    names = sorted(str(path.relative_to(kit.folder).as_posix()) for path in kit.folder.rglob("*") if path.is_file())
    assert names == [
        "Glass-bells----1 01 Low bell kick 1-2 A3.dspreset", "Glass-bells----1 01 Low bell kick 1-2 A3.sfz",
        "Glass-bells----1 03 Snare E4.dspreset", "Glass-bells----1 03 Snare E4.sfz",
        "Glass-bells----1.dspreset", "Glass-bells----1.sfz",
        "Samples/01 Low bell kick 1-2 A3.wav", "Samples/02 Glass-bells----1.wav",
        *(f"Samples/03 Snare E4 v{n}.wav" for n in (1, 2, 3, 4)),
    ]  # fmt: skip
    assert {path.exists() for path in (*kit.presets, *kit.samples)} == {True}
    assert len(kit.presets) + len(kit.samples) == len(names)
    assert [path.name for path in kit.folder.parent.iterdir()] == ["bells"]
    for path in kit.samples:
        audio, rate = soundfile.read(path)
        assert (rate, soundfile.info(path).subtype) == (RATE, "PCM_24")
        assert np.abs(audio).max() == pytest.approx(PEAK, abs=1e-4)
    assert soundfile.SoundFile(kit.samples[0]).comment == "how it was generated"


def test_root_notes_are_exact_or_missing(kit: Kit) -> None:
    found = smpl(kit.samples[0])
    assert found is not None
    note, fraction, loops = found
    assert 1200 * np.log2(440 * 2 ** ((note + fraction - 69) / 12) / 223.0) == pytest.approx(0, abs=2)
    assert len(loops) == 1
    assert smpl(kit.samples[1]) is None


def test_a_loop_repeats_the_sound_without_a_click() -> None:
    audio = trim(tone(223.0, 2.0))
    loop = find_loop(audio, 223.0)
    assert loop is not None
    assert loop.end - loop.start > 0.5 * RATE
    joined = np.concatenate([audio[: loop.end], audio[loop.start : loop.end]])
    steps = np.abs(np.diff(joined, 2))
    at_the_joint = steps[loop.end - 3 : loop.end + 2].max()
    assert at_the_joint < 1.05 * steps[: loop.end - 10].max()
    assert np.corrcoef(audio[loop.start - 400 : loop.start], audio[loop.end - 400 : loop.end])[0, 1] > 0.985


def test_what_decays_or_is_short_has_no_loop() -> None:
    assert find_loop(trim(tone(223.0, decay=6)), 223.0) is None
    assert find_loop(trim(tone(223.0, 0.3)), 223.0) is None
    assert find_loop(noise(1.0), 223.0) is None


def test_silence_around_a_sound_is_cut_off_and_its_ends_are_faded() -> None:
    quiet = np.concatenate([np.zeros(5000), 0.01 * tone(440.0, 0.2), np.zeros(9000)])
    cut = trim(quiet)
    assert len(cut) == pytest.approx(0.2 * RATE, abs=600)
    assert np.abs(cut).max() == pytest.approx(PEAK, abs=1e-4)
    assert abs(cut[0]) < 0.01
    assert abs(cut[-1]) < 0.01


@pytest.mark.parametrize("bad", [np.zeros(100), np.zeros(0), np.array([0.0, np.nan]), np.zeros((2, 8))])
def test_what_is_no_sound_is_refused_and_nothing_is_left(bad: FloatArray, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not all zero"):
        write_kit(tmp_path / "kit", "Bells", [single(noise()), single(bad)])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="is not empty"):
        write_kit(tmp_path, "Bells", [single(noise())])
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(ConfigurationError, match="1 to 92 sounds, not 0"):
        write_kit(tmp_path / "kit", "Bells", [])
    empty = tmp_path / "empty"
    empty.mkdir()
    assert write_kit(empty, "Bells", [single(noise())]).folder == empty


def test_a_sound_has_the_key_and_the_number_of_its_pad(tmp_path: Path) -> None:
    sounds = [replace(single(noise()), name="Kick", pad=2), replace(single(noise(seed=1)), pad=16)]
    written = write_kit(tmp_path / "kit", "Bells", sounds)
    assert [path.name for path in written.samples] == ["02 Kick.wav", "16 Bells.wav"]
    lines = [line for line in (written.folder / "Bells.sfz").read_text().splitlines() if "<region>" in line]
    keys = [(line.split("lokey=")[1].split()[0], line.split("sample=")[1]) for line in lines]
    assert keys == [(str(FIRST_KEY + 1), "Samples/02 Kick.wav"), (str(FIRST_KEY + 15), "Samples/16 Bells.wav")]
    for pads in ((2, 2), (0, 93)):
        with pytest.raises(ConfigurationError, match="a pad of its own, from 1 to 92"):
            write_kit(tmp_path / "other", "Bells", [replace(sounds[0], pad=pad) for pad in pads])
    assert [path.name for path in tmp_path.iterdir()] == ["kit"]


def test_a_cancelled_kit_leaves_nothing(tmp_path: Path) -> None:
    stop = threading.Event()
    with pytest.raises(Cancelled):
        write_kit(tmp_path / "kit", "Bells", [single(noise())] * 3, progress=lambda done: stop.set(), cancel_event=stop)
    assert list(tmp_path.iterdir()) == []


def test_the_decent_sampler_preset_names_every_file(kit: Kit) -> None:
    root = ElementTree.parse(kit.folder / "Glass-bells----1.dspreset").getroot()
    assert root.tag == "DecentSampler"
    groups = root.findall("./groups/group")
    assert [group.get("seqMode") for group in groups] == [None, "round_robin"]
    samples = [sample for group in groups for sample in group]
    assert {kit.folder / str(sample.get("path")) for sample in samples} == set(kit.samples)
    keys = {(sample.get("loNote"), sample.get("hiNote"), sample.get("rootNote")) for sample in samples}
    assert keys == {(str(FIRST_KEY + n),) * 3 for n in range(3)}
    # A pad sounds to its end, however short the note: a release would fade it.
    assert {(sample.get("ampEnvEnabled"), sample.get("release")) for sample in samples} == {("false", None)}
    last = [(s.get("loVel"), s.get("hiVel"), s.get("seqPosition")) for s in groups[1]]
    assert last == [("1", "63", "1"), ("1", "63", "2"), ("64", "127", "1"), ("64", "127", "2")]
    preset = kit.folder / "Glass-bells----1 01 Low bell kick 1-2 A3.dspreset"
    over = ElementTree.parse(preset).getroot().find("./groups/group/sample")
    assert over is not None
    assert (over.get("rootNote"), over.get("loopEnabled")) == ("57", "true")
    assert (over.get("ampEnvEnabled"), over.get("release")) == (None, "0.25")
    assert float(str(over.get("tuning"))) == pytest.approx(-0.23, abs=0.02)


@pytest.fixture
def player() -> Any:
    """The sampler sfizz, which reads presets independently of Distill."""
    return pytest.importorskip("pysfizz").Synth(sample_rate=RATE)


def load(player: Any, preset: Path) -> None:
    """Load a preset with all samples in memory: the player otherwise streams them, and a busy computer is late."""
    copy = preset.with_name("in memory.sfz")
    copy.write_text("<control> hint_ram_based=1\n" + preset.read_text(encoding="utf-8"), encoding="utf-8")
    loaded = player.load_sfz_file(copy)
    copy.unlink()
    assert loaded


def rendered(player: Any, key: int, velocity: int = 100, held: float = 0.3, seconds: float = 1.2) -> FloatArray:
    left: FloatArray = player.render_note(key, velocity, held, seconds)[0]
    return left


def likeness(first: FloatArray, second: FloatArray) -> float:
    """Return the correlation of two signals; 0 where one is silent."""
    size = min(len(first), len(second))
    a, b = first[:size] - first[:size].mean(), second[:size] - second[:size].mean()
    return float(a @ b / max(float(np.sqrt((a @ a) * (b @ b))), 1e-12))


def least_likeness(heard: FloatArray, audio: FloatArray) -> float:
    """Return the correlation of the least similar twentieth of a second; the player may be some samples late."""
    least, size = 1.0, RATE // 20
    for start in range(0, len(audio) - size, size):
        wanted = audio[start : start + size]
        shifted = (likeness(heard[start + late :][:size], wanted) for late in range(16))
        least = min(least, float(max(shifted)))
    return least


def test_every_pad_sounds_in_an_independent_player(kit: Kit, player: Any) -> None:
    load(player, kit.folder / "Glass-bells----1.sfz")
    assert player.playable_keys == [FIRST_KEY + n for n in range(3)]
    files = [soundfile.read(path)[0] for path in kit.samples]
    for key, audio in ((FIRST_KEY, files[0]), (FIRST_KEY + 1, files[1])):
        assert least_likeness(rendered(player, key), audio) > 0.98, "a pad plays its file to the end"
    # Two velocities, and at each of them two versions in turn.
    for velocity, versions in ((30, files[2:4]), (110, files[4:6])):
        for audio in (*versions, *versions):
            heard = rendered(player, FIRST_KEY + 2, velocity, seconds=2.0)[: len(audio)]
            others = [likeness(heard, each) for each in files[2:]]
            assert int(np.argmax(others)) == next(n for n, each in enumerate(files[2:]) if each is audio)


def test_a_pitched_sound_is_in_tune_over_the_keyboard(kit: Kit, player: Any) -> None:
    load(player, kit.folder / "Glass-bells----1 01 Low bell kick 1-2 A3.sfz")
    for key in (45, 57, 60, 69):
        found = estimate_pitch(rendered(player, key, held=3.0, seconds=3.0))
        assert found is not None
        assert 100 * (found.midi - key) == pytest.approx(0, abs=3)
    held = rendered(player, 57, held=4.0, seconds=6.0)
    level = [np.sqrt(np.square(held[round(s * RATE) : round((s + 0.2) * RATE)]).mean()) for s in (0.5, 3.5, 5.0)]
    assert level[1] == pytest.approx(level[0], rel=0.1), "the loop holds the sound as long as the key"
    assert level[2] < 0.01 * level[0]


@pytest.mark.parametrize("title", ["Kick---Snare", "tab\tand\x01\x1b[31m", "----", "ends with -", "\udce9 not UTF-8"])
def test_any_title_gives_presets_that_can_be_read(title: str, tmp_path: Path) -> None:
    """Three hyphens in a row made the preset of DecentSampler one that no reader of XML takes."""
    kit = write_kit(tmp_path / "kit", title, [single(noise())])
    preset = next(path for path in kit.presets if path.suffix == ".dspreset")
    root = ElementTree.fromstring(preset.read_bytes())
    assert root.tag == "DecentSampler"
    assert len(root.findall("groups/group/sample")) == 1


def test_long_names_are_no_longer_than_a_disk_takes(tmp_path: Path) -> None:
    """A letter has two to four bytes, and the names of presets hold those of kit and sound."""
    sounds = [
        replace(single(tone(220.0)), name="\N{CYRILLIC SMALL LETTER ZHE}" * 80),
        replace(single(noise()), name="\U00020000" * 80),
    ]
    kit = write_kit(tmp_path / "kit", "\N{CYRILLIC SMALL LETTER ZHE}" * 80, sounds)
    assert max(len(path.name.encode()) for path in (*kit.presets, *kit.samples)) <= 255
    assert len({*kit.presets, *kit.samples}) == 6
    assert all(path.is_file() for path in (*kit.presets, *kit.samples))
    preset = next(path for path in kit.presets if path.suffix == ".sfz").read_text(encoding="utf-8")
    named = {line.partition("sample=")[2] for line in preset.splitlines() if "sample=" in line}
    assert {kit.folder / name for name in named} == set(kit.samples)


def test_the_loop_of_a_long_sound_takes_little_memory() -> None:
    """Of ten minutes, which a pad may hold, the search took gigabytes."""
    sound = np.tile(tone(220.0), 90).astype(np.float64)
    tracemalloc.start()
    try:
        loop = find_loop(sound, 220.0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert loop is not None
    assert loop.end - loop.start <= 30 * RATE
    assert abs((loop.end - loop.start) * 220 / RATE % 1 - 0.5) > 0.49
    assert peak < 220e6
