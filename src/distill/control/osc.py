"""OSC over UDP, in and out, and what is played by the messages.

Only this computer is listened to.  python-osc is imported by the first use.  The addresses are::

    /distill/pad/N velocity         pad 1 to 16; velocity 0 to 1, 0 ends it
    /distill/note NOTE velocity     as a MIDI note
    /distill/point x y              0 to 1 each
    /distill/slider/NAME amount     -1 to 1
    /distill/stop                   ends all notes
"""

import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from distill.control.pads_keys_and_knobs import PADS, Controls
from distill.errors import MidiError

ADDRESS = "/distill"
HOST = "127.0.0.1"
#: Ports by default.
PORT_IN, PORT_OUT = 9000, 9001

_MISSING = "OSC needs the package python-osc. Install it with: pip install python-osc."

ReceiveOsc = Callable[[str, Sequence[Any]], None]


class OscInput:
    """Receives messages on a thread of its own until `close`.

    Parameters
    ----------
    receive
        Called with address and values.
    port
        Number of the UDP port; 0 takes any, which `port` then tells.

    Raises
    ------
    MidiError
        The port is in use, or python-osc is missing.
    """

    def __init__(self, receive: ReceiveOsc, port: int = PORT_IN) -> None:
        try:
            from pythonosc.dispatcher import Dispatcher
            from pythonosc.osc_server import BlockingOSCUDPServer
        except ImportError as exc:
            raise MidiError(_MISSING) from exc
        dispatcher = Dispatcher()
        dispatcher.set_default_handler(lambda address, *values: receive(address, values))
        try:
            self._server = BlockingOSCUDPServer((HOST, port), dispatcher)
        except (OSError, OverflowError) as exc:
            raise MidiError(f"OSC cannot listen on port {port}: it is in use. Choose another one.") from exc
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="osc", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Receive nothing more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class OscOutput:
    """Sends messages; what nobody receives is lost, as with UDP.

    Parameters
    ----------
    port
        Number of the UDP port on this computer.

    Raises
    ------
    MidiError
        python-osc is missing.
    """

    def __init__(self, port: int = PORT_OUT) -> None:
        try:
            from pythonosc.osc_message_builder import build_msg
        except ImportError as exc:
            raise MidiError(_MISSING) from exc
        self._build, self.port = build_msg, port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def send(self, address: str, *values: float) -> None:
        """Send a message."""
        with suppress(OSError):  # nobody listens
            self._socket.sendto(self._build(address, list(values)).dgram, (HOST, self.port))

    def close(self) -> None:
        """Release the socket."""
        self._socket.close()


def take_osc(controls: Controls, address: str, values: Sequence[Any]) -> None:
    """Carry out an OSC message; one that is not known, or has other values, is passed over."""
    parts = address.removeprefix(f"{ADDRESS}/").split("/")
    numbers = [float(value) for value in values if isinstance(value, int | float) and abs(value) < 1e6]
    match parts, numbers:
        case ["pad", text], [velocity] if text.isdecimal() and 1 <= int(text) <= PADS:
            controls.play_pad(int(text) - 1, _velocity(velocity))
        case ["note"], [note, velocity] if 0 <= note <= 127:
            controls.play_note(round(note), _velocity(velocity))
        case ["point"], [x, y]:
            controls.target.move_point(_within(x, 0.0), _within(y, 0.0))
        case ["slider", name], [amount] if name in controls.sliders:
            controls.target.move_slider(name, _within(amount, -1.0))
        case ["stop"], _:
            controls.target.stop_all()


def _within(value: float, low: float) -> float:
    return min(max(value, low), 1.0)


def _velocity(share: float) -> int:
    return max(1, round(127 * min(share, 1.0))) if share > 0 else 0
