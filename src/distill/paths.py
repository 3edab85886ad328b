"""Where Distill keeps things on this computer.

The places follow the platform's conventions (platformdirs).  ``DISTILL_HOME`` moves all of them under one folder:
for tests, for a portable installation, or for a musician who wants everything on an external disk.
"""

import os
import sys
from pathlib import Path

import platformdirs

_APP = "distill"
#: The record of a run in its folder.  A folder that holds one is not searched for sounds.
RUN_MARKER = "run.json"
#: Most bytes of that record, which names each sound twice: 150 000 sounds with paths of usual length.
MOST_RECORD_BYTES = 64 << 20


def _place(kind: str, default: str) -> Path:
    home = os.environ.get("DISTILL_HOME")
    return Path(home).expanduser() / kind if home else Path(default)


def data_dir() -> Path:
    """Folder of what the user would miss: runs and models."""
    return _place("data", platformdirs.user_data_dir(_APP, appauthor=False))


def runs_dir() -> Path:
    """Folder that new runs are made in."""
    return data_dir() / "runs"


def models_dir() -> Path:
    """Folder of the user's model library."""
    return data_dir() / "models"


def generated_dir() -> Path:
    """Folder that generated sounds are kept in, with their history."""
    return data_dir() / "made"


def demo_dir() -> Path:
    """Folder that the built-in demo sounds are written to."""
    return data_dir() / "demo-sounds"


def cache_dir() -> Path:
    """Folder of what can be computed again: decoded sounds and features."""
    return _place("cache", platformdirs.user_cache_dir(_APP, appauthor=False))


def log_dir() -> Path:
    """Folder of the rotating log file."""
    return _place("log", platformdirs.user_log_dir(_APP, appauthor=False))


def settings_file() -> Path:
    """File of the window's preferences."""
    return _place("config", platformdirs.user_config_dir(_APP, appauthor=False)) / "settings.json"


def resources_dir() -> Path:
    """Folder of what the window is drawn with: in a frozen application, an installed package or the source tree."""
    bundle = getattr(sys, "_MEIPASS", None)
    if bundle:
        return Path(bundle) / "resources"
    installed = Path(__file__).parent / "resources"  # where pyproject.toml puts them in a wheel
    return installed if installed.is_dir() else Path(__file__).parents[2] / "resources"
