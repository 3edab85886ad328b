"""All of Distill's modules, also those that are imported by name: the families of the catalog, the engine, the player.

Those names are found in the catalog's table.  `tests/test_packaging.py` holds the two together.
"""

from PyInstaller.utils.hooks import collect_submodules

from distill.config.catalog import FAMILIES

hiddenimports = [
    *collect_submodules("distill"),
    *(family.implementation.partition(":")[0] for family in FAMILIES),
    "sounddevice",
]
