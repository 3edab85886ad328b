"""Where MIDI comes from: the system's ports, or raw bytes from a pipe, a device file or a file.

rtmidi2 is imported by the first look for ports.  A system without it, or without a MIDI service, has no ports; that is
a state, not an error.  Messages arrive on a thread of the port.
"""

import importlib
import os
import platform
import select
import stat
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from distill.control.midi_messages import MidiMessage, MidiParser
from distill.errors import MidiError

Receive = Callable[[MidiMessage], None]

#: Seconds between two looks for ports that were connected or removed: without an open port, and with one, which may be
#: pulled out and put back.  To find a port again takes the system longer.
LOOK_SECONDS, OPEN_LOOK_SECONDS = 1.0, 0.2

#: Seconds until a reader of bytes notices that it is to end.
_POLL_SECONDS = 0.2

#: What ALSA's sequencer, through which ports are found on Linux, needs.
_LINUX_SEQUENCER = Path("/dev/snd/seq")
#: The folder of the sound devices on Linux: it changes when one is pulled out or connected.
_LINUX_DEVICES = Path("/dev/snd")
#: Where systems keep ALSA's plug-ins, and the variable that names the folder to ALSA's library.
_ALSA_PLUGINS = (f"/usr/lib/{platform.machine()}-linux-gnu/alsa-lib", "/usr/lib64/alsa-lib", "/usr/lib/alsa-lib")
_PLUGIN_VARIABLE = "ALSA_PLUGIN_DIR"


class OpenPort(Protocol):
    """An open port."""

    def close(self) -> None:
        """Receive nothing more."""


class Ports(Protocol):
    """Where ports are looked for."""

    def look(self) -> tuple[list[str], object]:
        """Return the names of the ports that can be opened, each once; and a stamp.

        The stamp is another value after a port was removed and has come back, as far as the system tells.
        """

    def open(self, name: str, receive: Receive) -> OpenPort:
        """Open a port.

        Raises
        ------
        MidiError
            It is gone, or in use.
        """


class SystemPorts:
    """The system's ports, through rtmidi2."""

    def names(self) -> list[str]:
        """Return the names of the ports that can be opened; none where the system has no MIDI."""
        return self.look()[0]

    def look(self) -> tuple[list[str], object]:
        """Return the names, and as a stamp the last change of the sound devices and the names that occur twice."""
        names, changed_ns = self._listed(), 0
        with suppress(OSError):
            changed_ns = _LINUX_DEVICES.stat().st_mtime_ns
        return told_apart(names), (changed_ns, tuple(name for name in names if names.count(name) > 1))

    def _listed(self) -> list[str]:
        with suppress(MidiError, RuntimeError, OSError):
            return [str(name) for name in _rtmidi().get_in_ports()]
        return []

    def open(self, name: str, receive: Receive) -> "OpenPort":
        """Open a port.

        Raises
        ------
        MidiError
            It is gone, or in use.
        """
        return _SystemPort(name, receive)


class _SystemPort:
    def __init__(self, name: str, receive: Receive) -> None:
        module, parser = _rtmidi(), MidiParser()

        def on_message(message: list[int], _seconds: float) -> None:
            for whole in parser.feed(bytes(byte & 0xFF for byte in message)):
                receive(whole)

        try:
            self._port: Any = module.MidiIn("Distill")
            self._port.callback = on_message
            self._port.open_port(told_apart(map(str, self._port.ports)).index(name))
        except (ValueError, RuntimeError, OSError) as exc:
            raise MidiError(f"The MIDI port {name} cannot be opened: it is gone or in use. Connect it again.") from exc

    def close(self) -> None:
        with suppress(RuntimeError, OSError):
            self._port.callback = None
            self._port.close_port()


def told_apart(names: Iterable[str]) -> list[str]:
    """Return the names of ports with a number behind those that are there already: ``Keys``, ``Keys (2)``."""
    listed, distinct = list(names), list[str]()
    for name in listed:
        port_name, number = name, 2
        while port_name in distinct or (port_name != name and port_name in listed):
            port_name, number = f"{name} ({number})", number + 1
        distinct.append(port_name)
    return distinct


def _rtmidi() -> Any:
    """Import rtmidi2 where the system has MIDI."""
    if sys.platform == "linux" and not _LINUX_SEQUENCER.exists():
        raise MidiError("This system has no MIDI sequencer (/dev/snd/seq). Load the module snd-seq.")
    try:
        with _alsa_plugins():
            module = importlib.import_module("rtmidi2")
            module.get_in_ports()  # what the service refuses, it refuses here
    except ImportError as exc:
        raise MidiError("MIDI needs the package rtmidi2. Install it with: pip install rtmidi2.") from exc
    except (RuntimeError, OSError) as exc:
        raise MidiError(f"The system's MIDI service does not answer: {exc}.") from exc
    return module


@contextmanager
def _alsa_plugins() -> Iterator[None]:
    """Name the system's folder of ALSA's plug-ins while the block runs; ALSA's library remembers it.

    The library in the wheel of rtmidi2 looks where the system has it that the wheel was built on.  Where the system's
    settings name a plug-in, as Debian's for PulseAudio do, it then reads no settings at all and finds no ports.
    """
    folder = next((place for place in _ALSA_PLUGINS if Path(place).is_dir()), None)
    if sys.platform != "linux" or folder is None or _PLUGIN_VARIABLE in os.environ:
        yield
        return
    os.environ[_PLUGIN_VARIABLE] = folder
    try:
        yield
    finally:
        os.environ.pop(_PLUGIN_VARIABLE, None)


class ByteStream:
    """Raw MIDI bytes from a pipe, a device file (``/dev/snd/midiC1D0``) or a file.

    A pipe may be written to by one program after another.  A file is read once.

    Parameters
    ----------
    path
        Of the pipe or file.
    receive
        Called with each message on a thread of its own.
    """

    def __init__(self, path: Path, receive: Receive) -> None:
        self.path, self._receive = path, receive
        try:
            self._is_file = stat.S_ISREG(path.stat().st_mode)
            # Without a writer, opening a pipe would wait.
            self._handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        except OSError as exc:
            raise MidiError(f"{path} cannot be read: {exc.strerror or exc}.") from exc
        self._is_closing = threading.Event()
        #: Set when a file was read to its end, or a device is gone.
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._read, name="midi bytes", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Receive nothing more."""
        self._is_closing.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _read(self) -> None:
        parser = MidiParser()
        try:
            while not self._is_closing.is_set():
                if not self._is_file and not select.select([self._handle], [], [], _POLL_SECONDS)[0]:
                    continue
                try:
                    data = os.read(self._handle, 1024)
                except BlockingIOError:
                    continue
                if not data and self._is_file:
                    return
                if not data:  # a pipe without a writer
                    self._is_closing.wait(_POLL_SECONDS)
                for message in parser.feed(data):
                    self._receive(message)
        except OSError:  # the device is gone
            return
        finally:
            os.close(self._handle)
            self.ended.set()


class PortWatcher:
    """Keeps the wanted ports open while they are connected, on a thread of its own.

    Parameters
    ----------
    receive
        Called with each message, on a thread of its port.
    on_changed
        Called with the names of all ports and those that are open whenever either changes, or a port was opened anew,
        on the watcher's thread.
    ports
        Where to look.
    look_seconds
        Time between two looks, if it is not that of the system's ports.
    """

    def __init__(
        self,
        receive: Receive,
        on_changed: Callable[[tuple[str, ...], tuple[str, ...]], None],
        ports: Ports | None = None,
        look_seconds: float | None = None,
    ) -> None:
        self._receive, self._on_changed = receive, on_changed
        self._ports = ports if ports is not None else SystemPorts()
        self._look_seconds = look_seconds
        self._wanted: str | None = ""
        self._stamp: object = None
        self._open: dict[str, OpenPort] = {}
        self._told: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        self._is_closing, self._look_now = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def want(self, name: str | None) -> None:
        """Open this port from now on, also when it is connected later; "" is all of them, None is none."""
        self._wanted = name
        self._look_now.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="midi ports", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Close all ports and end the thread."""
        self._is_closing.set()
        self._look_now.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._is_closing.is_set():
            self._look_now.clear()
            self._look()
            self._look_now.wait(self._look_seconds or (OPEN_LOOK_SECONDS if self._open else LOOK_SECONDS))
        for name in list(self._open):
            self._open.pop(name).close()

    def _look(self) -> None:
        (names, stamp), wanted = self._ports.look(), self._wanted
        chosen = [name for name in names if wanted == "" or name == wanted]
        is_same, self._stamp = stamp == self._stamp, stamp
        for name in [name for name in self._open if name not in chosen or not is_same]:
            self._open.pop(name).close()
            self._told = None  # what is opened again is told, too: pedals that were held are lifted
        for name in chosen:
            if name not in self._open:
                with suppress(MidiError):  # in use: tried again at the next look
                    self._open[name] = self._ports.open(name, self._receive)
        state = tuple(names), tuple(self._open)
        if state != self._told:
            self._told = state
            self._on_changed(*state)
