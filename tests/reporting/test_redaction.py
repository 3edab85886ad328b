"""What a report must not say, in all the forms in which it can stand in a text."""

import json
import sys

import pytest

from distill.audio.decoding.sound_suffixes import SOUND_SUFFIXES, UNREADABLE_SUFFIXES
from distill.reporting.redaction import Redactor, private_names

HOME = "/volume/anna"
DATA = f"{HOME}/.local/share/distill"
SOUNDS = [
    f"{HOME}/Field recordings/Oma's Küche/kick 01.wav",
    f"{HOME}/Field recordings/take: 3 (good), final.aiff",
    "D:\\Sessions\\Bruno\\snare [2].WAV",
]
PRIVATE = ("anna", "Field", "Oma", "che", "kick 01", "take: 3", "final", "Bruno", "snare", "Sessions")


@pytest.fixture
def redactor() -> Redactor:
    names = private_names(SOUNDS, ["bells of Clara", "anna"])
    return Redactor(names, {HOME: "<home>", DATA: "<data>"}, b"a key")


@pytest.mark.parametrize(
    "form",
    [
        "{0}",
        "[Errno 2] No such file or directory: {0!r}",
        "soundfile.LibsndfileError: Error opening {0!r}: System error.",
        'The sound "{0}" is silent.',
        "{0}: not a regular file",
        "cannot read:{0}",
        "{0} and {0}",
        "ValueError: ({0!r}, 3)",
        "2026-11-28 12:06:20,123 441 MainThread WARNING {0} is damaged",
        '{{"sound": {1}}}',
    ],
)
def test_names_are_found_in_every_form(redactor: Redactor, form: str) -> None:
    for sound in SOUNDS:
        name = sound.replace("\\", "/").rsplit("/", 1)[1]
        for given in (sound, name, name.rpartition(".")[0], name.upper(), sound.replace("\\", "/")):
            text = redactor.text(form.format(given, json.dumps(given)))
            assert [word for word in PRIVATE if word.casefold() in text.casefold()] == [], text
            assert "<" in text


@pytest.mark.parametrize(
    "line",
    [
        "/media/bruno/Secret take (2), x.wav: damaged",
        "The disk /Volumes/Secret is full: try again",
        "failed:/mnt/secret/a",
        "reading //server/secret/a b: no answer",
        r"reading \\server\secret\a b",
        r"E:\People\Bruno\secret: no access",
        "file:///srv/secret/a%20b.wav is gone",
        "~bruno/secret/a.flac",
        "Secret take (2) - x.wav is silent.",
        "no waveform of 'my secret.ogg'",
        'PosixPath("/data/secret/a.wav")',
        'PosixPath("/data/bruno\'s secret/a")',
        f"The run in {DATA}/runs/2026-05-01 14.03.22 secret/run.json failed: no room",
        f"{DATA}/models/secret.distill",
        f'  File "{HOME}/secret/script.py", line 3, in work',
        f'  File "{HOME}/secret/src/mine.py", line 3 in work',
        r"\\?\C:\People\Bruno\secret: no access",
        r"[Errno 2] No such file: '\\\\server\\secret\\a b'",
        r"'\\\\?\\C:\\People\\Bruno\\secret'",
        r"..\secret\a is gone",
        "../secret/a: gone",
        "./secret/takes of Bruno",
        "$HOME/secret/a is gone",
        "${XDG_MUSIC_DIR}/secret/a is gone",
        r"%USERPROFILE%\secret\a is gone",
        "smb://nas/secret/a b",
        "sftp://bruno@host/secret",
        "FILE:///srv/secret",
        "url=file%3A///media/secret",
        "%2Fmedia%2Fsecret%2Fa is gone",
        "moved a ->/media/secret/b",
        "'/media/bruno's secret folder' cannot be read",
        "no waveform of 'Bruno: secret.ogg'",
        'Skipped Bruno\'s "secret" take.wav: silent',
        "send it to bruno.secret@example.org",
        "https://bruno:secret@example.org/a",
        "ssh bruno@secret failed",
    ],
)
def test_what_is_not_known_is_found_by_its_form(redactor: Redactor, line: str) -> None:
    text = redactor.text(line).casefold()
    assert "secret" not in text
    assert "bruno" not in text
    assert "<name " in text or "<file " in text


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (f"The run in {DATA}/runs/bells of Clara/run.json failed: no room", ["<data>/runs/", "/run.json failed: no"]),
        (f"{DATA}/runs/bells of Clara/checkpoints/checkpoint_epoch0007.pt", ["checkpoints/checkpoint_epoch0007.pt"]),
        (f"'{SOUNDS[0]}' cannot be read: bad header", [".wav' cannot be read: bad header"]),
        ("The loss is 1/2 of that at 48 kHz/s, see https://example.org/a/b.", ["1/2", "https://example.org/a/b."]),
        ("IndexError: list index out of range", ["IndexError: list index out of range"]),
        (f'  File "{HOME}/x/src/distill/gui/app.py", line 3, in run', ['"…/distill/gui/app.py", line 3, in run']),
        ('  File "C:\\Distill\\_internal\\torch\\nn.py", line 3 in f', ['"…/torch/nn.py", line 3 in f']),
        ('  File "/usr/lib/python3.11/threading.py", line 3 in f', ['"…/threading.py", line 3 in f']),
        ('  File "distill/gui/app.py", line 3 in f', ['distill/gui/app.py", line 3 in f']),
    ],
)  # fmt: skip
def test_what_a_developer_needs_stays(redactor: Redactor, line: str, kept: list[str]) -> None:
    text = redactor.text(line)
    assert [part for part in kept if part not in text] == [], text


def test_a_line_of_code_stays_and_the_message_after_it_does_not(redactor: Redactor) -> None:
    text = redactor.text(
        f'Traceback (most recent call last):\n  File "{HOME}/src/distill/files.py", line 1, in read\n'
        f'    return open("/x" / name)\nFileNotFoundError: {SOUNDS[0]}'
    )
    assert '    return open("/x" / name)' in text
    assert "kick" not in text


def test_a_name_has_one_token_in_a_report_and_another_in_the_next() -> None:
    first, second = Redactor(["kick 01"]), Redactor(["kick 01"])
    assert first.text("in kick 01 and\nKick 01.wav").count(first.token("kick 01")) == 2
    assert first.token("kick 01") != second.token("kick 01")
    assert first.token("kick 01.wav") == f"{first.token('kick 01')}.wav"


def test_letters_that_can_be_written_in_two_ways_are_one_name(redactor: Redactor) -> None:
    for written in ("Oma's Ku\u0308che", "Oma's K\u00fcche", "OMA'S K\u00dcCHE"):
        assert "che" not in redactor.text(f"in {written} it rains").casefold()


def test_a_line_without_an_end_is_left_out(redactor: Redactor) -> None:
    text = redactor.text("a\n" + "'/kick 01" * 100_000 + "\nb")
    assert text.splitlines() == ["a", "<a line of 900000 characters>", "b"]


def test_numbers_stay_and_texts_in_data_are_searched(redactor: Redactor) -> None:
    data = {"epochs": 3, "rate": 0.1, "path": SOUNDS[0], SOUNDS[1]: ["kick 01.wav", None, True]}
    kept = redactor.value(data)
    assert kept["epochs"] == 3
    assert kept["rate"] == 0.1
    text = json.dumps(kept)
    assert [word for word in PRIVATE if word in text] == []
    assert "null, true" in text


@pytest.mark.parametrize("name", ["Große Trommel", "STRASSE", "Straße 7", "İstanbul Ağa", "ﬁnale"])
@pytest.mark.parametrize("line", ["in {0} it rains", "die süße Wiese und {0}", "{0}.wav", "'{0}': ﬁn"])
def test_letters_whose_small_form_is_longer(name: str, line: str) -> None:
    """A line with one of them used to keep every known name that has a capital letter."""
    redactor = Redactor(private_names([], [name, "Oma's Küche"]), key=b"a key")
    for written in (name, "Oma's Küche"):
        text = redactor.text(line.format(written))
        assert written.split()[0].casefold() not in text.casefold()
        assert "<name " in text


@pytest.mark.parametrize(
    "line", ["anna_v2 is open", "the model take_anna", "ANNA_backup", "anna: no such user", "(anna)"]
)
def test_the_name_of_a_user_alone_or_joined_by_a_dash_below(redactor: Redactor, line: str) -> None:
    assert "anna" not in redactor.text(line).casefold()


@pytest.mark.parametrize("name", ["K\udcfcche secret", "first\nsecret", "🥁🥁🥁", "Tom & secret", "secret\u2028two"])
def test_names_that_are_no_plain_text(name: str) -> None:
    redactor = Redactor(private_names([], [name]), key=b"a key")
    in_log = name.encode("utf-8", "backslashreplace").decode()
    shown = name.encode("utf-8", "replace").decode()
    in_window = "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in name)
    for form in (name, repr(name), json.dumps(name), in_log, shown, in_window):
        text = redactor.text(f"the model {form} is open")
        assert "secret" not in text, ascii(form)
        assert "🥁" not in text
        assert "is open" in text


def test_an_unknown_file_of_any_kind_that_is_searched_for(redactor: Redactor) -> None:
    lines = ("Skipped {0}: is silent", "'{0}' cannot be used", "{0} is gone", "cannot read {0}")
    for suffix in SOUND_SUFFIXES | UNREADABLE_SUFFIXES | {".raw", ".mpga"}:
        for line in lines:
            text = redactor.text(line.format(f"Secret take{suffix.upper()}"))
            assert "take" not in text, text
            assert suffix in text


def test_the_work_grows_with_the_names_and_not_with_their_square() -> None:
    """All sounds that a model has generated begin with its name, and there can be thousands of them."""

    def calls(count: int) -> int:
        names, lines = [f"Bells {number:04d} soft" for number in range(count)], "Bells 0007 soft and more bells\n" * 50
        done = 0

        def add(*_event: object) -> None:
            nonlocal done
            done += 1

        sys.setprofile(add)
        try:
            text = Redactor(private_names([], names), key=b"a key").text(lines)
        finally:
            sys.setprofile(None)
        assert text.count("<name ") == 50
        assert "0007" not in text
        return done

    assert calls(800) < 6 * calls(200)
