"""``distill models ...`` and the commands that make sound, as a musician types them."""

import json
from pathlib import Path

import pytest
import soundfile
import torch

from distill import paths
from distill.cli.app import main
from distill.generation.history.kept_weights import kept_weights
from distill.generation.history.sound_history import GeneratedHistory
from distill.generation.recipe import read_recipe
from tests.models.test_fuzz import write_whole_files
from tests.support.models import tone_model, write_model_with_prior


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {path.name: path for path in write_whole_files(tmp_path_factory.mktemp("files"))}


@pytest.fixture(autouse=True)
def _own_trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """Run a command and return what it printed: on standard output, or as its one line of error."""
    assert main(list(words)) == code
    printed = capsys.readouterr()
    if code:
        assert len(printed.err.splitlines()) == 1
        return printed.err
    # A recipe may be a stranger's: what it has the program read is said before it is read.
    assert printed.err.startswith("Reads ") if words[0] == "remake" else printed.err == ""
    return printed.out


def test_a_library_from_the_terminal(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "0 models" in said(capsys, "models", "list")
    nothing = tmp_path / "nothing.distill"
    nothing.touch()
    refused = said(capsys, "models", "import", str(nothing), str(files["vae.distill"]), code=1)
    assert "nothing.distill" in refused
    assert "Imported: 1 of 2 files." in refused
    said(capsys, "models", "import", str(files["vqvae.distill"]))
    (paths.models_dir() / "odd.distill").write_bytes(b"no model")
    listed = said(capsys, "models", "list")
    assert "3 models" in listed
    assert "odd.distill  cannot be used: odd.distill is not a model file of Distill." in listed
    rows = [json.loads(line) for line in said(capsys, "models", "list", "--json").splitlines()]
    by_family = {row["family"]: row for row in rows}
    assert set(by_family) == {"vae", "vqvae", ""}
    one = by_family["vae"]["model_id"]
    assert "2 models are called" in said(capsys, "models", "rename", "Bells", "Gongs", code=2)
    said(capsys, "models", "rename", one, "Gongs")
    assert "Name:     Gongs" in said(capsys, "models", "info", "gongs")
    assert "restore" in said(capsys, "models", "delete", "Gongs")
    assert "no model 'Gongs'" in said(capsys, "models", "info", "Gongs", code=2)
    assert "no model" in said(capsys, "models", "restore", "Horns", code=2).lower()
    said(capsys, "models", "restore", "Gongs")
    copy = Path(said(capsys, "models", "export", "Gongs", str(tmp_path / "out")).strip())
    assert copy.name == "Gongs.distill"
    said(capsys, "models", "export", "odd.distill", str(tmp_path / "out"), code=1)
    assert "x.wav is neither" in said(capsys, "models", "export", "Gongs", str(tmp_path / "x.wav"), code=1)
    assert (paths.models_dir() / "odd.distill").read_bytes() == b"no model"


def test_sounds_made_in_the_terminal_can_be_made_again(
    files: dict[str, Path], sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out, source = str(files["vae.distill"]), str(tmp_path / "new"), str(sounds / "bell 1.wav")
    new = said(capsys, "sample", model, "--count", "2", "--seed", "3", "--out", out, "--temperature", "0.5")
    again = said(capsys, "sample", model, "--count", "2", "--seed", "3", "--out", out, "--format", "flac24", "--stereo")
    assert [Path(line).name for line in new.splitlines()] == ["vae_seed3_00.wav", "vae_seed3_01.wav"]
    assert soundfile.info(again.splitlines()[1]).channels == 2
    second = Path(new.splitlines()[1])
    remade = Path(said(capsys, "remake", str(second), str(tmp_path / "again.wav")).strip())
    assert soundfile.read(remade)[0].tolist() == soundfile.read(second)[0].tolist()
    changed = said(capsys, "transform", model, source, str(tmp_path / "t.ogg"), "--mix", "0.5", "--rate", "44100")
    assert soundfile.info(changed.strip()).samplerate == 44_100
    told = read_recipe(tmp_path / "t.ogg")
    assert told is not None
    assert (told.kind, told.dry_wet, told.source) == ("transformed", 0.5, source)
    refused = said(capsys, "encode", model, source, str(tmp_path / "codes.npz"), code=1)
    assert (
        refused == "distill: vae.distill is the model of another family: only a residual-VQ model (vqvae) has codes. "
        "In a script, load_model opens it.\n"
    )
    for name in ("r.wav", "r (2).wav"):
        assert Path(said(capsys, "reconstruct", model, source, str(tmp_path / "r.wav")).strip()).name == name
    assert [made.path.name for made in GeneratedHistory().list()][:3] == ["r (2).wav", "r.wav", "t.ogg"]
    assert "does not say how it was made" in said(capsys, "remake", source, str(tmp_path / "x.wav"), code=1)


@pytest.mark.parametrize("family", ["vae", "vqvae"])
def test_sounds_made_from_sounds_can_be_made_again(
    family: str, sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(write_model_with_prior(tone_model(family), tmp_path / "tones.distill"))
    source, other = str(sounds / "bell 1.wav"), str(sounds / "bell 2.wav")
    length = soundfile.info(source).frames / soundfile.info(source).samplerate
    out = str(tmp_path / "out")
    calls = {
        "new": ["sample", model, "--count", "2", "--seed", "3", "--out", out, "--seconds", "0.4", "--freedom", "0.2"],
        "varied": ["vary", model, source, "--count", "2", "--strength", "0.3", "--seed", "5", "--out", out],
        "morphed": ["morph", model, source, other, "--steps", "3", "--out", out],
        "extended": ["extend", model, source, str(tmp_path / "e.wav"), "--seconds", "0.5", "--seed", "1"],
        "repainted": ["repaint", model, source, str(tmp_path / "p.wav"), "--from", "0.1", "--to", "0.3", "--seed", "1"],
    }
    seconds = {"new": 0.4, "varied": length, "extended": length + 0.5, "repainted": length}
    for kind, words in calls.items():
        made = [Path(line) for line in said(capsys, *words).splitlines()]
        assert len(made) == {"new": 2, "varied": 2, "morphed": 3}.get(kind, 1)
        recipe = read_recipe(made[-1])
        assert recipe is not None
        assert recipe.kind == kind
        assert soundfile.info(made[-1]).duration == pytest.approx(seconds.get(kind, recipe.seconds or length), abs=0.3)
        again = Path(said(capsys, "remake", str(made[-1]), str(tmp_path / f"again {kind}.wav")).strip())
        first, second = (soundfile.read(path, dtype="float32")[0] for path in (made[-1], again))
        assert first.shape == second.shape
        assert abs(first - second).max() < 2e-3
    assert "must lie inside the sound" in said(
        capsys, "repaint", model, source, str(tmp_path / "q.wav"), "--from", "5", "--to", "6", code=1
    )


def test_sounds_are_made_again_after_their_model_was_trained_on(
    sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = tone_model("vae")
    model, source = write_model_with_prior(opened, tmp_path / "tones.distill"), str(sounds / "bell 1.wav")
    made = {
        "new": ["sample", str(model), "--count", "1", "--seed", "3", "--out", str(tmp_path), "--seconds", "0.4"],
        "through": ["transform", str(model), source, str(tmp_path / "t.wav")],
        "varied": ["vary", str(model), source, "--count", "1", "--seed", "5", "--out", str(tmp_path)],
    }
    files = {kind: Path(said(capsys, *words).strip()) for kind, words in made.items()}
    with torch.no_grad():
        opened.model.feature_mean.mul_(1.01)
    write_model_with_prior(opened, model)
    for kind, path in files.items():
        again = said(capsys, "remake", str(path), str(tmp_path / f"again {kind}.wav")).strip()
        assert abs(soundfile.read(path)[0] - soundfile.read(again)[0]).max() < 2e-3
    # What was made again is kept as well, from wherever its model was found.
    for kept in (paths.generated_dir() / "models").iterdir():
        kept.unlink()
    assert main(["remake", str(files["new"]), str(tmp_path / "gone.wav")]) == 1
    assert "trained further" in capsys.readouterr().err
    similar = Path(said(capsys, "remake", str(files["new"]), str(tmp_path / "s.wav"), "--similar").strip())
    recipe = read_recipe(similar)
    assert recipe is not None
    assert kept_weights(recipe.weights) is not None


def test_codes_replace_a_file_of_their_name(sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A script that encodes and decodes by the same name again gets the new codes."""
    model, codes = str(write_model_with_prior(tone_model("vqvae"), tmp_path / "tones.distill")), tmp_path / "bell.npz"
    codes.write_bytes(b"of the last time")
    assert Path(said(capsys, "encode", model, str(sounds / "bell 1.wav"), str(codes)).strip()) == codes
    assert Path(said(capsys, "decode", model, str(codes), str(tmp_path / "again.wav")).strip()).exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["sample", "{model}", "--seconds", "31"], "--seconds"),
        (["vary", "{model}", "{sound}", "--strength", "2"], "--strength"),
        (["morph", "{model}", "{sound}", "{sound}", "--steps", "1"], "--steps"),
        (["extend", "{model}", "{sound}", "{sound}"], "OUT is IN"),
        (["repaint", "{model}", "{sound}", "out.wav", "--from", "1"], "--to"),
        (["transform", "{model}", "{sound}", "out.aac"], ".wav, .flac, .ogg, .mp3"),
        (["transform", "{model}", "{sound}", "out.wav", "--format", "mp3"], "must end in .mp3"),
        (["transform", "{model}", "{sound}", "out.mp3", "--rate", "96000"], "44100, 48000 Hz"),
        (["transform", "{model}", "{sound}", "out.wav", "--rate", "8000"], "--rate must be one of"),
        (["transform", "{model}", "{sound}", "{sound}"], "OUT is IN"),
        (["transform", "{model}", "{sound}", "out.wav", "--mix", "2"], "--mix"),
        (["sample", "{model}", "--temperature", "9"], "--temperature"),
        (["models", "shred", "x"], "shred"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_done(
    words: list[str], complaint: str, sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "any.distill"
    model.touch()
    assert main([word.format(model=model, sound=sounds / "bell 1.wav") for word in words]) == 2
    assert complaint in " ".join(capsys.readouterr().err.split())
