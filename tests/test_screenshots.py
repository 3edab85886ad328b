"""The script that makes the pictures: its silent device is one for the player, and README.md shows what it makes."""

import re
import threading
from pathlib import Path

import numpy as np
import soundfile

import screenshots
from distill.playback.player import Player
from distill.playback.player_status import PlayerStatus

ROOT = Path(__file__).resolve().parents[1]


def test_the_silent_device_serves_sounds_and_notes(tmp_path: Path) -> None:
    """The Play page asks for a device with a short buffer."""
    opened: list[screenshots.Silence] = []
    shown = threading.Event()

    def open_output(*arguments: object, **named: object) -> screenshots.Silence:
        opened.append(screenshots.Silence(*arguments, **named))  # type: ignore[arg-type]
        return opened[-1]

    def listen(status: PlayerStatus) -> None:
        if status.error is not None or status.peaks is not None:
            shown.set()

    player = Player(listen, open_output)  # type: ignore[arg-type]
    try:
        path = tmp_path / "a.wav"
        soundfile.write(path, np.full(4800, 0.1), 48_000)
        player.arm(True)
        player.play(path)
        assert shown.wait(60)
        assert player.status.error is None
        assert opened
    finally:
        player.close()


def test_readme_shows_what_the_script_makes() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"resources/screenshots/([\w-]+\.png)", text))
    assert shown == set(screenshots.README)
    assert shown <= {path.name for path in screenshots.PICTURES.iterdir()}
