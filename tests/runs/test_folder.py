"""The folder of a run: its lock, its record, its history."""

import errno
import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from distill.audio.scan_result import SkippedSound
from distill.audio.sound_scan import is_run
from distill.cli.runs import verdict_on
from distill.computing.background_writer import BackgroundWriter
from distill.errors import RunFolderError
from distill.runs.folder import RunFolder, checkpoint_epochs
from distill.runs.run_history import read_history
from distill.runs.run_record import RunRecord
from distill.training import EpochMetrics, MetricsHistory, StepMetrics, TrainingConfig
from distill.training.steps.learning_rate_schedule import CosineFactor
from tests.test_housekeeping import gone_process, partial_of
from tests.test_metrics_history import filled

HOLDER = """
import sys, time
from pathlib import Path
from distill.runs.folder import RunFolder
folder = RunFolder(Path(sys.argv[1]), resuming=False)
print("held", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(("kl_epochs", "warm_up"), [(20, 6), (None, 30)])
def test_the_verdict_on_an_extended_run_goes_by_the_warm_up_that_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kl_epochs: int | None, warm_up: int
) -> None:
    found: list[int] = []
    monkeypatch.setattr("distill.runs.verdict.judge", lambda _epochs, warm_up: found.append(warm_up))
    record = RunRecord(TrainingConfig(max_epochs=100, kl_warmup_fraction=0.3), [], kl_epochs=kl_epochs)
    record.save(tmp_path)
    assert ("kl_epochs" in json.loads((tmp_path / "run.json").read_text())) == (kl_epochs is not None)
    verdict_on(MetricsHistory(), RunRecord.load(tmp_path))
    assert found == [warm_up]


def test_the_record_of_very_many_sounds_is_read_again(tmp_path: Path) -> None:
    names = [tmp_path / f"{'drum machine with a long name ' * 3}{number:06d}.wav" for number in range(50_000)]
    hashes = [f"{number:040x}" for number in range(len(names))]
    record = RunRecord(
        TrainingConfig(), names,
        fingerprints={str(name): {"content": one, "audio": one[::-1]} for name, one in zip(names, hashes, strict=True)},
        split={"trained": [one[-16:] for one in hashes] * 2, "held_out": [], "divided": {}},
    )  # fmt: skip
    record.save(tmp_path)
    assert (tmp_path / "run.json").stat().st_size > 16 << 20
    assert RunRecord.load(tmp_path) == record
    assert is_run(tmp_path)


def test_a_second_process_is_kept_out_and_let_in_when_the_first_dies(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "run")], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RunFolderError, match="Another Distill is training in"):
            RunFolder(tmp_path / "run", resuming=True)
    finally:
        holder.kill()
        holder.communicate()
    RunFolder(tmp_path / "run", resuming=True).close()


def test_a_second_run_of_this_process_is_kept_out_too(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run", resuming=False)
    with pytest.raises(RunFolderError, match="Another Distill"):
        RunFolder(tmp_path / "run", resuming=False)
    folder.close()
    RunFolder(tmp_path / "run", resuming=False).close()


@pytest.mark.parametrize("trace", ["run.json", "checkpoints/checkpoint_epoch0003.pt"])
def test_a_folder_that_holds_a_run_is_refused_unless_it_is_resumed(tmp_path: Path, trace: str) -> None:
    (tmp_path / trace).parent.mkdir(exist_ok=True)
    (tmp_path / trace).write_text("{}")
    with pytest.raises(RunFolderError, match="holds another run"):
        RunFolder(tmp_path, resuming=False)
    RunFolder(tmp_path, resuming=True).close()


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RunFolderError, match="cannot be used for a run"):
            RunFolder(path, resuming=False)


def test_what_a_crash_left_half_written_is_cleared(tmp_path: Path) -> None:
    RunFolder(tmp_path, resuming=False).close()
    part = partial_of(tmp_path / "checkpoints" / "checkpoint_epoch0001.pt", gone_process())
    foreign = [tmp_path / name for name in (".film.mkv.part", "checkpoints/.download.abc.part")]
    for path in (part, *foreign):
        path.write_bytes(b"half")
    RunFolder(tmp_path, resuming=True).close()
    assert not part.exists()
    assert [path.read_bytes() for path in foreign] == [b"half", b"half"]


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_nothing_is_cleared_behind_a_link(tmp_path: Path) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    RunFolder(run, resuming=False).close()
    elsewhere.mkdir()
    part = partial_of(elsewhere / "checkpoint_epoch0001.pt", gone_process())
    part.write_bytes(b"half")
    (run / "checkpoints").rmdir()
    (run / "checkpoints").symlink_to(elsewhere)
    RunFolder(run, resuming=True).close()
    assert part.exists()


def test_damaged_lines_of_a_history_are_skipped_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    RunRecord(TrainingConfig(), [Path("a.wav")]).save(tmp_path)
    folder = RunFolder(tmp_path, resuming=True)
    steps = [StepMetrics(0, n, 9, 1.0, 0.5, 0.5, 0.1, 1e-3, 0.01) for n in range(9)]
    folder.append_history(steps)
    folder.close()
    whole = (tmp_path / "history.jsonl").read_bytes().splitlines(keepends=True)
    odd = [
        b"\xff" + whole[0], b"[" * 5000 + b"\n", whole[1].replace(b"1.0", b'"x"'), b"3\n", b"[]\n",
        whole[2].replace(b'"step": 2', b'"step": null'), b'{"event": "StepMetrics"}\n',
        whole[3].replace(b'"step": 3', b'"step": %d' % 10**30),
    ]  # fmt: skip
    lines = [line for pair in zip(odd, whole, strict=False) for line in pair] + whole[len(odd) :]
    (tmp_path / "history.jsonl").write_bytes(b"".join(lines) + whole[8][:20])
    found = read_history(tmp_path)
    assert list(found.events()) == steps
    assert f"{len(odd) + 1} damaged lines" in caplog.text


def test_any_flipped_bit_costs_a_history_two_lines_at_most(tmp_path: Path) -> None:
    RunRecord(TrainingConfig(), [Path("a.wav")]).save(tmp_path)
    folder = RunFolder(tmp_path, resuming=True)
    folder.append_history([StepMetrics(0, n, 9, 1.0, 0.5, 0.5, 0.1, 1e-3, 0.01) for n in range(4)])
    folder.close()
    whole = (tmp_path / "history.jsonl").read_bytes()
    for bit in range(0, 8 * len(whole), 3):
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        (tmp_path / "history.jsonl").write_bytes(broken)
        assert read_history(tmp_path).step_count >= 2


class TestRecord:
    RECORD = RunRecord(
        config=TrainingConfig(max_epochs=9),
        file_paths=[Path("/sounds/ä.wav")],
        skipped=[SkippedSound(Path("/sounds/b.wav"), "it is silent")],
        dataset_name="bells",
        model_name="Bells",
        status="failed",
        error="no room",
        speed={"precision": "float32"},
        notes=["Computing in float32."],
    )

    def test_the_way_there_and_back(self, tmp_path: Path) -> None:
        self.RECORD.save(tmp_path)
        assert RunRecord.load(tmp_path) == self.RECORD
        assert json.loads((tmp_path / "run.json").read_text())["skipped"][0]["reason"] == "it is silent"

    @pytest.mark.parametrize(
        "text",
        ["", "{", "[]", "3", "{}", '{"version": "x"}', '{"version": 1, "config": {}}', '{"version": 1, "config": 3}'],
    )
    def test_a_damaged_one_is_refused(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(RunFolderError, match="cannot be read"):
            RunRecord.load(tmp_path)

    @pytest.mark.parametrize(("name", "value"), [
        ("status", []), ("status", "odd"), ("created", 5), ("model_name", None), ("sounds", "a.wav"), ("sounds", [3]),
        ("notes", {}), ("speed", 1), ("skipped", "none"), ("error", 7),
        ("planned_epochs", 10**400), ("planned_epochs", True), ("kl_epochs", "9"), ("kl_epochs", 0), ("kl_epochs", -1),
    ])  # fmt: skip
    def test_wrong_types_are_refused(self, tmp_path: Path, name: str, value: object) -> None:
        self.RECORD.save(tmp_path)
        data = json.loads((tmp_path / "run.json").read_text())
        (tmp_path / "run.json").write_text(json.dumps({**data, name: value}))
        with pytest.raises(RunFolderError, match="cannot be read"):
            RunRecord.load(tmp_path)

    def test_others(self, tmp_path: Path) -> None:
        with pytest.raises(RunFolderError, match="not the folder of a run"):
            RunRecord.load(tmp_path)
        (tmp_path / "run.json").write_text('{"version": 99}')
        with pytest.raises(RunFolderError, match="newer version"):
            RunRecord.load(tmp_path)


class TestHistory:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Any:
        folder = RunFolder(tmp_path, resuming=False)
        TestRecord.RECORD.save(tmp_path)
        yield folder
        folder.close()

    def test_the_way_there_and_back(self, folder: RunFolder) -> None:
        history = filled(MetricsHistory, StepMetrics, EpochMetrics)
        folder.append_history(history.events())
        assert read_history(folder.path) == history
        folder.write_history(history)  # a resumed run goes back
        assert read_history(folder.path) == history
        folder.write_history(MetricsHistory())
        assert read_history(folder.path).step_count == 0

    def test_one_that_is_cut_short_while_it_is_replaced_stays_as_it_was(
        self, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        history = filled(MetricsHistory, StepMetrics, EpochMetrics)
        folder.append_history(history.events())
        shorter = filled(MetricsHistory, StepMetrics, EpochMetrics, epochs=1, steps=2)

        class Killed(BaseException):
            """The process ends."""

        kept = list(shorter.events())[:2]

        def events_until_killed() -> Any:
            yield from kept
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(MetricsHistory, "events", lambda self: events_until_killed())
            with pytest.raises(Killed):
                folder.write_history(shorter)
        assert read_history(folder.path) == history
        folder.write_history(shorter)
        assert read_history(folder.path) == shorter

    def test_damaged_lines_are_left_out_whole(self, folder: RunFolder) -> None:
        history = filled(MetricsHistory, StepMetrics, EpochMetrics, epochs=1, steps=2)
        folder.append_history(history.events())
        path = folder.path / "history.jsonl"
        whole = path.read_text()
        odd = '{"event": "StepMetrics", "epoch": 1, "step": "x"}\n[]\n3\n"text"\n{"event": 5}\n'
        path.write_text(odd + whole + whole.splitlines()[0][:40])
        assert read_history(folder.path) == history

    def test_a_full_disk_leaves_no_half_of_it(self, folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
        history = filled(MetricsHistory, StepMetrics, EpochMetrics)
        folder.append_history(history.events())
        before = (folder.path / "history.jsonl").read_bytes()
        opened = Path.open

        class Full:
            """A file with room for a hundred bytes."""

            def __init__(self, file: Any) -> None:
                self.file, self.room = file, 100

            def __enter__(self) -> "Full":
                return self

            def __exit__(self, *exc: Any) -> None:
                self.file.close()

            def __getattr__(self, name: str) -> Any:
                return getattr(self.file, name)

            def write(self, data: Any) -> int:
                if not self.room:
                    raise OSError(errno.ENOSPC, "No space left on device")
                count = self.file.write(data[: self.room])
                self.room -= count
                return int(count)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", lambda self, *a, **k: Full(opened(self, *a, **k)))
            with pytest.raises(OSError, match="No space"):
                folder.append_history(history.events())
        assert (folder.path / "history.jsonl").read_bytes() == before


class TestSchedule:
    def test_warm_up_and_cosine(self) -> None:
        factor = CosineFactor.of_run(1000)
        rates = [factor(step) for step in range(1000)]
        assert rates[0] == pytest.approx(1 / 50, rel=0.01)
        assert max(rates) == rates[49] > 0.99
        assert all(a <= b for a, b in pairwise(rates[:50]))
        assert all(a > b for a, b in pairwise(rates[50:]))
        assert rates[500] == pytest.approx(0.5, abs=0.01)
        assert rates[-1] < 1e-5
        assert factor(1000) == factor(2000) == 0.0

    def test_a_run_of_one_step(self) -> None:
        assert CosineFactor.of_run(1)(0) == 1.0

    def test_an_extended_run_has_no_jump(self) -> None:
        short = CosineFactor.of_run(100)
        longer = short.extended(90, 400)
        assert longer(90) == pytest.approx(short(90), abs=0.05)
        assert longer(90 + longer.warmup_steps) == pytest.approx(CosineFactor.of_run(400)(90 + longer.warmup_steps))
        steps = [longer(step) for step in range(90, 400)]
        assert max(abs(a - b) for a, b in pairwise(steps)) < 0.06
        assert CosineFactor(**longer.to_dict()) == longer


def test_checkpoints_are_known_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    for name in ("checkpoint_epoch0000.pt", "checkpoint_epoch0002.pt", ".checkpoint_epoch0001.pt.x.part", "notes.pt"):
        (tmp_path / "checkpoints" / name).touch()
    assert checkpoint_epochs(tmp_path) == [0, 2]
    assert checkpoint_epochs(tmp_path / "nowhere") == []


class TestWriter:
    def test_jobs_run_in_order_and_errors_are_kept(self) -> None:
        writer, done = BackgroundWriter(), []

        def fail() -> None:
            raise OSError(errno.ENOSPC, "full")

        writer.submit("a", lambda: done.append(1))
        writer.submit("b", fail)
        writer.submit("c", lambda: done.append(2))
        writer.flush()
        assert done == [1, 2]
        assert [(what, str(error)) for what, error in writer.take_errors()] == [("b", "[Errno 28] full")]
        assert writer.take_errors() == []
        writer.close()
        writer.close()
