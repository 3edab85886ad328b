"""What programs that Distill starts inherit, and what it needs where there is no terminal."""

import os
import sys

import pytest

from distill import runtime


def test_the_loaders_search_path_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    variables = {"LD_LIBRARY_PATH": "bundle:before", "LD_LIBRARY_PATH_ORIG": "before", "HOME": "home"}
    runtime.restore_environment(variables)
    assert variables == {"LD_LIBRARY_PATH": "before", "HOME": "home"}


def test_a_search_path_that_only_the_loader_set_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    variables = {"LD_LIBRARY_PATH": "bundle"}
    runtime.restore_environment(variables)
    assert variables == {}


def test_outside_the_frozen_application_the_users_search_path_stays() -> None:
    variables = {"LD_LIBRARY_PATH": "the user's"}
    runtime.restore_environment(variables)
    assert variables == {"LD_LIBRARY_PATH": "the user's"}


def test_printing_works_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    runtime.ensure_std_streams()
    assert sys.stdout.write("a library talks") == len("a library talks")
    assert sys.stdout.name == sys.stderr.name == os.devnull
    sys.stdout.close()
    sys.stderr.close()
