"""What programs that Distill starts inherit, and what it needs where there is no terminal."""

import os
import subprocess
import sys

import pytest

from distill.process import environment


def test_the_loaders_search_path_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    variables = {"LD_LIBRARY_PATH": "bundle:before", "LD_LIBRARY_PATH_ORIG": "before", "HOME": "home"}
    environment.restore_environment(variables)
    assert variables == {"LD_LIBRARY_PATH": "before", "HOME": "home"}


def test_a_search_path_that_only_the_loader_set_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    variables = {"LD_LIBRARY_PATH": "bundle"}
    environment.restore_environment(variables)
    assert variables == {}


def test_outside_the_frozen_application_the_users_search_path_stays() -> None:
    variables = {"LD_LIBRARY_PATH": "the user's"}
    environment.restore_environment(variables)
    assert variables == {"LD_LIBRARY_PATH": "the user's"}


def test_printing_works_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    environment.ensure_std_streams()
    assert sys.stdout.write("a library talks") == len("a library talks")
    assert sys.stdout.name == sys.stderr.name == os.devnull
    sys.stdout.close()
    sys.stderr.close()


def test_importing_the_package_leaves_the_environment_alone() -> None:
    code = (
        "import os; before = dict(os.environ)\n"
        "import distill, distill.training, distill.models, distill.audio, distill.training.loop\n"
        "print({k for k in os.environ if os.environ[k] != before.get(k)})"
    )
    environment = {k: v for k, v in os.environ.items() if k != "GOMP_SPINCOUNT"}
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True, timeout=300
    )
    assert "GOMP" not in shown.stdout


def test_the_spin_limit_of_a_program_is_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    environment.limit_spinning()
    assert os.environ["GOMP_SPINCOUNT"] == "1000"
    environment.forget_spin_limit()
    assert "GOMP_SPINCOUNT" not in os.environ
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")  # the user's own
    environment.limit_spinning()
    environment.forget_spin_limit()
    assert os.environ["GOMP_SPINCOUNT"] == "7"
