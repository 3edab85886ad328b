"""Wrong usage ends with 2 in every command, whoever finds it; what fails for another reason ends with 1."""

from pathlib import Path

import pytest

from distill import __main__, paths
from tests.support.models import write_tone_model

#: By command: words that are wrong as they stand, or name something that is not there.
WRONG: dict[str, list[str]] = {
    "train": [
        "train SOUNDS --device tv",
        "train EMPTY",
        "train SOUNDS EMPTY",
        "train SOUNDS --device cuda:99",
        "train SOUNDS --epochs 0",
        "train SOUNDS --from MODEL --from-epoch 2",
        "train SOUNDS --from MODEL --family vqvae",
    ],
    "queue": [
        "queue add SOUNDS --device tv",
        "queue add EMPTY",
        "queue add SOUNDS --from MODEL --from-epoch 2",
        "queue add SOUNDS --from MODEL --family vqvae",
        "queue move 9 1",
        "queue move 1 0",
        "queue remove nothing",
    ],
    "models": [
        "models info nothing",
        "models rename nothing other",
        "models delete nothing",
        "models restore nothing",
        "models export nothing OUT",
        "models import nothing.distill",
    ],
    "runs": ["runs show nothing"],
    "compare": ["compare SOUNDS", "compare SOUNDS nothing", "compare 1 2 3 4 5"],
    "resume": [
        "resume nothing",
        "resume SOUNDS --sounds nothing",
        "resume SOUNDS --sounds EMPTY",
        "resume SOUNDS --sounds SOUND",
    ],
    "finish": ["finish nothing"],
    "inspect": ["inspect nothing", "inspect EMPTY", "inspect SOUNDS --family vae"],
    "sample": ["sample nothing", "sample MODEL --seconds nan", "sample MODEL --rate 1", "sample MODEL --stereo --mono"],
    "vary": ["vary MODEL SOUND --strength 2", "vary MODEL nothing", "vary MODEL SOUND --mono --stereo"],
    "morph": [
        "morph MODEL SOUND nothing",
        "morph MODEL SOUND SOUND --steps 1",
        "morph MODEL SOUND SOUND --mono --stereo",
    ],
    "extend": ["extend MODEL SOUND a.xyz", "extend MODEL SOUND SOUND", "extend MODEL SOUND a.wav --stereo --mono"],
    "repaint": [
        "repaint MODEL SOUND a.wav --from 0.3 --to 0.2",
        "repaint MODEL SOUND a.wav --from 0.3 --to 0.3",
        "repaint MODEL SOUND a.wav --from 0.1 --to 0.2 --stereo --mono",
    ],
    "transform": ["transform MODEL SOUND a.flac --format mp3", "transform MODEL SOUND a.wav --stereo --mono"],
    "reconstruct": ["reconstruct MODEL SOUND SOUND", "reconstruct MODEL SOUND a.wav --stereo --mono"],
    "remake": ["remake nothing a.wav", "remake SOUND a.wav --stereo --mono"],
    "encode": ["encode MODEL SOUND a.wav", "encode MODEL nothing a.npz"],
    "decode": ["decode MODEL nothing.npz a.wav", "decode MODEL SOUND a.wav --stereo --mono"],
    "map": ["map MODEL --at 2,2 --out a.wav", "map MODEL --json --svg", "map MODEL --at 0,0"],
    "kit": ["kit MODEL --out SOUNDS", "kit MODEL --out OUT --count 93"],
    "play": ["play MODEL --midi none", "play MODEL --osc 0"],
}
#: What is asked for is possible, but not with these files.
FAILING = [
    "train SOUNDS --from SOUND",
    "resume SOUNDS",
    "runs show SOUNDS",
    "compare SOUNDS SOUNDS",
    "models import SOUND",
    "sample SOUND",
    "remake SOUND a.wav",
    "encode MODEL SOUND a.npz",
    "decode MODEL SOUND a.wav",
    "repaint MODEL SOUND a.wav --from 5 --to 6",
    "map MODEL",
]


@pytest.fixture
def words(sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the words in capitals stand for; files that are written lie in the folder of the test."""
    monkeypatch.chdir(tmp_path)
    return {
        "SOUNDS": str(sounds), "SOUND": str(sounds / "bell 1.wav"), "OUT": str(tmp_path / "out"),
        "MODEL": str(write_tone_model(tmp_path, 5, 3)), "EMPTY": "",
    }  # fmt: skip


def test_each_command_is_tried() -> None:
    assert WRONG.keys() == __main__.COMMANDS


@pytest.mark.parametrize("line", [line for lines in WRONG.values() for line in lines])
def test_wrong_usage(line: str, words: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert __main__.main([words.get(word, word) for word in line.split()]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("Error: ") + printed.err.count("distill: ") == 1
    assert "Traceback" not in printed.err
    assert sorted(tmp_path.rglob("*")) == before, "nothing is made"
    assert not paths.runs_dir().exists()


@pytest.mark.parametrize("line", FAILING)
def test_failures(line: str, words: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main([words.get(word, word) for word in line.split()]) == 1
    printed = capsys.readouterr().err
    assert printed.splitlines()[-1].startswith("distill: ")
    assert printed.count("distill: ") == 1


def test_both_ends_of_a_part_that_is_not_in_the_sound_are_named(
    words: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    part = ["--from", "0.4", "--to", "6"]
    assert __main__.main(["repaint", words["MODEL"], words["SOUND"], "a.wav", *part]) == 1
    text = "The part must lie inside the sound, which is 0.50 s long, not from 0.4 to 6 s."
    assert capsys.readouterr().err == f"distill: {text}\n"
