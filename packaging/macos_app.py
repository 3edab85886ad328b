"""What macOS is told of the application: its Info.plist, and the oldest system that its parts run on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from typing import Any

#: Oldest system where no wheel names a newer one: that of the programs that PyInstaller makes.
_OLDEST = (11, 0)


def oldest_system(bundled: Iterable[Distribution] | None = None) -> str:
    """Return the oldest macOS that all bundled wheels run on, as their file names say: ``"14.0"``.

    Parameters
    ----------
    bundled
        The distributions that go into the bundle; those of this environment if None.
    """
    versions = [_OLDEST]
    for distribution in distributions() if bundled is None else bundled:
        tags = re.findall(r"^Tag: \S*-macosx_(\d+)_(\d+)_\w+$", distribution.read_text("WHEEL") or "", re.MULTILINE)
        # A wheel with several tags runs on the oldest of them.
        versions += [min((int(major), int(minor)) for major, minor in tags)] if tags else []
    return "{}.{}".format(*max(versions))


def info_plist(identifier: str, oldest: str) -> dict[str, Any]:
    """Return what is added to the Info.plist that PyInstaller writes.

    Parameters
    ----------
    identifier
        Name of the application among all others, in reversed domain form.
    oldest
        The oldest macOS that it runs on.
    """
    return {
        # PyInstaller marks what is built with a console as a background program, without Dock icon and menu bar.
        "LSBackgroundOnly": False,
        "NSHighResolutionCapable": True,
        "LSMinimumSystemVersion": oldest,
        "LSApplicationCategoryType": "public.app-category.music",
        "UTExportedTypeDeclarations": [
            {
                "UTTypeIdentifier": f"{identifier}.model",
                "UTTypeDescription": "Distill model",
                "UTTypeConformsTo": ["public.data"],
                "UTTypeTagSpecification": {"public.filename-extension": ["distill"]},
            }
        ],
        "CFBundleDocumentTypes": [
            {
                "CFBundleTypeName": "Distill model",
                "CFBundleTypeRole": "Viewer",
                "LSHandlerRank": "Owner",
                "LSItemContentTypes": [f"{identifier}.model"],
            },
            {
                "CFBundleTypeName": "Folder of sounds",
                "CFBundleTypeRole": "Viewer",
                "LSHandlerRank": "Alternate",
                "LSItemContentTypes": ["public.folder"],
            },
        ],
    }
