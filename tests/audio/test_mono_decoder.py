"""Decoding: every format, every way in which a file can be bad, and what comes out."""

import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from distill.audio.decoding import mono_decoder
from distill.audio.decoding.mono_decoder import FloatArray, decode_sound, stream_sound
from distill.audio.decoding.open_sound import UnreachableSoundError, read_header
from distill.audio.decoding.sound_suffixes import SOUND_SUFFIXES
from distill.audio.export import write_wav
from distill.errors import Cancelled, SoundError
from tests.audio.conftest import WriteTone, loudest_hertz, tone

#: Format, coding, sample rate: what musicians have, and some of what only libsndfile still reads.
FORMATS = [
    *(("WAV", coding, 44_100) for coding in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW")),
    *(("WAV", coding, 44_100) for coding in ("IMA_ADPCM", "MS_ADPCM", "ALAW")),
    ("WAVEX", "PCM_24", 96_000), ("RF64", "PCM_24", 48_000), ("W64", "PCM_16", 44_100),
    *(("AIFF", coding, 44_100) for coding in ("PCM_S8", "PCM_16", "PCM_24", "FLOAT", "DWVW_16")),
    *(("CAF", coding, 44_100) for coding in ("PCM_16", "FLOAT", "ALAC_16", "ALAC_24")),
    *(("FLAC", coding, 44_100) for coding in ("PCM_S8", "PCM_16", "PCM_24")),
    ("AU", "PCM_16", 22_050), ("OGG", "VORBIS", 44_100), ("OGG", "OPUS", 48_000), ("MP3", "MPEG_LAYER_III", 44_100),
    ("SVX", "PCM_16", 22_050), ("VOC", "PCM_16", 22_050), ("NIST", "PCM_16", 16_000), ("IRCAM", "FLOAT", 44_100),
    ("PAF", "PCM_24", 44_100), ("PVF", "PCM_16", 44_100), ("AVR", "PCM_16", 44_100), ("XI", "DPCM_16", 44_100),
    ("MAT5", "DOUBLE", 44_100), ("SDS", "PCM_16", 44_100), ("WVE", "ALAW", 8_000), ("HTK", "PCM_16", 16_000),
]  # fmt: skip


def refusal(path: Path) -> str:
    """The reason for which a file is refused."""
    with pytest.raises(SoundError) as caught:
        decode_sound(path)
    assert str(path) not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("container", "coding", "rate"), FORMATS)
def test_every_format_is_decoded(write_tone: WriteTone, container: str, coding: str, rate: int) -> None:
    path = write_tone("sound.x", 1.0, rate, format=container, subtype=coding)
    audio = decode_sound(path)
    assert audio.dtype == np.float32
    assert audio.shape == pytest.approx((48_000,), rel=0.04)  # block codings pad, HTK rounds the rate
    assert np.abs(audio).max() == 1.0
    assert loudest_hertz(audio) == pytest.approx(1000, rel=0.005)
    header = read_header(path)
    assert header.duration_s == pytest.approx(1.0, rel=0.04)
    assert header.channels == 1
    assert header.format.endswith(coding)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 88_200, 96_000, 192_000])
def test_resampling_keeps_pitch_level_and_place(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.wav"
    at = np.arange(rate * 3) / rate
    wave = np.where((at > 1) & (at < 2), 0.5 * np.sin(2 * np.pi * 1000 * at), 0)
    wave[round(0.5 * rate)] = 0.6  # the peak, so that the level of the sine can be told
    soundfile.write(path, wave, rate, subtype="FLOAT")
    audio = np.concatenate(list(mono_decoder.stream_sound(path)))
    assert len(audio) == 3 * 48_000
    position = np.arange(len(audio)) / 48_000
    inside = (position > 1.01) & (position < 1.99)
    np.testing.assert_allclose(audio[inside], 0.5 * np.sin(2 * np.pi * 1000 * position[inside]), atol=2e-3)
    assert np.abs(audio[position > 2.01]).max() < 2e-3


def test_blocks_leave_no_seam(write_tone: WriteTone) -> None:
    audio = decode_sound(write_tone("long.wav", 30.0, 44_100, subtype="FLOAT"))  # several blocks, also of the filter
    middle = slice(48_000, -48_000)
    sine = tone(30.0, level=1.0)[middle]
    gain = np.dot(audio[middle], sine) / np.dot(sine, sine)
    assert gain == pytest.approx(1, abs=0.02)
    assert np.abs(audio[middle] / gain - sine).max() < 1e-3


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right, rear = tone(1.0, hertz=500), tone(1.0, hertz=1500), tone(1.0, hertz=5000)
    soundfile.write(tmp_path / "three.wav", np.stack([left, right, rear], 1), 48_000, subtype="FLOAT")
    mix = (left + right + rear) / 3
    np.testing.assert_allclose(decode_sound(tmp_path / "three.wav", normalize=False), mix, atol=1e-6)
    np.testing.assert_allclose(np.concatenate(list(mono_decoder.stream_sound(tmp_path / "three.wav"))), mix, atol=1e-6)


def test_levels_are_normalised_by_file(tmp_path: Path) -> None:
    decay = tone(2.0) * np.linspace(0.02, 0, 96_000, dtype=np.float32)
    soundfile.write(tmp_path / "quiet.wav", decay, 48_000, subtype="FLOAT")
    audio = decode_sound(tmp_path / "quiet.wav")
    assert np.abs(audio).max() == 1.0
    np.testing.assert_allclose(audio, decay / np.abs(decay).max(), atol=0.02)  # what the filter changes at the edge
    np.testing.assert_array_equal(decode_sound(tmp_path / "quiet.wav", normalize=False), decay)


def test_the_shortest_sounds_are_kept(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "cycle.wav", tone(0.01, 44_100), 44_100)
    assert len(decode_sound(tmp_path / "cycle.wav")) == 480


def test_samples_that_are_not_numbers(tmp_path: Path) -> None:
    for bad in (np.nan, np.inf, -np.inf):
        audio = np.stack([tone(4.0), tone(4.0)], 1)
        audio[144_000, 1] = bad
        soundfile.write(tmp_path / "bad.wav", audio, 48_000, subtype="FLOAT")
        assert refusal(tmp_path / "bad.wav") == (
            "contains samples that are not numbers (NaN or infinite), the first at 3.000 s"
        )


@pytest.mark.parametrize("bad", [1e13, 1e30, 3e38, -3e38])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_samples_far_beyond_full_scale_are_called_so(tmp_path: Path, bad: float, channels: int) -> None:
    """They are numbers; but the sum of two of them may be none, nor the square of one."""
    audio = np.stack([tone(4.0)] * channels, 1)
    audio[144_000] = bad
    soundfile.write(tmp_path / "bad.wav", audio, 48_000, subtype="FLOAT")
    assert refusal(tmp_path / "bad.wav") == (
        f"contains samples far beyond full scale ({abs(bad):.0e} times as high), the first at 3.000 s"
    )
    with pytest.raises(SoundError, match="far beyond full scale"):
        decode_sound(tmp_path / "bad.wav", normalize=False)


def test_doubles_that_are_too_large_for_floats(tmp_path: Path) -> None:
    audio = tone(1.0).astype(np.float64)
    audio[24_000] = 1e300
    soundfile.write(tmp_path / "bad.wav", audio, 48_000, subtype="DOUBLE")
    assert refusal(tmp_path / "bad.wav") == (
        "contains samples that are infinite or far beyond full scale, the first at 0.500 s"
    )


@pytest.mark.parametrize("scale", [32_768.0, 2.0**31])
def test_whole_numbers_as_floats_are_read(tmp_path: Path, scale: float) -> None:
    soundfile.write(tmp_path / "loud.wav", tone(0.5) * np.float32(scale), 48_000, subtype="FLOAT")
    assert np.abs(decode_sound(tmp_path / "loud.wav")).max() == pytest.approx(1.0)


def test_a_channel_that_is_not_used_may_hold_anything(tmp_path: Path) -> None:
    audio = np.stack([tone(1.0), np.full(48_000, 3e38)], 1)
    audio[::2, 1] *= -1
    audio[5, 1] = np.nan
    soundfile.write(tmp_path / "half.wav", audio, 48_000, subtype="FLOAT")
    assert sum(map(len, stream_sound(tmp_path / "half.wav", channel=0))) == 48_000


def test_silence(tmp_path: Path) -> None:
    sounds = {"zero": np.zeros(48_000), "constant": np.full(48_000, 0.3), "dither": 5e-5 * tone(level=1.0)}
    for name, audio in sounds.items():
        soundfile.write(tmp_path / f"{name}.wav", audio, 48_000, subtype="FLOAT")
        assert refusal(tmp_path / f"{name}.wav") == "is silent"
    soundfile.write(tmp_path / "phase.wav", np.stack([tone(), -tone()], 1), 48_000)
    np.testing.assert_allclose(decode_sound(tmp_path / "phase.wav"), tone(level=1.0), atol=0.02)
    soundfile.write(tmp_path / "quiet.wav", 2e-4 * tone(level=1.0), 48_000, subtype="FLOAT")
    assert np.abs(decode_sound(tmp_path / "quiet.wav")).max() == 1.0


@pytest.mark.parametrize("suffix", ["wav", "aiff", "w64", "au", "svx", "rf64"])
def test_cut_off_where_the_container_tells(write_tone: WriteTone, suffix: str) -> None:
    path = write_tone(f"cut.{suffix}", 4.0, 44_100, subtype="PCM_16")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 4])
    assert refusal(path) == "the file is cut off: 1.0 s of 4.0 s could be read"
    with pytest.raises(SoundError, match="cut off"):
        read_header(path)
    path.write_bytes(whole[:-2])  # a missing sample is no reason to lose a sound
    assert len(decode_sound(path)) == pytest.approx(4 * 48_000, abs=2)


def test_cut_off_caf_cannot_be_opened_and_says_why(write_tone: WriteTone) -> None:
    path = write_tone("cut.caf", 4.0)
    path.write_bytes(path.read_bytes()[:200_000])
    assert refusal(path) == "the file is cut off: 51% of the sound that it claims is there"


def test_cut_off_in_the_header(write_tone: WriteTone) -> None:
    path = write_tone("cut.wav")
    path.write_bytes(path.read_bytes()[:44])
    assert refusal(path) == "the file is cut off: none of its sound is there"


@pytest.mark.parametrize("share", [0.3, 0.6, 0.98])
def test_cut_off_flac(write_tone: WriteTone, share: float) -> None:
    path = write_tone("cut.flac", 10.0)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert read_header(path).duration_s == 10.0
    found = refusal(path)
    assert found.startswith("the file is cut off or damaged: about ")
    assert float(found.split()[8]) == pytest.approx(10 * share, abs=0.5)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.98])
def test_cut_off_ogg(tmp_path: Path, share: float) -> None:
    for coding in ("VORBIS", "OPUS"):
        path = tmp_path / f"{coding}.ogg"
        noise = np.random.default_rng(1).uniform(-0.5, 0.5, 10 * 48_000)
        soundfile.write(path, noise, 48_000, subtype=coding)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])
        assert refusal(path).startswith("the file is cut off: it breaks off after ")
        path.write_bytes(whole + b"TAG" + bytes(125))  # what a tag editor leaves behind
        assert len(decode_sound(path)) == pytest.approx(480_000, rel=0.01)


def test_ogg_of_a_broadcast_has_no_end_mark_and_is_whole(write_tone: WriteTone) -> None:
    path = write_tone("radio.ogg", 5.0)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"OggS")])
    assert len(decode_sound(path)) > 0.5 * 48_000


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE", "AVERAGE"])
def test_mp3_lengths_stated_and_guessed(tmp_path: Path, mode: str) -> None:
    # Quiet and then loud: with a variable bit rate, a length guessed from the first frame is far off.
    audio = np.random.default_rng(1).standard_normal(6 * 44_100) * np.linspace(0, 0.3, 6 * 44_100) ** 3
    path = tmp_path / "a.mp3"
    soundfile.write(path, audio, 44_100, format="MP3", bitrate_mode=mode, compression_level=0.5)
    whole = path.read_bytes()
    assert len(decode_sound(path)) == pytest.approx(6 * 48_000, abs=1)
    path.write_bytes(whole[: len(whole) // 2])
    assert refusal(path).startswith("the file is cut off: ")
    first_frame_gone = whole[whole.index(b"\xff\xfb", 10) :]
    path.write_bytes(first_frame_gone)
    assert len(decode_sound(path)) == pytest.approx(6 * 48_000, rel=0.02)


def _patched(whole: bytes, offset: int, layout: str, value: int) -> bytes:
    changed = bytearray(whole)
    struct.pack_into(layout, changed, offset, value)
    return bytes(changed)


@pytest.mark.parametrize(
    ("offset", "layout", "value", "words"),
    [
        (24, "<I", 0, "an impossible sample rate"),
        (24, "<I", 1, "a sample rate of 1 Hz"),
        (24, "<I", 2_000_000_000, "a sample rate of 2000000000 Hz"),
        (24, "<I", 4_000_000_000, "an impossible sample rate"),
        (22, "<H", 0, "Channel count is zero"),
        (22, "<H", 1000, "1000 channels"),
        (22, "<H", 60_000, "Too many channels"),
    ],
)
def test_absurd_headers(write_tone: WriteTone, offset: int, layout: str, value: int, words: str) -> None:
    path = write_tone("absurd.wav")
    path.write_bytes(_patched(path.read_bytes(), offset, layout, value))
    found = refusal(path)
    assert "absurd" in found
    assert words in found


def test_absurd_length(write_tone: WriteTone) -> None:
    path = write_tone("absurd.flac", 1.0)
    whole = bytearray(path.read_bytes())
    whole[21] |= 0x0F  # the 36 bits of STREAMINFO that count the samples
    whole[22:26] = b"\xff" * 4
    path.write_bytes(whole)
    assert refusal(path) == "its header is absurd (it claims 398 hours of sound in 0.0 MB)"
    wav = write_tone("absurd.wav", 1.0)
    wav.write_bytes(_patched(wav.read_bytes(), 40, "<I", 0x7000_0000))
    assert refusal(wav) == "the file is cut off: 1.0 s of 19573.4 s could be read"


@pytest.mark.parametrize("claimed", [0xFFFF_FFFF, 0x7FFF_F000, 0x7FFF_FFFF])
def test_recordings_through_a_pipe_state_no_length(write_tone: WriteTone, claimed: int) -> None:
    path = write_tone("piped.wav", 1.0)
    path.write_bytes(_patched(path.read_bytes(), 40, "<I", claimed))
    assert len(decode_sound(path)) == 48_000
    flac = write_tone("piped.flac", 3.0)
    whole = bytearray(flac.read_bytes())
    whole[21] &= 0xF0
    whole[22:26] = bytes(4)
    flac.write_bytes(whole)
    assert read_header(flac).duration_s == 3.0
    assert len(decode_sound(flac)) == 144_000


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.wav", b"", "is empty (0 bytes)"),
        ("text.wav", b"do re mi\n" * 99, "not a sound file that can be read (its format is not recognised)"),
        ("zeros.aiff", bytes(4096), "not a sound file that can be read (its format is not recognised)"),
        ("text.mp3", b"do re mi\n" * 9999, "not a sound file that can be read"),
        ("page.ogg", b"OggS" + bytes(300), "not a sound file that can be read"),
        ("song.m4a", bytes(4) + b"ftypM4A " + bytes(99), "M4A files cannot be read: convert it to WAV or FLAC"),
        ("noise.au", bytes(range(256)) * 9, "not a sound file that can be read (its header is missing)"),
        ("noise.snd", bytes(range(256)) * 9, "not a sound file that can be read (its header is missing)"),
        ("tape.raw", bytes(4096), "is raw audio without a header: export it as WAV or FLAC"),
    ],
)
def test_what_is_no_sound(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert refusal(tmp_path / name).startswith(reason)


def test_no_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 48_000)
    assert refusal(tmp_path / "none.wav") == "is empty (it holds no samples)"


def test_gone_folders_and_pipes(tmp_path: Path) -> None:
    with pytest.raises(UnreachableSoundError, match=r"^the file is no longer there$"):
        decode_sound(tmp_path / "gone.wav")
    assert refusal(tmp_path) == "is a folder, not a sound file"
    (tmp_path / "loop.wav").symlink_to(tmp_path / "loop.wav")
    assert refusal(tmp_path / "loop.wav") == "is a link that leads back to itself"
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.wav")
        assert refusal(tmp_path / "pipe.wav") == "is not a regular file"


def test_permission(write_tone: WriteTone, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tone("locked.wav")
    path.chmod(0)
    if os.access(path, os.R_OK):  # the superuser, or a file system without modes: let opening it fail as for others
        _forbid_opening(path, monkeypatch)
    with pytest.raises(UnreachableSoundError, match=r"^permission denied"):
        decode_sound(path)


def _forbid_opening(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., object] = Path.open

    def forbidden(self: Path, *args: object, **kwargs: object) -> object:
        if self == path:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", forbidden)


@pytest.mark.skipif(os.name != "posix", reason="names are text there")
def test_names_that_are_not_text(write_tone: WriteTone) -> None:
    path = write_tone("name.wav", 1.0)
    odd = path.rename(os.fsdecode(os.fsencode(path.parent) + b"/caf\xe9 \xff.wav"))
    assert len(decode_sound(odd)) == 48_000


def test_cancelling_takes_effect_within_a_block(write_tone: WriteTone) -> None:
    stop = threading.Event()
    blocks = mono_decoder.stream_sound(write_tone("long.wav", 20.0), stop)
    next(blocks)
    stop.set()
    with pytest.raises(Cancelled):
        next(blocks)


def test_written_wav(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.wav"
    stereo = np.stack([tone(), 2 * tone(level=1.0)], 1)
    write_wav(path, stereo, 44_100)
    audio, rate = soundfile.read(path, dtype="float32")
    assert (rate, soundfile.info(path).subtype) == (44_100, "PCM_16")
    np.testing.assert_allclose(audio, stereo.clip(-1, 1), atol=1 / 32_000)
    write_wav(path, tone())
    assert soundfile.info(path).channels == 1
    assert soundfile.info(path).samplerate == 48_000
    assert [p.name for p in path.parent.iterdir()] == ["a.wav"]


@pytest.mark.parametrize("audio", [np.zeros(0), np.zeros((2, 2, 2)), np.array([0.0, np.nan])])
def test_written_wav_refuses(tmp_path: Path, audio: FloatArray) -> None:
    with pytest.raises(ValueError, match="Audio to be written"):
        write_wav(tmp_path / "a.wav", audio)
    assert not (tmp_path / "a.wav").exists()


def test_suffixes() -> None:
    assert {".wav", ".aif", ".aiff", ".aifc", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".caf", ".au", ".w64",
            ".rf64"} <= SOUND_SUFFIXES  # fmt: skip
    assert not {".raw", ".mat", ".txt", ".m4a", ""} & SOUND_SUFFIXES
