"""``distill play``: a model as an instrument in the terminal, played by MIDI or OSC."""

import secrets
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distill.cli.options import ModelFile
from distill.cli.output.printable_text import printable
from distill.errors import DistillError, PlaybackError
from distill.files import temporary_folder
from distill.process.interpreter import freeze_imports, set_switch_interval
from distill.process.stop_signals import EXIT_STOPPED, stop_on_signal

if TYPE_CHECKING:
    from distill.cli.sounds_to_play import Sounds
    from distill.control.pads_keys_and_knobs import Board, Controls
    from distill.playback.player import Player, PlayerStatus

#: Seconds without a move of the point or a slider after which the sound there is generated.
_SETTLED_SECONDS = 0.15

#: Seconds that the device has for opening.
_OPENING_SECONDS = 10.0


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog="Example: distill play bells.distill --midi all")(play)


def play(
    model: ModelFile,
    midi: Annotated[
        str,
        typer.Option(
            metavar="PORT",
            help="Name of a MIDI port, 'all', 'none', or 'list' to see them; or a pipe, device or file of MIDI bytes.",
        ),
    ] = "all",
    osc: Annotated[
        int | None,
        typer.Option(min=1, max=65_535, show_default=False, help="Listen to OSC on this UDP port, usually 9000."),
    ] = None,
    pitches: Annotated[
        bool, typer.Option("--pitches", help="All keys play one sound at their pitches, instead of 16 pads.")
    ] = False,
    gate: Annotated[bool, typer.Option("--gate", help="The sound of a pad ends when its key is released.")] = False,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**31, show_default=False, help="The same seed gives the same sounds; else by chance."),
    ] = None,
) -> None:
    """Play 16 new sounds of a model: notes 36 (C2) to 51 are the pads, controllers 16 and 17 move on the map."""
    from distill.control.midi_ports import SystemPorts

    if midi == "list":
        names = SystemPorts().names()
        for name in names:
            print(printable(name))
        if not names:
            print("There are no MIDI ports.", file=sys.stderr)
        return
    if midi == "none" and osc is None:
        raise typer.BadParameter("There is nothing to play by. Leave out --midi none, or name a port with --osc.")
    set_switch_interval()
    with stop_on_signal("Stopping.") as stop, temporary_folder("play") as folder:
        from distill.cli.sounds_to_play import Sounds
        from distill.control.pads_keys_and_knobs import Board, Controls
        from distill.playback.player import Player

        player = Player()
        with closing(player):
            _open_device(player)
            print("Generating 16 sounds.", flush=True)
            sounds = Sounds(model, Path(folder), seed if seed is not None else secrets.randbelow(2**31))
            board = Board(player)
            board.ends_at_release = gate
            for number, path in enumerate(sounds.paths):
                board.hold(number, path)
            board.key_sound = sounds.paths[0]
            target = _TerminalTarget(board, sounds)
            controls = Controls(target)
            controls.plays_pitches, controls.sliders = pitches, sounds.sliders
            board.prepare()
            if pitches:
                board.prepare_keys()
            _await(player)
            freeze_imports()
            with _ports(controls, midi, osc) as ended:
                print("Ready. Ctrl-C ends.", flush=True)
                while not stop.is_set() and not ended.is_set():
                    target.settle()
                    stop.wait(0.05)
                if stop.is_set():
                    raise typer.Exit(EXIT_STOPPED)
                _wait_for_silence(player, stop)


@contextmanager
def _ports(controls: "Controls", midi: str, osc: int | None) -> Iterator[threading.Event]:
    """Receive while the block runs; the event is set when a file was read to its end."""
    from distill.control.midi_ports import ByteStream, PortWatcher
    from distill.control.osc import OscInput, take_osc

    ended = threading.Event()
    with ExitStack() as stack:
        if midi not in ("all", "none") and Path(midi).exists():
            stream = ByteStream(Path(midi), controls.take_midi)
            stack.callback(stream.close)
            ended = stream.ended
        elif midi != "none":
            watcher = PortWatcher(controls.take_midi, _tell_ports)
            stack.callback(watcher.close)
            watcher.want("" if midi == "all" else midi)
        if osc is not None:
            stack.callback(OscInput(partial(take_osc, controls), osc).close)
        yield ended


def _tell_ports(names: tuple[str, ...], opened: tuple[str, ...]) -> None:
    if not names:
        print("No MIDI port is connected. One that is connected later is opened.", flush=True)
    elif not opened:
        print(printable(f"None of the ports is opened. There are: {', '.join(names)}."), flush=True)
    else:
        print(printable(f"MIDI: {', '.join(opened)}."), flush=True)


def _open_device(player: "Player") -> None:
    from distill.playback.output_device import NO_ANSWER

    problems = list[str]()

    def listen(status: "PlayerStatus") -> None:
        if status.error is not None:
            problems.append(status.error)

    player.listener = listen
    player.arm(True)
    if not _await(player):
        raise PlaybackError(NO_ANSWER)
    if problems:
        raise PlaybackError(problems[0])
    player.listener = _tell_problem


def _tell_problem(status: "PlayerStatus") -> None:
    if status.error is not None:
        print(printable(status.error), flush=True)


def _await(player: "Player") -> bool:
    """Wait until the player has done what it was asked for; return whether it has."""
    done = threading.Event()
    player.call(done.set)
    return done.wait(_OPENING_SECONDS)


def _wait_for_silence(player: "Player", stop: threading.Event) -> None:
    _await(player)
    while player.sounding and not stop.wait(0.05):
        pass
    stop.wait(player.note_seconds + 0.1)  # what is queued in the device


class _TerminalTarget:
    """Plays what the controls say, and prints it; moves are carried out on the main thread, once they rest."""

    def __init__(self, board: "Board", sounds: "Sounds") -> None:
        self._board, self._sounds = board, sounds
        self._moved_at: float | None = None
        self._point, self._slider_shares = [0.5, 0.5], dict[str, float]()

    def strike_pad(self, pad: int, velocity: int) -> None:
        """Play a pad."""
        self._board.strike_pad(pad, velocity)
        print(f"pad {pad + 1} {velocity}", flush=True)

    def release_pad(self, pad: int) -> None:
        """End a pad's sound."""
        self._board.release_pad(pad)

    def strike_key(self, semitones: int, velocity: int) -> None:
        """Play a key."""
        self._board.strike_key(semitones, velocity)
        print(f"key {semitones:+d} {velocity}", flush=True)

    def release_key(self, semitones: int) -> None:
        """End a key's note."""
        self._board.release_key(semitones)

    def stop_all(self) -> None:
        """End all notes."""
        self._board.stop_all()

    def move_point(self, x: float | None, y: float | None) -> None:
        """Move the point on the map."""
        self._point = [self._point[0] if x is None else x, self._point[1] if y is None else y]
        self._moved_at = time.monotonic()

    def move_slider(self, name: str, amount: float) -> None:
        """Move a slider."""
        self._slider_shares[name] = amount
        self._moved_at = time.monotonic()

    def settle(self) -> None:
        """Generate and play the sound at the point, once nothing has moved for a moment."""
        if self._moved_at is None or time.monotonic() - self._moved_at < _SETTLED_SECONDS:
            return
        self._moved_at = None
        try:
            path = self._sounds.at((self._point[0], self._point[1]), dict(self._slider_shares))
        except DistillError as error:
            print(printable(error), flush=True)
            return
        print(f"point {self._point[0]:.3f} {self._point[1]:.3f}", flush=True)
        self._board.key_sound = path
        self._board.strike_key(0, 100)
