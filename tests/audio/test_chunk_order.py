"""Containers whose chunks lie in an unusual order, several times, unpadded or beside damage are read whole."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from distill.audio.decoding.mono_decoder import decode_sound
from distill.audio.decoding.open_sound import read_header
from distill.errors import SoundError
from tests.audio.test_real_end import TAGS, encoded, sweep

RATE = 48_000
AUDIO = sweep(0.5, RATE)
LITTLE, BIG = (AUDIO * 32767).astype("<i2").tobytes(), (AUDIO * 32767).astype(">i2").tobytes()
HALF = len(LITTLE) // 4 * 2
AIFF_RATE = struct.pack(">HQ", 0x400E, RATE << 48)


def chunk(name: bytes, body: bytes, size: int | None = None, order: str = "<", padded: bool = True) -> bytes:
    head = name + struct.pack(f"{order}I", len(body) if size is None else size)
    return head + body + bytes(len(body) % 2 if padded else 0)


def container(*chunks: bytes, magic: bytes = b"RIFF", form: bytes = b"WAVE", order: str = "<") -> bytes:
    body = form + b"".join(chunks)
    return magic + struct.pack(f"{order}I", len(body)) + body


def fmt(order: str = "<", bits: int = 16, rate: int = RATE) -> bytes:
    return chunk(b"fmt ", struct.pack(f"{order}HHIIHH", 1, 1, rate, 2 * rate, 2, bits), order=order)


def data(samples: bytes = LITTLE, order: str = "<") -> bytes:
    return chunk(b"data", samples, order=order)


def aiff(*chunks: bytes) -> bytes:
    return container(*chunks, magic=b"FORM", form=b"AIFF", order=">")


def comm(frames: int = len(AUDIO)) -> bytes:
    return chunk(b"COMM", struct.pack(">hIh", 1, frames, 16) + AIFF_RATE, order=">")


def ssnd(samples: bytes = BIG) -> bytes:
    return chunk(b"SSND", bytes(8) + samples, order=">")


def caf(*chunks: tuple[bytes, bytes]) -> bytes:
    return b"caff\0\1\0\0" + b"".join(name + struct.pack(">q", len(body)) + body for name, body in chunks)


DESC = (b"desc", struct.pack(">d4sIIIII", RATE, b"lpcm", 0, 2, 1, 1, 16))
LIST = chunk(b"LIST", b"INFOISFT" + struct.pack("<I", 6) + b"Maker\0")
UNPADDED = chunk(b"JUNK", b"x" * 7, padded=False)
W64 = encoded("W64 PCM_16", AUDIO, RATE)
W64_FMT, W64_DATA = W64[40:80], W64[80:]
ID3V2 = b"ID3\x04\0\0\0\0\x08\0" + b"T" * 1024
FMT_14 = chunk(b"fmt ", struct.pack("<HHIIH", 1, 1, RATE, 2 * RATE, 2))

WHOLE: dict[str, bytes] = {
    "data first.wav": container(data(), fmt()),
    "data first among others.wav": container(LIST, data(), LIST, fmt(), LIST),
    "data first behind a tag.wav": ID3V2 + container(data(), fmt()) + TAGS["ID3v1"],
    "data first, no size.wav": b"RIFF\0\0\0\0" + container(data(), fmt())[8:],
    "data first.w64": W64[:40] + W64_DATA + bytes(-len(W64_DATA) % 8) + W64_FMT,
    "data first, big.wav": container(data(BIG, ">"), fmt(">"), magic=b"RIFX", order=">"),
    "two.wav": container(fmt(), data(LITTLE[:HALF]), data(LITTLE[HALF:])),
    "two apart.wav": container(fmt(), data(LITTLE[:HALF]), LIST, data(LITTLE[HALF:]), LIST),
    "many.wav": container(fmt(), *(data(LITTLE[n : n + 200]) for n in range(0, len(LITTLE), 200))),
    "an empty one first.wav": container(fmt(), data(b""), data()),
    "an empty one last.wav": container(fmt(), data(), data(b"")),
    "two, the last unfinished.wav": container(fmt(), data(LITTLE[:HALF]), chunk(b"data", LITTLE[HALF:], 0x7FFFFFFF)),
    "two formats.wav": container(fmt(), fmt(rate=44_100), data()),
    "no bits.wav": container(FMT_14, data()),
    "zero bits.wav": container(fmt(bits=0), data()),
    "unpadded.wav": container(fmt(), UNPADDED, data()),
    "unpadded first.wav": container(UNPADDED, fmt(), UNPADDED, data()),
    "list too long.wav": container(fmt(), chunk(b"LIST", LIST[8:], 1_000_000), data()),
    "list too short.wav": container(fmt(), chunk(b"LIST", LIST[8:], 10), data()),
    "zeros between.wav": container(fmt(), bytes(16), data()),
    "list too long, behind.wav": container(fmt(), data(), chunk(b"LIST", LIST[8:], 1_000_000)),
    "junk before.wav": bytes(range(1, 129)) + container(fmt(), data()),
    "sound first.aiff": aiff(ssnd(), comm()),
    "two.aiff": aiff(comm(), ssnd(BIG[:HALF]), ssnd(BIG[HALF:])),
    "unpadded.aiff": aiff(chunk(b"ANNO", b"x" * 7, padded=False, order=">"), comm(), ssnd()),
    "a head of a Mac before.aiff": b"\0\6a.aiff" + bytes(120) + aiff(comm(), ssnd()),
    "data first.caf": caf((b"data", bytes(4) + BIG), DESC),
    "free first.caf": caf((b"free", bytes(100)), DESC, (b"data", bytes(4) + BIG)),
    "two.caf": caf(DESC, (b"data", bytes(4) + BIG[:HALF]), (b"data", bytes(4) + BIG[HALF:])),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_all_samples_are_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(WHOLE[name])
    audio = decode_sound(path, normalize=False)
    assert len(audio) == len(AUDIO)
    assert np.abs(audio - AUDIO).max() < 1e-4
    header = read_header(path)
    assert (header.frames, header.sample_rate) == (len(AUDIO), RATE)


def test_a_part_of_a_frame_does_not_shift_what_follows(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(container(fmt(), data(LITTLE[:HALF] + b"\x55"), data(LITTLE[HALF:])))
    assert np.abs(decode_sound(path, normalize=False) - AUDIO).max() < 1e-4


NO_DESCRIPTION = "not a sound file that can be read (the part of it that describes its samples is missing)"
NO_SOUND = "not a sound file that can be read (it has a header and no sound)"
REFUSED: dict[str, tuple[bytes, str]] = {
    "no fmt.wav": (container(LIST, data()), NO_DESCRIPTION),
    "no comm.aiff": (aiff(ssnd()), NO_DESCRIPTION),
    "no desc.caf": (caf((b"data", bytes(4) + BIG)), NO_DESCRIPTION),
    "no fmt.w64": (W64[:40] + W64_DATA, NO_DESCRIPTION),
    "no data.wav": (container(fmt(), LIST), NO_SOUND),
    "no desc, cut.caf": (
        caf((b"data", bytes(4) + BIG))[:-HALF],
        "the file is cut off: 50% of the sound that it claims is there",
    ),
    "first half of two.wav": (
        container(fmt(), data(LITTLE[:HALF]), data(LITTLE[HALF:]))[: -HALF // 2],
        "the file is cut off: 0.4 s of 0.5 s could be read",
    ),
    "waves.wav": (
        container(fmt(), chunk(b"LIST", b"wavl" + data() + chunk(b"slnt", bytes(4)) + data())),
        "its coding (a list of waves) cannot be read: convert it to WAV or FLAC",
    ),
    "frames too wide.wav": (
        container(chunk(b"fmt ", struct.pack("<HHIIH", 1, 1, RATE, 2 * RATE, 60_000)), data()),
        "not a sound file that can be read (its header is damaged or absurd: Error in WAV/W64/RF64 file. Short 'fmt ' "
        "chunk)",
    ),
    "rate zero.wav": (
        container(fmt(rate=0), data()),
        "not a sound file that can be read (its header is damaged or absurd: an impossible sample rate or length)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("use", [decode_sound, read_header])
def test_what_is_refused_is_told_the_true_reason(tmp_path: Path, name: str, use: Callable[[Path], object]) -> None:
    path = tmp_path / name
    path.write_bytes(REFUSED[name][0])
    with pytest.raises(SoundError) as caught:
        use(path)
    assert str(caught.value) == REFUSED[name][1]
