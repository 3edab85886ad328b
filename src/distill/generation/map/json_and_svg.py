"""A model's map as data for a program, and as a picture."""

import colorsys
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from distill.models.latent_space.latent_map import LatentMap

#: Side of the picture, and radius of a dot.
_SIDE, _RADIUS = 800, 5


def sound_name(shown: LatentMap, sound: int, names: Mapping[str, str]) -> str:
    """Return the name of a sound of the map, or its number where its file is not known."""
    return names.get(shown.fingerprints[sound]) or f"Sound {sound + 1}"


def map_table(shown: LatentMap, names: Mapping[str, str]) -> dict[str, Any]:
    """Return plain values: the chunks of the map with their positions and sounds.

    Parameters
    ----------
    shown
        The map.
    names
        Name of a sound's file by its fingerprint, as far as they are known.
    """
    rows = zip(
        shown.positions.tolist(), shown.sounds.tolist(), shown.starts.tolist(), shown.seconds.tolist(),
        shown.brightness.tolist(), shown.loudness.tolist(), strict=True,
    )  # fmt: skip
    chunks = [
        {
            "x": round(position[0], 5), "y": round(position[1], 5), "sound": sound, "start": round(start, 4),
            "seconds": round(seconds, 4), "brightness": round(bright, 5), "loudness": round(loud, 3),
        }
        for position, sound, start, seconds, bright, loud in rows
    ]  # fmt: skip
    listed = [{"fingerprint": fingerprint, "name": names.get(fingerprint)} for fingerprint in shown.fingerprints]
    return {"trustworthiness": round(shown.trustworthiness, 4), "sounds": listed, "chunks": chunks}


def map_svg(shown: LatentMap, names: Mapping[str, str], title: str) -> str:
    """Return a picture of the map: a dot for each chunk, coloured by brightness, with its sound's name as a tooltip."""
    low, high = float(shown.brightness.min()), float(shown.brightness.max())
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIDE} {_SIDE}" role="img">',
        f"<title>{escape(f'Map of {title}')}</title>",
        f'<rect width="{_SIDE}" height="{_SIDE}" fill="#16181d"/>',
    ]
    for number, (x, y) in enumerate(shown.positions.tolist()):
        colour = colour_of((float(shown.brightness[number]) - low) / max(high - low, 1e-9))
        name = escape(f"{sound_name(shown, int(shown.sounds[number]), names)}, {float(shown.starts[number]):.1f} s")
        where = f'cx="{x * _SIDE:.1f}" cy="{(1 - y) * _SIDE:.1f}" r="{_RADIUS}"'
        lines.append(f'<circle {where} fill="{colour}" fill-opacity="0.85"><title>{name}</title></circle>')
    return "\n".join([*lines, "</svg>"])


def map_summary(shown: LatentMap, names: Mapping[str, str]) -> str:
    """Return one sentence about the map."""
    known = sum(fingerprint in names for fingerprint in shown.fingerprints)
    return (
        f"{len(shown)} chunks of {len(shown.fingerprints)} sounds, {known} of them found on this computer; "
        f"trustworthiness {shown.trustworthiness:.3f}. Use --json or --svg to see them."
    )


def colour_of(share: float) -> str:
    """Return a colour from blue (0) over green to orange (1), of even lightness."""
    red, green, blue = colorsys.hls_to_rgb(0.62 - 0.54 * min(max(share, 0.0), 1.0), 0.6, 0.65)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
