"""All of Distill's modules, also those that are imported by name, and the stubs that declare its public names.

The families are named in the catalog's table, the public names of a package in its ``__init__.pyi``, which lazy-loader
reads when the program runs.  `tests/test_packaging.py` compares both with the sources.
"""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

from distill.config.family_catalog import FAMILIES

hiddenimports = [
    *collect_submodules("distill"),
    *(family.implementation.partition(":")[0] for family in FAMILIES),
    "sounddevice",
    "rtmidi2",
]
datas = collect_data_files("distill", includes=["*/__init__.pyi"])
