"""Which file names are sounds.

libsndfile recognises a file by its content; names matter only where a folder is searched.  So a file that is named
by itself is always tried, and a folder gives what carries one of `SOUND_SUFFIXES`.
"""

import soundfile

#: Suffixes in use for a format of libsndfile, where they are not the format's own name.
_SUFFIXES_OF_FORMAT: dict[str, tuple[str, ...]] = {
    "AIFF": (".aiff", ".aif", ".aifc"),
    "AU": (".au", ".snd"),
    "IRCAM": (".ircam", ".sf"),
    "MP3": (".mp3", ".mp2", ".mp1"),
    "MPC2K": (".snd",),
    "NIST": (".nist", ".sph"),
    "OGG": (".ogg", ".oga", ".opus"),
    "RF64": (".rf64", ".bw64"),
    "SVX": (".svx", ".8svx", ".16sv", ".iff"),
    "WAV": (".wav", ".wave", ".bwf"),
    "WAVEX": (".wav",),
    # Not searched for: raw audio cannot be told from any other data, and nearly every .mat is no sound.
    "RAW": (),
    "MAT4": (),
    "MAT5": (),
}


def _sound_suffixes() -> frozenset[str]:
    found: set[str] = set()
    for name in soundfile.available_formats():
        found.update(_SUFFIXES_OF_FORMAT.get(name, (f".{name.lower()}",)))
    return frozenset(found)


#: Suffixes (lower case, with the dot) of the files that a search of a folder takes for sounds.
SOUND_SUFFIXES: frozenset[str] = _sound_suffixes()

#: Sounds that libsndfile cannot read, and films and containers that hold sound.  A search of a folder reports them,
#: so that a folder full of them is not "no sounds".
UNREADABLE_SUFFIXES: frozenset[str] = frozenset(
    {
        ".m4a", ".m4b", ".m4p", ".m4r", ".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".aac", ".adts", ".ac3", ".eac3",
        ".wma", ".asf", ".wmv", ".ape", ".wv", ".tta", ".mpc", ".mp+", ".ofr", ".shn", ".amr", ".awb", ".dsf", ".dff",
        ".dts", ".spx", ".webm", ".weba", ".mka", ".mkv", ".ogv", ".ogm", ".avi", ".mpg", ".mpeg", ".mts", ".m2ts",
        ".flv", ".f4a", ".f4v", ".ra", ".rm", ".rmvb", ".mlp", ".thd", ".gsm", ".oma", ".aa3", ".at3", ".caff", ".vob",
    }
)  # fmt: skip
