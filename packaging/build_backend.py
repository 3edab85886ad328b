"""Builds packages with setuptools, and source distributions that hold what the repository holds.

setuptools reads what goes into a source distribution from a ``MANIFEST.in`` in the top folder.  Here that list is
``sources.in`` beside this file.
"""

from typing import Any

from setuptools import build_meta
from setuptools.command.egg_info import manifest_maker

build_wheel = build_meta.build_wheel
build_editable = build_meta.build_editable
prepare_metadata_for_build_wheel = build_meta.prepare_metadata_for_build_wheel
prepare_metadata_for_build_editable = build_meta.prepare_metadata_for_build_editable
get_requires_for_build_wheel = build_meta.get_requires_for_build_wheel
get_requires_for_build_editable = build_meta.get_requires_for_build_editable
get_requires_for_build_sdist = build_meta.get_requires_for_build_sdist


def build_sdist(sdist_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    """Build a source distribution and return the name of its file."""
    manifest_maker.template = "packaging/sources.in"
    name: str = build_meta.build_sdist(sdist_directory, config_settings)
    return name
