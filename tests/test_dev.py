"""The script of a fresh checkout, with pip and apt-get replaced by stand-ins that note what they were asked for."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "packaging" / "dev.py"


class FakeTools:
    """Stands in for ``subprocess.run``: makes the environment, and answers for pip, apt-get and dpkg-query."""

    def __init__(self, venv: Path) -> None:
        self.venv = venv
        self.calls: list[str] = []
        self.pip_result: int | type[BaseException] = 0
        self.installed: set[str] = set()
        self.unknown_packages: set[str] = set()
        self.exit_codes: dict[str, int] = {}
        self._real_run = subprocess.run

    def run(self, command: list[str], **options: Any) -> "subprocess.CompletedProcess[str]":
        if "-c" in command:
            return self._real_run(command, **options)
        code, output = 0, ""
        if "venv" in command:
            self.calls.append("venv")
            (self.venv / "bin").mkdir(parents=True, exist_ok=True)
            for path in self.venv.glob("distill-*"):  # as venv --clear does
                path.unlink()
            (self.venv / "bin" / "python").unlink(missing_ok=True)
            (self.venv / "bin" / "python").symlink_to(sys.executable)
        elif "pip" in command:
            self.calls.append("pip")
            if not isinstance(self.pip_result, int):
                raise self.pip_result
            code = self.pip_result
        elif command[0].endswith("dpkg-query"):
            output = "".join(f"{name} installed\n" for name in command if name in self.installed)
        elif "apt-get" in command:
            wanted = command[command.index("--no-install-recommends") + 1 :] if "install" in command else []
            self.calls.append(" ".join(["apt", *wanted] if wanted else ["apt update"]))
            code = 100 if self.unknown_packages & set(wanted) else 0
            self.installed |= set() if code else set(wanted)
        else:
            self.calls.append(" ".join(command[2:]))
            code = self.exit_codes.get(command[2], 0)
        return subprocess.CompletedProcess(command, code, output, "")


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module, on a checkout of its own that consists of a pyproject.toml."""
    spec = importlib.util.spec_from_file_location("dev_under_test", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'distill'\n")
    venv = tmp_path / ".venv"
    for name, value in {
        "ROOT": tmp_path,
        "VENV": venv,
        "STAMP": venv / "distill-setup.json",
        "UNFINISHED": venv / "distill-setup-unfinished",
    }.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(module.os, "geteuid", lambda: 0)
    return module


@pytest.fixture
def tools(dev: Any, monkeypatch: pytest.MonkeyPatch) -> FakeTools:
    fake = FakeTools(dev.VENV)
    fake.installed = {*dev.APPLICATION_PACKAGES, *dev.TEST_PACKAGES}
    monkeypatch.setattr(dev.subprocess, "run", fake.run)
    return fake


def test_second_setup_does_nothing(dev: Any, tools: FakeTools) -> None:
    assert dev.main(["setup"]) == 0
    assert tools.calls == ["venv", "pip"]
    assert dev.main(["setup"]) == 0
    assert tools.calls == ["venv", "pip"]


def test_changed_dependencies_are_installed_into_the_same_environment(dev: Any, tools: FakeTools) -> None:
    dev.main(["setup"])
    (dev.ROOT / "pyproject.toml").write_text("[project]\nname = 'distill'\ndependencies = ['numpy']\n")
    assert dev.main(["setup"]) == 0
    assert tools.calls == ["venv", "pip", "pip"]


def test_interrupted_setup_starts_from_nothing(dev: Any, tools: FakeTools) -> None:
    tools.pip_result = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        dev.main(["setup"])
    tools.pip_result = 0
    assert dev.main(["setup"]) == 0
    assert tools.calls == ["venv", "pip", "venv", "pip"]


def test_killed_pip_starts_from_nothing(dev: Any, tools: FakeTools) -> None:
    tools.pip_result = -9
    assert dev.main(["setup"]) != 0
    tools.pip_result = 0
    assert dev.main(["setup"]) == 0
    assert tools.calls == ["venv", "pip", "venv", "pip"]


def test_interrupted_making_of_the_environment_is_repaired(dev: Any, tools: FakeTools) -> None:
    (dev.VENV / "bin").mkdir(parents=True)  # no interpreter in it yet
    assert dev.main(["setup"]) == 0
    assert tools.calls == ["venv", "pip"]


def test_interpreter_that_is_gone_is_replaced(dev: Any, tools: FakeTools) -> None:
    dev.main(["setup"])
    (dev.VENV / "bin" / "python").unlink()
    (dev.VENV / "bin" / "python").symlink_to(dev.ROOT / "python-that-was-uninstalled")
    assert dev.main(["setup"]) == 0
    assert tools.calls == ["venv", "pip", "venv", "pip"]


def test_failed_pip_passes_its_code_on_and_is_tried_again(
    dev: Any, tools: FakeTools, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.pip_result = 4
    assert dev.main(["test"]) == 4
    assert "could not be installed" in capsys.readouterr().err
    tools.pip_result = 0
    assert dev.main(["setup"]) == 0
    assert tools.calls == ["venv", "pip", "pip"]


def test_only_missing_system_packages_are_installed(dev: Any, tools: FakeTools) -> None:
    tools.installed -= {"libegl1", "xvfb"}
    dev.main(["setup"])
    assert tools.calls[:2] == ["apt update", "apt libegl1 xvfb"]


def test_unknown_system_package_does_not_hold_up_the_others(dev: Any, tools: FakeTools) -> None:
    tools.installed -= {"libegl1", "xvfb"}
    tools.unknown_packages = {"libegl1"}
    assert dev.main(["setup"]) == 0
    assert "xvfb" in tools.installed
    tools.calls.clear()
    assert dev.main(["setup"]) == 0
    assert tools.calls == []  # and it is not looked for at every start


def test_without_rights_missing_packages_are_named(
    dev: Any, tools: FakeTools, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.installed -= {"libegl1"}
    tools.exit_codes["true"] = 1  # sudo -n true
    monkeypatch.setattr(dev.os, "geteuid", lambda: 1000)
    assert dev.main(["setup"]) == 0
    assert "sudo apt-get install libegl1" in capsys.readouterr().err
    assert "pip" in tools.calls


def test_every_check_runs_and_the_first_failure_is_the_exit_code(dev: Any, tools: FakeTools) -> None:
    tools.exit_codes = {"mypy": 2, "pytest": 5}
    assert dev.main(["test", "-k", "resume"]) == 2
    assert tools.calls[2:] == ["ruff check", "ruff format --check", "mypy", "pytest -k resume"]


@pytest.mark.parametrize(
    ("arguments", "variables", "started"),
    [
        ([], {}, ["train", "--demo", "--epochs", "30"]),
        ([], {"DISPLAY": ":0"}, []),
        ([], {"WAYLAND_DISPLAY": "wayland-0"}, []),
        (["inspect", "sounds"], {}, ["inspect", "sounds"]),
    ],
)
def test_application_is_opened(
    arguments: list[str], variables: dict[str, str], started: list[str],
    dev: Any, tools: FakeTools, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    executed: list[list[str]] = []
    monkeypatch.setattr(dev.os, "execv", lambda path, command: executed.append(command[1:]))
    monkeypatch.setattr(dev.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):  # the tests' own screen may be there already
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    dev.main(arguments) if sys.platform != "win32" else pytest.skip("posix only")
    assert executed[0] == ["-P", "-m", "distill", *started]


def test_old_python_is_refused_in_one_sentence(
    dev: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dev.sys, "version_info", (3, 10, 4))
    assert dev.main([]) == 1
    assert "3.11 or newer" in capsys.readouterr().err


def test_the_quick_checks_need_no_packages_of_the_system(dev: Any, tools: FakeTools) -> None:
    tools.exit_codes = {"mypy": 3}
    assert dev.main(["lint"]) == 3
    checks = [call for call in tools.calls if call.split()[0] in ("ruff", "mypy", "pytest")]
    assert [call.split()[0] for call in checks] == ["ruff", "ruff", "mypy", "pytest"]
    assert not any(call.startswith("apt") for call in tools.calls)
    assert dev.main(["lint", "src"]) == 2
