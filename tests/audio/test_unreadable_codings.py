"""A whole file in a coding that cannot be read is not called damaged: its coding is named."""

import struct
from pathlib import Path

import pytest

from distill.audio.decoding import open_sound
from distill.audio.decoding.mono_decoder import decode_sound
from distill.audio.decoding.open_sound import read_header
from distill.errors import SoundError

BODY = bytes(range(256)) * 30


def wav(tag: int, bits: int, magic: bytes = b"RIFF", channels: int = 2) -> bytes:
    fmt = struct.pack("<HHIIHHH", tag, channels, 44_100, 16_000, 4, bits, 0)
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(BODY)) + BODY
    return magic + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def extensible(tag: int, bits: int, channels: int = 6) -> bytes:
    fmt = struct.pack("<HHIIHHHHI", 0xFFFE, channels, 88_200, 16_000, 2048, bits, 22, bits, 0x3F)
    fmt += struct.pack("<H", tag) + bytes.fromhex("000000001000800000aa00389b71")
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(BODY)) + BODY
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def caf(coding: bytes, bits: int = 0, flags: int = 0) -> bytes:
    described = struct.pack(">d4sIIIII", 44_100.0, coding, flags, 34, 64, 1, bits)
    return (
        b"caff"
        + struct.pack(">HH", 1, 0)
        + b"desc"
        + struct.pack(">q", 32)
        + described
        + b"data"
        + struct.pack(">qI", len(BODY) + 4, 0)
        + BODY
    )


def svx(packing: int) -> bytes:
    head = struct.pack(">IIIHBBI", 2 * len(BODY), 0, 0, 22_050, 1, packing, 1 << 16)
    chunks = b"VHDR" + struct.pack(">I", len(head)) + head + b"BODY" + struct.pack(">I", len(BODY)) + BODY
    return b"FORM" + struct.pack(">I", 4 + len(chunks)) + b"8SVX" + chunks


def aifc(coding: bytes) -> bytes:
    rate = struct.pack(">HQ", 0x400E, 44_100 << 48)
    common = struct.pack(">hIh", 1, 1000, 16) + rate + coding + b"\x04name\0"
    sound = struct.pack(">II", 0, 0) + BODY
    chunks = b"FVER" + struct.pack(">II", 4, 0xA2805140)
    chunks += b"COMM" + struct.pack(">I", len(common)) + common + b"SSND" + struct.pack(">I", len(sound)) + sound
    return b"FORM" + struct.pack(">I", 4 + len(chunks)) + b"AIFC" + chunks


def ogg(packet: bytes) -> bytes:
    page = b"OggS\0\x06" + struct.pack("<qIII", 0, 5, 0, 0) + b"\x01" + bytes([len(packet)]) + packet
    return page


def flac(bits: int) -> bytes:
    packed = (44_100 << 44) | (1 << 41) | ((bits - 1) << 36) | 1000
    return (
        b"fLaC\x80\0\0\x22" + struct.pack(">HH", 4096, 4096) + bytes(6) + packed.to_bytes(8, "big") + bytes(16) + BODY
    )


def mp4(coding: bytes) -> bytes:
    entry = b"stsd" + bytes(8) + struct.pack(">I", 36) + coding + bytes(60)
    return b"\0\0\0\x20ftypM4A " + bytes(20) + b"moov" + entry + BODY


FILES: dict[str, tuple[bytes, str]] = {
    "aac.wav": (wav(0xFF, 0), "AAC"),
    "ac3.wav": (wav(0x2000, 0), "AC-3"),
    "mp2.wav": (wav(0x50, 0), "MPEG layer II (MP2)"),
    "yamaha.wav": (wav(0x20, 4), "Yamaha ADPCM"),
    "wma.wav": (wav(0x161, 16), "WMA"),
    "half.wav": (wav(3, 16), "floating-point samples of 16 bits"),
    "odd.wav": (wav(0x4242, 16), "format tag 0x4242"),
    "dts.wav": (wav(0x2001, 16), "DTS"),
    "six.wav": (wav(0x11, 4, channels=6), "IMA ADPCM"),
    "wide ima.wav": (extensible(0x11, 4), "IMA ADPCM"),
    "wide microsoft.wav": (extensible(2, 4), "Microsoft ADPCM"),
    "ima4.caf": (caf(b"ima4"), "IMA4"),
    "opus.caf": (caf(b"opus"), "Opus"),
    "aac.caf": (caf(b"aac "), "AAC"),
    "twenty.caf": (caf(b"lpcm", bits=20), "integer samples of 20 bits"),
    "half.caf": (caf(b"lpcm", bits=16, flags=1), "floating-point samples of 16 bits"),
    "delta.8svx": (svx(1), "Fibonacci delta"),
    "exponential.8svx": (svx(2), "exponential delta"),
    "mace.aifc": (aifc(b"MAC3"), "MACE 3"),
    "qdm.aifc": (aifc(b"QDM2"), "QDesign Music 2"),
    "deep.flac": (flac(32), "FLAC with 32 bits"),
    "speex.ogg": (ogg(b"Speex   " + bytes(72)), "Speex in Ogg"),
    "film.ogg": (ogg(b"\x80theora" + bytes(40)), "Theora in Ogg"),
    "ape.wav": (b"MAC \x96\x0f" + BODY, "Monkey's Audio"),
    "pack.wav": (b"wvpk" + BODY, "WavPack"),
    "film.wav": (b"\x1aE\xdf\xa3" + BODY, "Matroska or WebM"),
    "alac.wav": (mp4(b"alac"), "ALAC"),
    "phone.wav": (mp4(b"mp4a"), "AAC"),
    "wma.mp3": (b"0&\xb2u\x8ef\xcf\x11\xa6\xd9\0\xaa\0b\xcel" + BODY, "WMA"),
}


@pytest.fixture(autouse=True)
def _without_av(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a computer without PyAV, whatever this one has."""
    monkeypatch.setattr(open_sound, "open_with_av", lambda path: None)


@pytest.mark.parametrize("name", FILES)
def test_the_coding_is_named(tmp_path: Path, name: str) -> None:
    data, coding = FILES[name]
    (tmp_path / name).write_bytes(data)
    for use in (decode_sound, read_header):
        with pytest.raises(SoundError) as caught:
            use(tmp_path / name)
        assert str(caught.value) == f"its coding ({coding}) cannot be read: convert it to WAV or FLAC"


@pytest.mark.parametrize("cut", [3, 8, 12, 20, 30, 40])
@pytest.mark.parametrize("name", FILES)
def test_what_is_left_of_such_a_file_is_refused_too(tmp_path: Path, name: str, cut: int) -> None:
    (tmp_path / name).write_bytes(FILES[name][0][:cut])
    with pytest.raises(SoundError):
        decode_sound(tmp_path / name)
