"""The library: found again, told apart, never lost."""

import errno
import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from distill import trash
from distill.config.training import VQVAEConfig
from distill.errors import LibraryError, ModelFileError
from distill.library import index, user_metadata
from distill.library.index import CURVE_POINTS, read_facts
from distill.library.model_library import ModelLibrary
from distill.models import ModelMetadata, open_model
from distill.serialization.archive import write_archive
from tests.support.models import tone_model, write_model_with_prior

CONFIG = VQVAEConfig(codebook_dim=8, codebook_size=16, num_quantizers=2, chunk_duration_s=0.25)


def write_model(path: Path, metadata: ModelMetadata, version: int = 2, **more: Any) -> Path:
    """Write a model file that has all that a library looks at, and small weights."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "format": "distill_model",
        "version": version,
        "model_type": "vqvae",
        "model_state_dict": {"weight": torch.arange(5000.0)},
        "spectrogram_config": {},
        "training_config": CONFIG.to_dict(),
        "loss_curve_history": {"val_losses": [1.0 / n for n in range(1, 200)]},
        "metadata": metadata.to_dict(),
        "codebook_health_snapshot": {
            f"level_{n}": {"utilization": 0.5 + 0.25 * n, "perplexity": 8.0, "dead_codes": n} for n in range(2)
        },
    }
    write_archive(path, content | more)
    return path


def bells(**changes: Any) -> ModelMetadata:
    made = ModelMetadata(
        name="Glöckchen", description="All of them", dataset_name="bells", dataset_file_count=12, training_epochs=7,
        final_val_loss=0.5, tags=("metal",),
    )  # fmt: skip
    return replace(made, **changes)


@pytest.fixture(autouse=True)
def _own_trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))


@pytest.fixture
def library(tmp_path: Path) -> ModelLibrary:
    return ModelLibrary(tmp_path / "models")


def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Count the model files that are opened from now on."""
    opened: list[Path] = []
    original = read_facts

    def counted(path: Path) -> Any:
        opened.append(path)
        return original(path)

    monkeypatch.setattr(index, "read_facts", counted)
    return opened


def test_what_cannot_be_read_now_is_not_replaced(library: ModelLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [write_model(library.folder / f"{name}.distill", bells(name=name)) for name in "ab"]
    library.rename(paths[0], "Mine")
    library.delete(paths[1])

    def fail(path: Path, *more: Any) -> Any:
        raise OSError(errno.EIO, "Input/output error", str(path))

    with monkeypatch.context() as patch:
        for module in (index, user_metadata):
            patch.setattr(module, "read_json", fail)
        assert [entry.name for entry in library.list()] == ["a"]
        with pytest.raises(LibraryError, match="could not be changed"):
            library.set_star(paths[0], True)
    assert [(entry.name, entry.starred) for entry in library.list()] == [("Mine", False)]
    assert [deletion.name for deletion in library.deletions()] == ["b"]
    assert [path.name for path in library.folder.iterdir() if "damaged" in path.name] == []


def test_an_empty_library_leaves_no_trace(library: ModelLibrary) -> None:
    assert library.list() == ()
    assert not library.folder.exists()


def test_what_an_entry_says(library: ModelLibrary, tmp_path: Path) -> None:
    entry = library.add(write_model(tmp_path / "run" / "model.distill", bells()))
    facts = entry.facts
    assert (entry.name, entry.tags, entry.notes, entry.starred) == ("Glöckchen", ("metal",), "All of them", False)
    assert (facts.dataset, facts.sounds, facts.epochs, facts.val_loss) == ("bells", 12, 7, 0.5)
    assert facts.codebook == {"utilization": 0.625, "perplexity": 8.0, "dead_codes": 1.0, "levels": 2.0}
    assert len(facts.curve) == CURVE_POINTS
    assert (facts.curve[0], facts.curve[-1]) == (1.0, 1.0 / 199)
    assert entry.file_bytes == entry.path.stat().st_size
    assert entry.problem is None
    json.dumps(entry.to_dict(), allow_nan=False)


def test_fifty_models_are_listed_without_opening_one(library: ModelLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(50):
        write_model(
            library.folder / f"m{n:02d}.distill", bells(name="Röhre" if n == 7 else f"Model {n}", model_id=f"{n:032x}")
        )
    seen: list[tuple[int, int]] = []
    assert len(library.list(progress=lambda done, total: seen.append((done, total)))) == 50
    assert seen[-1] == (50, 50)
    opened = reads(monkeypatch)
    again = ModelLibrary(library.folder)
    assert len(again.list()) == 50
    assert [e.name for e in again.search("rohre METAL")] == ["Röhre"]
    assert opened == []
    (library.folder / "m07.distill").unlink()
    write_model(library.folder / "new.distill", bells(name="New"))
    assert {e.name for e in again.list()} >= {"New", "Model 8"}
    assert [path.name for path in opened] == ["new.distill"]


def test_without_its_index_all_is_read_again_and_bad_files_are_told(library: ModelLibrary) -> None:
    good = write_model(library.folder / "good.distill", bells())
    library.rename(good, "Glass bells")
    library.set_tags(good, ["ice", " ice ", "", "north"])
    library.set_notes(good, "Play softly")
    library.set_star(good, True)
    damaged = write_model(library.folder / "damaged.distill", bells(name="Damaged"))
    data = bytearray(damaged.read_bytes())
    data[data.index(torch.arange(5000.0).numpy().tobytes()) + 999] ^= 4
    damaged.write_bytes(data)
    write_model(library.folder / "newer.distill", bells(name="Newer"), version=9)
    before = {path.name: path.read_bytes() for path in library.folder.glob("*.distill")}
    for content in (
        None,
        b"{}",
        b"\xff\xfe",
        b'{"version": 1, "program": "0", "models": {"good.distill": 3}, "deleted": 1}',
    ):
        file = index.index_folder(library.folder) / index.INDEX_NAME
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_bytes(content)
        entries = {entry.path.name: entry for entry in ModelLibrary(library.folder).list()}
        assert "checksum" in str(entries["damaged.distill"].problem)
        assert "newer version" in str(entries["newer.distill"].problem)
        entry = entries["good.distill"]
        assert entry.problem is None
        assert (entry.name, entry.tags, entry.notes, entry.starred) == (
            "Glass bells",
            ("ice", "north"),
            "Play softly",
            True,
        )
    assert {path.name: path.read_bytes() for path in library.folder.glob("*.distill")} == before
    with pytest.raises(LibraryError, match="checksum"):
        library.rename(damaged, "Whole")


def test_a_problem_that_another_version_saw_is_looked_at_again(
    library: ModelLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_model(library.folder / "newer.distill", bells(), version=9)
    write_model(library.folder / "good.distill", bells())
    library.list()
    opened = reads(monkeypatch)
    monkeypatch.setattr(index, "__version__", "99.0")
    library.list()
    assert opened == [path]


def test_namesakes_are_told_apart(library: ModelLibrary) -> None:
    for n in range(3):
        write_model(library.folder / f"{n}.distill", bells(model_id=f"{max(n, 1)}234567890"))
    assert {e.shown_name for e in library.list()} == {
        "Glöckchen (22345678)", "Glöckchen (0)", "Glöckchen (1)"
    }  # fmt: skip
    with pytest.raises(LibraryError, match=r"3 models are called 'glockchen'.*0\.distill"):
        library.find("glockchen")
    assert library.find("2234").path.name == "2.distill"
    assert library.find("0.distill").path.name == "0.distill"
    with pytest.raises(LibraryError, match="no model 'gong'"):
        library.find("gong")


def test_a_run_that_goes_on_replaces_its_model_and_keeps_the_users_words(library: ModelLibrary, tmp_path: Path) -> None:
    run = tmp_path / "run" / "model.distill"
    metadata = bells()
    kept = ModelLibrary(library.folder).add(write_model(run, metadata)).path
    library.rename(kept, "Mine")
    assert ModelLibrary(library.folder).add(write_model(run, replace(metadata, training_epochs=99))).path == kept
    (entry,) = library.list()
    assert (entry.name, entry.facts.epochs) == ("Mine", 99)


def test_a_run_that_got_another_name_replaces_its_model(library: ModelLibrary, tmp_path: Path) -> None:
    """It was paused, renamed and resumed: two models of one id could not be told apart."""
    run, metadata = tmp_path / "run" / "model.distill", bells(model_id="1" * 32)
    kept = library.add(write_model(run, metadata)).path
    library.set_star(kept, True)
    other = library.add(write_model(tmp_path / "other.distill", bells(model_id="2" * 32))).path
    entry = library.add(write_model(run, replace(metadata, name="Gongs", training_epochs=99)))
    assert (entry.path, entry.name, entry.facts.epochs, entry.starred) == (kept, "Gongs", 99, True)
    assert {found.path for found in library.list()} == {kept, other}


def test_a_model_keeps_the_file_that_an_older_version_gave_it(library: ModelLibrary, tmp_path: Path) -> None:
    """Older versions left the vowels of a Thai name out of the file's."""
    model = write_model(tmp_path / "run" / "model.distill", bells(name="เสียง", model_id="7" * 32))
    older = library.folder / "เส-ยง_77777777.distill"
    assert library.add(model).path == library.folder / "เสียง_77777777.distill"
    (library.folder / "เสียง_77777777.distill").rename(older)
    assert library.add(model).path == older
    assert [path.name for path in library.folder.glob("*.distill")] == [older.name]


def test_what_cannot_be_read_is_never_overwritten(library: ModelLibrary, tmp_path: Path) -> None:
    run = write_model(tmp_path / "run" / "model.distill", bells())
    kept = ModelLibrary(library.folder).add(run).path
    kept.write_bytes(b"what may yet be saved by somebody")
    other = ModelLibrary(library.folder).add(run).path
    assert other != kept
    assert kept.read_bytes() == b"what may yet be saved by somebody"
    assert ModelLibrary(library.folder).add(run).path == other
    library.rename(other, "Words")
    words = other.with_suffix(".words.json")
    words.write_text("{ broken")
    library.set_star(other, True)
    assert [p.read_text() for p in library.folder.glob("*.damaged")] == ["{ broken"]


def test_importing_and_exporting(library: ModelLibrary, tmp_path: Path) -> None:
    given = write_model(tmp_path / "given.distill", bells())
    first = library.import_file(given)
    assert library.import_file(given).path == first.path
    changed = write_model(tmp_path / "given.distill", replace(bells(model_id=first.model_id), training_epochs=8))
    second = library.import_file(changed)
    assert second.path != first.path
    assert len(library.list()) == 2
    plain = library.export(first, tmp_path / "out")
    assert plain.read_bytes() == first.path.read_bytes()
    library.rename(first, "Glass & ice")
    library.set_notes(first, "for you")
    copy = library.export(first, tmp_path / "out")
    again = library.export(first, tmp_path / "out")
    assert (copy.name, again.name) == ("Glass-ice.distill", "Glass-ice (2).distill")
    there = ModelLibrary(tmp_path / "theirs").import_file(copy)
    assert (there.name, there.notes, there.model_id) == ("Glass & ice", "for you", first.model_id)
    bad = tmp_path / "bad.distill"
    bad.write_bytes(b"no model")
    with pytest.raises(ModelFileError, match="not a model file"):
        library.import_file(bad)
    assert len(library.list()) == 2


@pytest.mark.parametrize("name", ["x.wav", "bells.PT", "bells.DISTILL", "a.mp3"])
def test_an_export_to_a_name_of_another_kind_is_refused(library: ModelLibrary, tmp_path: Path, name: str) -> None:
    """It became a folder of that name."""
    entry = library.import_file(write_model(tmp_path / "given.distill", bells()))
    with pytest.raises(LibraryError, match=rf"{name} is neither a name that ends in \.distill nor a folder"):
        library.export(entry, tmp_path / "out" / name)
    assert not (tmp_path / "out").exists()
    (tmp_path / "out" / name).mkdir(parents=True)
    assert library.export(entry, tmp_path / "out" / name).parent == tmp_path / "out" / name
    assert library.export(entry, tmp_path / "bells 1.2").parent == tmp_path / "bells 1.2"


def test_a_model_that_differs_in_words_alone_is_there_already(library: ModelLibrary, tmp_path: Path) -> None:
    given = write_model_with_prior(tone_model("vae"), tmp_path / "tones.distill")
    theirs = ModelLibrary(tmp_path / "theirs")
    entry = theirs.import_file(given)
    theirs.rename(entry, "Glass")
    theirs.set_notes(entry, "for you")
    theirs.set_tags(entry, ["cold"])
    copy = theirs.export(entry, tmp_path / "out")
    assert copy.read_bytes() != given.read_bytes()
    first = library.import_file(given)
    assert library.import_file(copy) == first
    assert [model.name for model in library.list()] == [first.name]
    other = write_model(tmp_path / "a.distill", bells(model_id=first.model_id))
    library.import_file(other)
    numbers = {"weight": torch.arange(5000.0) + 1}
    library.import_file(write_model(tmp_path / "b.distill", bells(model_id=first.model_id), model_state_dict=numbers))
    assert len(library.list()) == 3, "other numbers are another model"


def test_deleting_and_bringing_back(library: ModelLibrary, tmp_path: Path) -> None:
    path = write_model(library.folder / "a b.distill", bells())
    library.rename(path, "Mine")
    deletion = library.delete(path)
    assert library.list() == ()
    assert deletion.in_trash is not None
    note = tmp_path / "xdg" / "Trash" / "info" / "a b.distill.trashinfo"
    assert f"Path={path.parent}/a%20b.distill" in note.read_text()
    assert ModelLibrary(library.folder).deletions() == (deletion,)
    entry = ModelLibrary(library.folder).restore(deletion)
    assert (entry.path, entry.name) == (path, "Mine")
    assert not note.exists()
    assert library.deletions() == ()
    with pytest.raises(LibraryError, match="cannot be taken out of the trash"):
        library.restore(deletion)
    first = library.delete(path)
    write_model(path, bells(name="Another"))
    second = library.delete(path)
    assert first.in_trash != second.in_trash
    write_model(path, bells(name="Third"))
    assert library.restore(first).path.name == "a b (2).distill"
    assert len(library.list()) == 2


def test_a_model_that_cannot_be_moved_stays(library: ModelLibrary) -> None:
    def full(path: Path) -> Path:
        raise OSError(28, "No space left on device")

    path = write_model(library.folder / "a.distill", bells())
    with pytest.raises(LibraryError, match="No space left"):
        ModelLibrary(library.folder, trash=full).delete(path)
    assert [e.path for e in library.list()] == [path]


def test_the_trash_of_another_disk_falls_back_to_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = tmp_path / "file"
    nowhere.touch()
    original = trash._trash_folders
    monkeypatch.setattr(trash, "_trash_folders", lambda path: [(nowhere / "x", tmp_path), *original(path)])
    path = tmp_path / "a.distill"
    path.write_text("x")
    there = trash.move_to_trash(path)
    assert there is not None
    assert there.is_relative_to(tmp_path / "xdg")


def test_cancelled_reading_goes_on_next_time(library: ModelLibrary) -> None:
    for n in range(4):
        write_model(library.folder / f"{n}.distill", bells())
    stop = threading.Event()
    assert len(library.list(lambda done, total: stop.set() if done == 2 else None, stop)) == 2
    assert len(library.list()) == 4


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a folder that cannot be written to")
def test_a_library_that_cannot_be_written_to_is_listed(library: ModelLibrary) -> None:
    write_model(library.folder / "a.distill", bells())
    library.folder.chmod(0o500)
    try:
        assert len(library.list()) == 1
    finally:
        library.folder.chmod(0o700)


_IMPORT_AND_STAR = """
import sys
from pathlib import Path
from distill.library.model_library import ModelLibrary
for source in sys.argv[2:]:
    ModelLibrary(sys.argv[1]).set_star(ModelLibrary(sys.argv[1]).import_file(Path(source)), True)
assert "torch" not in sys.modules
"""


def test_two_processes_at_once(library: ModelLibrary, tmp_path: Path) -> None:
    sources = [write_model(tmp_path / f"{n}.distill", bells(name=f"Model {n}")) for n in range(10)]
    jobs = [
        subprocess.Popen([sys.executable, "-c", _IMPORT_AND_STAR, str(library.folder), *map(str, some)])
        for some in (sources[:5], sources[5:])
    ]
    assert [job.wait(120) for job in jobs] == [0, 0]
    entries = library.list()
    assert len(entries) == 10
    assert all(entry.starred and entry.problem is None for entry in entries)


def test_a_listed_model_opens(library: ModelLibrary, tmp_path: Path) -> None:
    """What the library finds good the engine can open."""
    from tests.models.test_fuzz import write_whole_files

    for path in write_whole_files(tmp_path):
        if path.suffix == ".distill":
            assert open_model(library.import_file(path).path).metadata.name == "Bells"
    assert {entry.family for entry in library.list()} == {"vae", "vqvae"}


def test_an_error_of_access_is_not_remembered(library: ModelLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_model(library.folder / "a.distill", bells())
    original = Path.open

    def full(self: Path, *arguments: Any, **named: Any) -> Any:
        if self == path:
            raise OSError(errno.EMFILE, "Too many open files")
        return original(self, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        assert "Too many open files" in str(library.list()[0].problem)
    assert library.list()[0].problem is None
    assert ModelLibrary(library.folder).list()[0].problem is None


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.EACCES])
def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(
    library: ModelLibrary, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    write_model(library.folder / "a.distill", bells())
    library.list()
    opened = reads(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", lambda self: (_ for _ in ()).throw(OSError(number, "no")))
        with pytest.raises(LibraryError, match="cannot be listed"):
            library.list()
    assert len(library.list()) == 1
    assert opened == []


def test_one_odd_name_costs_the_others_nothing(library: ModelLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    for n, name in enumerate(["a\ud800b", "\udcff", "plain", "n\0l"]):
        write_model(library.folder / f"{n}.distill", bells(name=name, model_id=f"{n:032x}"))
    names = {entry.name for entry in library.list()}
    assert names == {"a\ud800b", "\udcff", "plain", "n\0l"}
    opened = reads(monkeypatch)
    assert {entry.name for entry in ModelLibrary(library.folder).list()} == names
    assert opened == []


def test_damaged_rows_of_the_index_cost_the_others_nothing(
    library: ModelLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write_model(library.folder / f"{n}.distill", bells(model_id=f"{n:032x}")) for n in range(4)]
    library.delete(paths[3])
    file = index.index_folder(library.folder) / index.INDEX_NAME
    data = json.loads(file.read_text())
    data["models"]["0.distill"]["stamp"] = [10**400, 1, 2]
    data["models"]["1.distill"]["facts"]["val_loss"] = 10**400
    data["deleted"] = [3, {"original": "a\0b", "in_trash": None, "name": "x"}, *data["deleted"], {"original": None}]
    file.write_text(json.dumps(data))
    opened = reads(monkeypatch)
    assert len(library.list()) == 3
    assert sorted(path.name for path in opened) == ["0.distill", "1.distill"]
    assert [deletion.original for deletion in library.deletions()] == [paths[3]]


@pytest.mark.parametrize("what", ["~nobody-here", "x" * 300, "a/" * 3000, "a\0b", "\ud800", "", "."])
def test_odd_arguments_are_names_of_no_model(library: ModelLibrary, what: str) -> None:
    write_model(library.folder / "a.distill", bells())
    with pytest.raises(LibraryError, match="There is no model") as caught:
        library.find(what)
    assert len(str(caught.value)) < 200


def test_many_namesakes_are_not_all_listed(library: ModelLibrary) -> None:
    for n in range(9):
        write_model(library.folder / f"{n}.distill", bells(model_id=f"{n:032x}"))
    with pytest.raises(LibraryError, match=r"9 models are called 'Glöckchen'.*, …"):
        library.find("Glöckchen")
