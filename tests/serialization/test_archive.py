"""Files that cannot be trusted: each ends in one sentence that says what is wrong, and nothing in them is run."""

import errno
import os
import pickle
import random
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from distill.errors import CheckpointError, ModelFileError
from distill.files import PARTIAL_SUFFIX
from distill.serialization.archive import read_archive, write_archive
from distill.serialization.weight_checks import apply_state

CONTENT = {
    "numbers": torch.arange(5000.0),
    "text": "tone",
    "nested": {"list": [1, 2.5, None], "state": {0: torch.ones(3)}},
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "good.pt"
    write_archive(path, CONTENT)
    return path


def read(path: Path) -> dict[str, Any]:
    return read_archive(path, "checkpoint", CheckpointError)


def rewritten(path: Path, edit: Callable[[str, bytes], bytes | None], compression: int = zipfile.ZIP_STORED) -> Path:
    """Return a copy of an archive with edited parts and sums that are right again."""
    target = path.with_name("edited.pt")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w", compression) as copy:
        for name in source.namelist():
            data = edit(name, source.read(name))
            if data is not None:
                copy.writestr(name, data)
    return target


def test_the_way_there_and_back(archive: Path) -> None:
    data = read(archive)
    assert torch.equal(data["numbers"], CONTENT["numbers"])  # type: ignore[arg-type]
    assert data["nested"]["list"] == [1, 2.5, None]
    assert torch.equal(data["nested"]["state"][0], torch.ones(3))


def test_a_disk_that_fails_is_no_damage_of_the_file(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(zipfile.ZipExtFile, "read", fail)
    with pytest.raises(CheckpointError, match=rf"good\.pt cannot be read \({os.strerror(errno.EIO)}\)\.$"):
        read(archive)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no checkpoint"):
        read(tmp_path / "none.pt")


def test_an_empty_file(archive: Path) -> None:
    archive.write_bytes(b"")
    with pytest.raises(CheckpointError, match="empty"):
        read(archive)


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be opened"):
        read(tmp_path)


@pytest.mark.parametrize("kept", [0.99, 0.5, 0.01])
def test_a_truncated_file(archive: Path, kept: float) -> None:
    data = archive.read_bytes()
    archive.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(CheckpointError, match="truncated"):
        read(archive)


@pytest.mark.parametrize(
    "content", [b"RIFF....WAVEfmt ", b"\x80\x02}q\x00.", b"{}", b"PK", pickle.dumps({"version": 1}), b"\x00" * 5000]
)
def test_a_foreign_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "song.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="not a checkpoint of Distill"):
        read(path)


def test_a_zip_of_something_else(tmp_path: Path, archive: Path) -> None:
    path = tmp_path / "book.pt"
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("chapter.txt", "Once upon a time")
    with pytest.raises(CheckpointError, match="not a checkpoint of Distill"):
        read(path)
    with pytest.raises(CheckpointError, match=r"not a checkpoint of Distill: it holds compressed"):
        read(rewritten(archive, lambda name, data: data, zipfile.ZIP_DEFLATED))
    torch.save([1, 2, 3], path)
    with pytest.raises(CheckpointError, match="not a checkpoint of Distill"):
        read(path)


def test_the_kind_and_type_of_the_error_are_the_callers(tmp_path: Path) -> None:
    path = tmp_path / "a.distill"
    path.write_bytes(b"no model")
    with pytest.raises(ModelFileError, match="not a model file of Distill"):
        read_archive(path, "model file", ModelFileError)


@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_bit_is_found(archive: Path, seed: int) -> None:
    """Or lies where it changes nothing, such as in the zip's time stamps and padding."""
    data = bytearray(archive.read_bytes())
    rng = random.Random(seed)
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    archive.write_bytes(data)
    try:
        found = read(archive)
    except CheckpointError:
        return
    assert torch.equal(found["numbers"], CONTENT["numbers"])  # type: ignore[arg-type]
    assert found["text"] == "tone"


def test_a_flipped_bit_in_a_tensor_is_called_damage(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    data[data.index(torch.arange(5000.0).numpy().tobytes()) + 4321] ^= 8
    archive.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged"):
        read(archive)


@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_pickle_says_one_kind_of_error_comes_out(archive: Path, seed: int) -> None:
    """Damage that comes with right checksums: a program wrote it so."""
    rng = random.Random(seed)

    def edit(name: str, data: bytes) -> bytes:
        if not name.endswith("data.pkl"):
            return data
        broken = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        return bytes(broken)

    with suppress(CheckpointError):  # or nothing but letters of a name was hit
        assert isinstance(read(rewritten(archive, edit)), dict)


class _Payload:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    path, proof = tmp_path / "evil.pt", tmp_path / "proof"
    torch.save({"version": 1, "model_state_dict": _Payload(f"touch '{proof}'")}, path)
    with pytest.raises(CheckpointError, match="program code"):
        read(path)
    assert not proof.exists()
    torch.save({"version": 1, "model_state_dict": nn.Linear(2, 2)}, path)  # a whole object: also never written by us
    with pytest.raises(CheckpointError, match="program code or objects"):
        read(path)


def test_a_storage_that_claims_to_be_larger_than_it_is(archive: Path) -> None:
    def edit(name: str, data: bytes) -> bytes:
        return data.replace((5000).to_bytes(2, "little"), (50_000).to_bytes(2, "little"))

    with pytest.raises(CheckpointError, match="damaged"):
        read(rewritten(archive, edit))


def test_an_allocation_bomb(archive: Path) -> None:
    """``bytearray(10**15)``: the one call with a size that weights-only loading allows."""
    bomb = b"\x80\x02c__builtin__\nbytearray\n\x8a\x07" + (10**15).to_bytes(7, "little") + b"\x85R."
    with pytest.raises(CheckpointError, match=r"edited\.pt"):
        read(rewritten(archive, lambda name, data: bomb if name.endswith("data.pkl") else data))


def test_a_part_that_is_missing(archive: Path) -> None:
    with pytest.raises(CheckpointError, match="damaged"):
        read(rewritten(archive, lambda name, data: None if name.endswith("data/0") else data))


class TestWriting:
    def test_an_error_in_the_middle_leaves_the_old_file(self, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        before = archive.read_bytes()

        def fail(data: Any, file: Any) -> None:
            file.write(b"half of it")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(torch, "save", fail)
        with pytest.raises(OSError, match="No space left"):
            write_archive(archive, {"other": 1})
        assert archive.read_bytes() == before
        assert [p.name for p in archive.parent.iterdir()] == [archive.name]

    def test_a_power_cut_leaves_the_old_file(self, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """At the last moment: everything is written, and the rename does not happen."""
        before = archive.read_bytes()

        def cut(*args: Any) -> None:
            raise SystemExit

        monkeypatch.setattr(Path, "replace", cut)
        monkeypatch.setattr(Path, "unlink", cut)
        with pytest.raises(SystemExit):
            write_archive(archive, {"other": 1})
        assert archive.read_bytes() == before
        left = [p.name for p in archive.parent.iterdir() if p != archive]
        assert all(name.endswith(PARTIAL_SUFFIX) for name in left)

    def test_what_torch_says_of_a_full_disk_becomes_an_os_error(
        self, archive: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(data: Any, file: Any) -> None:
            raise RuntimeError("PytorchStreamWriter failed writing file data/0")

        monkeypatch.setattr(torch, "save", fail)
        with pytest.raises(OSError, match=r"good\.pt could not be written"):
            write_archive(archive, {"other": 1})


class TestApplyState:
    @pytest.fixture
    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))

    def apply(self, network: nn.Module, state: Any) -> None:
        apply_state(network, state, "network", Path("a.pt"), CheckpointError)

    def test_a_state_that_fits(self, network: nn.Module) -> None:
        state = {key: torch.full_like(value, 7) for key, value in network.state_dict().items()}
        self.apply(network, state)
        assert all(bool((value == 7).all()) for value in network.state_dict().values())

    @pytest.mark.parametrize(
        "change",
        [
            lambda state: state | {"more": torch.zeros(1)},
            lambda state: {key: value for key, value in state.items() if key != "1.bias"},
            lambda state: state | {"1.bias": torch.zeros(3)},
            lambda state: state | {"1.bias": torch.zeros(2, dtype=torch.int64)},
            lambda state: state | {"1.num_batches_tracked": torch.zeros(())},
            lambda state: state | {"1.bias": [0.0, 0.0]},
            lambda state: state | {"1.bias": torch.zeros(2).to_sparse()},
            lambda state: state | {"1.bias": torch.zeros(2, device="meta")},
            lambda state: state | {"1.bias": torch.zeros(2, dtype=torch.complex64)},
            lambda state: list(state),
            lambda state: None,
        ],
    )
    def test_one_that_does_not_fit_changes_nothing(self, network: nn.Module, change: Callable[[Any], Any]) -> None:
        before = {key: value.clone() for key, value in network.state_dict().items()}
        state = {key: torch.full_like(value, 7) for key, value in before.items()}
        with pytest.raises(CheckpointError, match=r"^a\.pt holds"):
            self.apply(network, change(state))
        assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
