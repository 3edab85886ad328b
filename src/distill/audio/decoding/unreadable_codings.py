"""The names of codings that libsndfile does not read, so that a whole file is not called damaged."""

import struct
from pathlib import Path

from distill.audio.decoding.streams.byte_view import ByteView, read_at
from distill.audio.decoding.streams.container_headers import CAF_CHUNKS, FORM_CHUNKS, RIFF_CHUNKS, walk_chunks
from distill.audio.decoding.streams.ogg import walk_pages

#: Format tags of WAV (mmreg.h) beside those that libsndfile reads.
_WAVE_CODINGS = {
    0x0002: "Microsoft ADPCM", 0x0003: "floating point", 0x0005: "IBM CVSD", 0x0008: "DTS", 0x0009: "DRM",
    0x000A: "WMA Voice", 0x0010: "OKI ADPCM", 0x0012: "MediaSpace ADPCM", 0x0013: "Sierra ADPCM", 0x0014: "G.723 ADPCM",
    0x0015: "DIGISTD", 0x0016: "DIGIFIX", 0x0017: "Dialogic ADPCM", 0x0020: "Yamaha ADPCM", 0x0022: "TrueSpeech",
    0x0030: "AC-2", 0x0031: "GSM 6.10", 0x0040: "G.721 ADPCM", 0x0042: "G.723.1", 0x0045: "G.726 ADPCM",
    0x0050: "MPEG layer II (MP2)", 0x0055: "MP3", 0x0061: "Duck DK4 ADPCM", 0x0062: "Duck DK3 ADPCM",
    0x0064: "G.726 ADPCM", 0x0075: "VoxWare", 0x0092: "AC-3 over S/PDIF", 0x00FF: "AAC", 0x0111: "VIVO G.723",
    0x0130: "ACELP", 0x0160: "WMA 1", 0x0161: "WMA", 0x0162: "WMA Pro", 0x0163: "WMA lossless",
    0x0165: "XMA", 0x0166: "XMA 2", 0x0200: "Creative ADPCM", 0x0270: "ATRAC3", 0x0401: "Indeo Audio",
    0x0402: "Indeo Audio", 0x1600: "AAC", 0x1601: "AAC", 0x1602: "AAC", 0x1610: "AAC", 0x2000: "AC-3",
    0x2001: "DTS", 0x566F: "Vorbis", 0x6771: "Vorbis", 0x704F: "Opus", 0xA106: "AAC", 0xA109: "Speex",
    0xF1AC: "FLAC", 0x5756: "WavPack", 0x0674: "Vorbis",
    0x0006: "A-law", 0x0007: "µ-law", 0x0011: "IMA ADPCM",
}  # fmt: skip
_MP4_CODINGS = {
    b"mp4a": "AAC", b"alac": "ALAC", b"ac-3": "AC-3", b"ec-3": "E-AC-3", b"samr": "AMR", b"sawb": "AMR-WB",
    b"Opus": "Opus", b"fLaC": "FLAC", b".mp3": "MP3", b"ima4": "IMA4", b"MAC3": "MACE 3", b"MAC6": "MACE 6",
    b"QDM2": "QDesign Music 2", b"QDMC": "QDesign Music", b"Qclp": "PureVoice", b"aac ": "AAC", b"paac": "AAC",
    b"pach": "HE-AAC", b"aach": "HE-AAC", b"aacl": "AAC-LD", b"ilbc": "iLBC", b"dvi8": "DVI ADPCM", b"GSM ": "GSM",
    b"opus": "Opus", b"flac": "FLAC", b".mp1": "MPEG layer I", b".mp2": "MPEG layer II (MP2)", b"vdva": "DV audio",
    b"G722": "G.722", b"G726": "G.726 ADPCM", b"ADP4": "Intel ADPCM", b"rt24": "RT24", b"rt29": "RT29",
    b"ms\0\x11": "IMA ADPCM", b"ms\0\x02": "Microsoft ADPCM",
}  # fmt: skip
_MARKS = (
    (0, b"MAC ", "Monkey's Audio"), (0, b"wvpk", "WavPack"), (0, b"TTA1", "True Audio"), (0, b"TTA2", "True Audio"),
    (0, b"MP+", "Musepack"), (0, b"MPCK", "Musepack"), (0, b"\x0bw", "AC-3"), (0, b"#!AMR", "AMR"),
    (0, b"DSD ", "DSD"), (0, b"FRM8", "DSD"), (0, b".RMF", "RealAudio"), (0, b".ra\xfd", "RealAudio"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "WMA"), (0, b"\x1aE\xdf\xa3", "Matroska or WebM"), (0, b"FLV", "Flash video"),
    (0, b"\x7f\xfe\x80\x01", "DTS"), (0, b"\xff\xf1", "AAC"), (0, b"\xff\xf9", "AAC"), (0, b"ADIF", "AAC"),
    (0, b"OFR ", "OptimFROG"), (0, b"ajkg", "Shorten"), (0, b"LA04", "Lossless Audio"), (0, b"MThd", "MIDI notes"),
    (0, b"RIFX", "RIFX"), (0, b"SCRS", "SCRS"), (0, b"\x00\x00\x01\xba", "MPEG video"),
)  # fmt: skip
_VIDEO_FORMS = {b"AVI ": "AVI video", b"RMID": "MIDI notes", b"WEBP": "WebP picture", b"sfbk": "SoundFont"}


def unreadable_coding(path: Path, start: int, end: int) -> str | None:
    """Return the name of the coding of a file that libsndfile does not read; None where it is not known.

    Parameters
    ----------
    path
        The file.
    start, end
        Range of the file without tags.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with ByteView(path, [(start, end)]) as file:
        head = file.read(16)
        if head[4:8] == b"ftyp" or head[4:8] in (b"moov", b"mdat", b"wide", b"free"):
            return _mp4_coding(path, start, end) or "MP4"
        if head[:4] in (b"RIFF", b"RF64", b"BW64"):
            return _VIDEO_FORMS.get(head[8:12]) or _wave_coding(file)
        if head[:4] == b"FORM":
            return _aifc_coding(file)
        if head[:4] == b"caff":
            return _caf_coding(file)
        if head[:4] == b"OggS":
            layout = walk_pages(path, start, end)
            named = [stream.coding for stream in layout.streams if stream.coding] if layout else []
            return f"{' and '.join(dict.fromkeys(named))} in Ogg" if named else None
        if head[:4] == b"fLaC":
            return _flac_coding(file)
        return next((name for at, mark, name in _MARKS if head[at:].startswith(mark)), None)


def _wave_coding(file: ByteView) -> str | None:
    for name, _, offset, _ in walk_chunks(file, 12, RIFF_CHUNKS):
        if name == b"LIST" and read_at(file, offset, 4) == b"wavl":
            return "a list of waves"
    for name, _, offset, size in walk_chunks(file, 12, RIFF_CHUNKS):
        if name == b"fmt ":
            body = read_at(file, offset, min(size, 40))
            if len(body) < 16:
                return None
            tag, bits = struct.unpack_from("<H", body)[0], struct.unpack_from("<H", body, 14)[0]
            is_extensible = tag == 0xFFFE and len(body) >= 26
            if is_extensible:
                tag = struct.unpack_from("<H", body, 24)[0]
            if tag in (1, 3):
                return _plain_samples(bits, is_float=tag == 3)
            if tag in (6, 7, 0x11) and not is_extensible and body[2] <= 2:  # read by libsndfile, so the file is damaged
                return None
            return _WAVE_CODINGS.get(tag, f"format tag 0x{tag:04X}")
    return None


def _aifc_coding(file: ByteView) -> str | None:
    form = read_at(file, 8, 4)
    if form in (b"8SVX", b"16SV"):
        return _svx_coding(file)
    if form != b"AIFC":
        return None
    for name, _, offset, _ in walk_chunks(file, 12, FORM_CHUNKS):
        if name == b"COMM":
            return _four_letters(read_at(file, offset + 18, 4))
    return None


def _svx_coding(file: ByteView) -> str | None:
    for name, _, offset, _ in walk_chunks(file, 12, FORM_CHUNKS):
        if name == b"VHDR":
            kind = read_at(file, offset + 15, 1)
            return {b"\0": None, b"\1": "Fibonacci delta", b"\2": "exponential delta"}.get(kind, "a packed 8SVX")
    return None


def _caf_coding(file: ByteView) -> str | None:
    for name, _, offset, _ in walk_chunks(file, 8, CAF_CHUNKS):
        if name != b"desc":
            continue
        body = read_at(file, offset, 32)
        if body[8:12] == b"lpcm" and len(body) == 32:
            flags, bits = struct.unpack_from(">I", body, 12)[0], struct.unpack_from(">I", body, 28)[0]
            return _plain_samples(bits, bool(flags & 1))
        return _four_letters(body[8:12])
    return None


def _plain_samples(bits: int, is_float: bool) -> str | None:
    """Return what samples of a size are called that libsndfile does not read."""
    usual = (32, 64) if is_float else (8, 16, 24, 32)
    return f"{'floating-point' if is_float else 'integer'} samples of {bits} bits" if bits not in usual else None


def _flac_coding(file: ByteView) -> str | None:
    info = read_at(file, 8, 18)
    bits = (((info[12] & 1) << 4) | (info[13] >> 4)) + 1 if len(info) == 18 else 0
    return f"FLAC with {bits} bits" if bits > 24 else None


def _four_letters(code: bytes) -> str | None:
    if code in (b"NONE", b"sowt", b"twos", b"lpcm", b""):
        return None
    return _MP4_CODINGS.get(code) or code.decode("ascii", "replace").strip() or None


def _mp4_coding(path: Path, start: int, end: int) -> str | None:
    """Return the coding of the first sound track of an MP4 or QuickTime file."""
    scanned = 1 << 22
    with path.open("rb") as file:
        for low in {start, max(start, end - scanned)}:  # the description lies at the beginning or at the end
            file.seek(low)
            data = file.read(min(scanned, end - low))
            description_at = data.find(b"stsd")
            while description_at >= 0:
                code = data[description_at + 16 : description_at + 20]
                if code in _MP4_CODINGS:
                    return _MP4_CODINGS[code]
                description_at = data.find(b"stsd", description_at + 4)
    return None
