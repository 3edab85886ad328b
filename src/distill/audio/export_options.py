"""The choices for a sound on its way out: kinds of files, sample rates, channels.  No audio library here."""

from dataclasses import dataclass

from distill.errors import ConfigurationError

RATES = (44_100, 48_000, 96_000)
#: Longest fade in milliseconds.
MOST_FADE_MS = 1000.0


@dataclass(frozen=True)
class ExportFormat:
    """A kind of sound file.

    Attributes
    ----------
    key, label
        For settings and for people.
    suffix
        Of the file's name, with the dot.
    container, coding
        libsndfile's names.
    bits
        Bits that samples are rounded to, 0 for float and for lossy codecs.
    lossy
        Whether what is heard differs from what was written.
    rates
        Sample rates in Hz that it can have.
    """

    key: str
    label: str
    suffix: str
    container: str
    coding: str
    bits: int = 0
    lossy: bool = False
    rates: tuple[int, ...] = RATES


FORMATS: tuple[ExportFormat, ...] = (
    ExportFormat("wav16", "WAV, 16 bits", ".wav", "WAV", "PCM_16", 16),
    ExportFormat("wav24", "WAV, 24 bits", ".wav", "WAV", "PCM_24", 24),
    ExportFormat("wav32f", "WAV, 32 bits float", ".wav", "WAV", "FLOAT"),
    ExportFormat("flac16", "FLAC, 16 bits", ".flac", "FLAC", "PCM_16", 16),
    ExportFormat("flac24", "FLAC, 24 bits", ".flac", "FLAC", "PCM_24", 24),
    ExportFormat("ogg", "OGG Vorbis", ".ogg", "OGG", "VORBIS", lossy=True),
    ExportFormat("mp3", "MP3", ".mp3", "MP3", "MPEG_LAYER_III", lossy=True, rates=(44_100, 48_000)),
)


def export_format(key: str) -> ExportFormat:
    """Return a format by its key.

    Raises
    ------
    ConfigurationError
        There is none of that key.
    """
    for row in FORMATS:
        if row.key == key:
            return row
    raise ConfigurationError(f"format must be one of {', '.join(row.key for row in FORMATS)}, not {key!r}.")


def format_of_suffix(suffix: str) -> ExportFormat:
    """Return the first format whose files end in ``suffix``.

    Raises
    ------
    ConfigurationError
        There is none.
    """
    for row in FORMATS:
        if row.suffix == suffix.lower():
            return row
    known = ", ".join(dict.fromkeys(row.suffix for row in FORMATS))
    other = f"in {suffix!r}" if suffix else "without an ending"
    raise ConfigurationError(f"Sounds are written as files that end in {known}, not {other}.")


@dataclass(frozen=True)
class ExportOptions:
    """How a sound is written.

    Attributes
    ----------
    format
        Key of one of `FORMATS`.
    sample_rate
        Hz, one of `RATES`.
    stereo
        None for the channels that the sound has.  True for two: a mono sound becomes two decorrelated ones (`widen`).
        False for one: of a stereo sound the mean of its channels.
    dither
        Whether noise of one step hides what rounding to 16 bits does to fades.
    trim
        Whether silence at the beginning and the end is cut off.
    fade_ms
        Length of the fades at the beginning and the end in milliseconds, 0 to `MOST_FADE_MS`.

    Raises
    ------
    ConfigurationError
        A value is none of those, or the format has no such rate.
    """

    format: str = "wav16"
    sample_rate: int = 48_000
    stereo: bool | None = None
    dither: bool = True
    trim: bool = False
    fade_ms: float = 0.0

    def __post_init__(self) -> None:
        kind = export_format(self.format)
        if not 0 <= self.fade_ms <= MOST_FADE_MS:
            raise ConfigurationError(f"fade_ms must be within 0 and {MOST_FADE_MS:g}, not {self.fade_ms!r}.")
        if self.sample_rate not in kind.rates:
            rates = ", ".join(map(str, kind.rates))
            raise ConfigurationError(f"{kind.label} can have a sample rate of {rates} Hz, not {self.sample_rate}.")

    @property
    def kind(self) -> ExportFormat:
        """The format."""
        return export_format(self.format)
