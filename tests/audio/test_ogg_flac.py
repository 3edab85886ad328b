"""Damaged FLAC in Ogg costs what was hit, as in a FLAC file; what is cut off is called so."""

import functools
import itertools
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from distill.audio.decoding.mono_decoder import decode_sound
from distill.audio.decoding.open_sound import read_header
from distill.errors import SoundError
from tests.audio.test_damage import told
from tests.audio.test_real_end import Array, encoded, ogg_pages, sweep

RATE, SECONDS, BLOCK = 48_000, 3.0, 4096


@functools.cache
def pages(frames_a_page: int, channels: int = 1) -> tuple[tuple[bytes, ...], Array]:
    """Return the pages of a stream, the first two of which are its head, and its sound."""
    audio = sweep(SECONDS, RATE)
    flac = encoded("FLAC PCM_16", np.stack([audio] * channels, 1), RATE)
    at, blocks = 4, list[bytes]()
    while not (blocks and blocks[-1][0] & 0x80):
        size = 4 + int.from_bytes(flac[at + 1 : at + 4], "big")
        blocks.append(flac[at : at + size])
        at += size
    starts = [n for n in range(at, len(flac)) if flac[n : n + 2] == flac[at : at + 2]]
    starts = [n for number, n in enumerate(starts) if flac[n + 4] == number][: -(-len(audio) // BLOCK)]
    ends = [*starts[frames_a_page::frames_a_page], len(flac)]
    packets = [flac[start:end] for start, end in zip(starts[::frames_a_page], ends, strict=True)]
    first = b"\x7fFLAC\x01\0" + struct.pack(">H", len(blocks) - 1) + b"fLaC" + blocks[0]
    granules = [min(len(audio), BLOCK * frames_a_page * (n + 1)) for n in range(len(packets))]
    whole = ogg_pages(7, [first, b"".join(blocks[1:]), *packets], [0, 0, *granules])
    cuts = [n for n in range(len(whole)) if whole.startswith(b"OggS\0", n)] + [len(whole)]
    return tuple(whole[start:end] for start, end in itertools.pairwise(cuts)), audio


def flipped(page: bytes, at: int) -> bytes:
    return page[:at] + bytes([page[at] ^ 0x55]) + page[at + 1 :]


def with_page(found: tuple[bytes, ...], number: int, page: bytes) -> bytes:
    return b"".join((*found[:number], page, *found[number + 1 :]))


DAMAGE: dict[str, Callable[[tuple[bytes, ...], int], bytes]] = {
    "a byte": lambda found, n: with_page(found, n, flipped(found[n], len(found[n]) // 2)),
    "the first byte of a frame": lambda found, n: with_page(found, n, flipped(found[n], 27 + found[n][26])),
    "the mark of a page": lambda found, n: with_page(found, n, flipped(found[n], 0)),
    "a page lost": lambda found, n: with_page(found, n, b""),
    "a page lost in part": lambda found, n: with_page(found, n, found[n][: len(found[n]) // 2]),
    "a page twice": lambda found, n: with_page(found, n, found[n] * 2),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("frames_a_page", [1, 2])
@pytest.mark.parametrize("number", [2, 5, 19])
def test_damage_costs_what_was_hit(tmp_path: Path, damage: str, frames_a_page: int, number: int) -> None:
    found, audio = pages(frames_a_page)
    number = min(number, len(found) - 2)
    path = tmp_path / "a.oga"
    path.write_bytes(DAMAGE[damage](found, number))
    decoded = decode_sound(path, normalize=False)
    assert len(decoded) == len(audio)
    wrong = np.abs(decoded - audio) > 1e-4
    assert wrong.sum() <= (frames_a_page + 1) * BLOCK
    if damage != "a page twice":
        assert "replaced by silence" in told(path)[1]


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("is_between_pages", [True, False])
def test_what_is_cut_off_is_called_so(tmp_path: Path, kept: float, is_between_pages: bool) -> None:
    found, _ = pages(1)
    count = round(kept * len(found))
    path = tmp_path / "a.oga"
    path.write_bytes(b"".join(found[:count]) + (b"" if is_between_pages else found[count][:-10]))
    with pytest.raises(SoundError) as caught:
        decode_sound(path)
    told_s = re.fullmatch(r"the file is cut off.*: .*?(\d\.\d) s of 3.0 s could be read", str(caught.value))
    assert told_s is not None
    assert float(told_s[1]) == pytest.approx(BLOCK * (count - 2) / RATE, abs=0.1)


def test_a_whole_one_says_nothing(tmp_path: Path) -> None:
    for channels in (1, 2):
        found, audio = pages(2, channels)
        (tmp_path / "a.oga").write_bytes(b"".join(found))
        assert np.abs(decode_sound(tmp_path / "a.oga", normalize=False) - audio).max() < 1e-4
        assert told(tmp_path / "a.oga")[1] == ""
        assert read_header(tmp_path / "a.oga").frames == len(audio)
