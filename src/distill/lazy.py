"""Names that a package offers without importing the modules that hold them.

``distill.training`` must offer both ``TrainingConfig`` (no torch) and ``train`` (torch), and the window reads
the first long before torch is imported.  A package calls `lazy_names` and keeps the ``if TYPE_CHECKING`` imports
beside it for type checkers (PEP 562).
"""

import importlib
from collections.abc import Callable, Mapping


def lazy_names(package: str, names: Mapping[str, tuple[str, ...]]) -> Callable[[str], object]:
    """Return a module-level ``__getattr__`` that imports a name's module on first use.

    Parameters
    ----------
    package
        The package's ``__name__``.
    names
        Module name, relative to the package or absolute (``distill. ...``), to the names which it holds.
    """
    home = {name: module for module, group in names.items() for name in group}

    def __getattr__(name: str) -> object:  # noqa: N807
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = home[name] if home[name].startswith("distill.") else f"{package}.{home[name]}"
        return getattr(importlib.import_module(module), name)

    return __getattr__
