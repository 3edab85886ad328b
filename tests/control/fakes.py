"""A target that remembers, and ports that carry real bytes."""

from typing import Any

from distill.control.midi_messages import MidiParser
from distill.control.midi_ports import Receive
from distill.errors import MidiError


class Played(list[tuple[Any, ...]]):
    """A target that remembers what it was told."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *values: self.append((name, *values))


class FakePorts:
    """Ports that a test connects, removes, and sends bytes through."""

    def __init__(self, *names: str) -> None:
        self.connected = list(names)
        self.opened: dict[str, tuple[MidiParser, Receive]] = {}
        self.busy: set[str] = set()
        self.changes = 0

    def look(self) -> tuple[list[str], int]:
        return list(self.connected), self.changes

    def open(self, name: str, receive: Receive) -> "FakePort":
        if name in self.busy:
            raise MidiError("in use")
        self.opened[name] = MidiParser(), receive
        return FakePort(self, name)

    def send(self, name: str, data: bytes) -> None:
        parser, receive = self.opened[name]
        for message in parser.feed(data):
            receive(message)


class FakePort:
    def __init__(self, ports: FakePorts, name: str) -> None:
        self.ports, self.name = ports, name

    def close(self) -> None:
        del self.ports.opened[self.name]
