"""A model's map as data for a program, and as a picture."""

import colorsys
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from distill.models.latent_space.latent_map import LatentMap

#: Side of the picture, and radius of a dot.
_SIDE, _RADIUS = 800, 5


def sound_name(latent_map: LatentMap, sound: int, names: Mapping[str, str]) -> str:
    """Return the name of a sound of the map, or its number where its file is not known."""
    return names.get(latent_map.fingerprints[sound]) or f"Sound {sound + 1}"


def map_table(latent_map: LatentMap, names: Mapping[str, str]) -> dict[str, Any]:
    """Return plain values: the chunks of the map with their positions and sounds.

    Parameters
    ----------
    latent_map
        The map.
    names
        Name of a sound's file by its fingerprint, as far as they are known.
    """
    rows = zip(
        latent_map.positions.tolist(), latent_map.sounds.tolist(), latent_map.starts.tolist(),
        latent_map.seconds.tolist(), latent_map.brightness.tolist(), latent_map.loudness.tolist(), strict=True,
    )  # fmt: skip
    chunks = [
        {
            "x": round(position[0], 5), "y": round(position[1], 5), "sound": sound, "start": round(start, 4),
            "seconds": round(seconds, 4), "brightness": round(bright, 5), "loudness": round(loud, 3),
        }
        for position, sound, start, seconds, bright, loud in rows
    ]  # fmt: skip
    listed = [{"fingerprint": fingerprint, "name": names.get(fingerprint)} for fingerprint in latent_map.fingerprints]
    return {"trustworthiness": round(latent_map.trustworthiness, 4), "sounds": listed, "chunks": chunks}


def map_svg(latent_map: LatentMap, names: Mapping[str, str], title: str) -> str:
    """Return a picture of the map: a dot for each chunk, coloured by brightness, with its sound's name as a tooltip."""
    low, high = float(latent_map.brightness.min()), float(latent_map.brightness.max())
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIDE} {_SIDE}" role="img">',
        f"<title>{escape(f'Map of {title}')}</title>",
        f'<rect width="{_SIDE}" height="{_SIDE}" fill="#16181d"/>',
    ]
    for number, (x, y) in enumerate(latent_map.positions.tolist()):
        colour = colour_of((float(latent_map.brightness[number]) - low) / max(high - low, 1e-9))
        sound, start = int(latent_map.sounds[number]), float(latent_map.starts[number])
        name = escape(f"{sound_name(latent_map, sound, names)}, {start:.1f} s")
        where = f'cx="{x * _SIDE:.1f}" cy="{(1 - y) * _SIDE:.1f}" r="{_RADIUS}"'
        lines.append(f'<circle {where} fill="{colour}" fill-opacity="0.85"><title>{name}</title></circle>')
    return "\n".join([*lines, "</svg>"])


def map_summary(latent_map: LatentMap, names: Mapping[str, str]) -> str:
    """Return one sentence about the map."""
    found_sounds = sum(fingerprint in names for fingerprint in latent_map.fingerprints)
    return (
        f"{len(latent_map)} chunks of {len(latent_map.fingerprints)} sounds, {found_sounds} of them found on this "
        f"computer; trustworthiness {latent_map.trustworthiness:.3f}. Use --json or --svg to see them."
    )


def colour_of(share: float) -> str:
    """Return a colour from blue (0) over green to orange (1), of even lightness."""
    red, green, blue = colorsys.hls_to_rgb(0.62 - 0.54 * min(max(share, 0.0), 1.0), 0.6, 0.65)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
