"""Garbage collections leave out what was imported."""

import subprocess
import sys


def test_what_was_imported_is_left_out_of_collections() -> None:
    """In a process of its own: freezing is for good.  Only many new modules count; a few stay where they are."""
    code = """
import gc, sys, types
from distill.process.interpreter import freeze_imports
imported = [types.ModuleType(f"new {number}") for number in range(100)]
for count in (0, 5, 100, 100):  # the first call takes what the start has imported
    sys.modules.update((module.__name__, module) for module in imported[:count])
    before = gc.get_freeze_count()
    print(freeze_imports(), gc.get_freeze_count() > before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["True", "True", "False", "False", "True", "True", "False", "False"]
