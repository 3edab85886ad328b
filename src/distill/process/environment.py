"""The environment of the process: library search paths, how long threads of torch spin, and standard streams.

The frozen application begins in a small loader, which puts the folder of the bundled libraries first on the system's
search path and keeps the previous value under another name.  The system reads that path once, when a program starts.
Child processes (a file manager, a browser) would load the bundled libraries in place of their own and often fail to
start, so `restore_environment` puts the previous value back before anything else happens.
"""

import os
import sys
from collections.abc import MutableMapping

#: Search paths that the loader changes, and the suffix of the names under which it keeps the previous values.
_SEARCH_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LIBPATH")
_KEPT = "_ORIG"


#: Rounds that a waiting thread of GNU's OpenMP library spins before it sleeps.
_SPIN_COUNT = "GOMP_SPINCOUNT"
_limited_spinning = False


def restore_environment(environment: MutableMapping[str, str] | None = None) -> None:
    """Undo the changes of the frozen application's loader; does nothing when run from source.

    Parameters
    ----------
    environment
        Variables to change, by default those of this process.
    """
    if not getattr(sys, "frozen", False):
        return
    variables = os.environ if environment is None else environment
    for name in _SEARCH_PATHS:
        before = variables.pop(name + _KEPT, None)
        if before:
            variables[name] = before
        else:
            variables.pop(name, None)


def limit_spinning() -> None:
    """Limit how long a waiting thread of torch spins, unless the user has; for programs, before torch is loaded.

    By default it spins for so long that on a busy computer it takes from the others what they need: with a DAW beside
    the window two threads took ten times as long as one.  The OpenMP library reads the variable when it is loaded.
    """
    global _limited_spinning
    if _SPIN_COUNT not in os.environ:
        os.environ[_SPIN_COUNT] = "1000"
        _limited_spinning = True


def forget_spin_limit() -> None:
    """Take back what `limit_spinning` has set, once torch is loaded: programs that are started do not inherit it."""
    global _limited_spinning
    if _limited_spinning:
        os.environ.pop(_SPIN_COUNT, None)
        _limited_spinning = False


def ensure_std_streams() -> None:
    """Open standard output and error on the null device where they are missing, as in a windowed program on Windows.

    Libraries print there without checking.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - for the whole process
