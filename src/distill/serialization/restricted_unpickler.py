"""The little of the pickle language that a model file or checkpoint is written in, read without executing anything.

A pickle is a program that builds a value.  The programs that `torch.save` writes for dicts of tensors and plain values
use some thirty instructions and a handful of names; everything else is refused here, before torch's own reader (which
executes nothing either, but may be talked into absurd allocations) sees the file.  Tensors come out as `StoredTensor`.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: Bytes of a number in each kind of storage that Distill writes or has written.
ITEM_BYTES = {
    "DoubleStorage": 8, "FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8, "IntStorage": 4,
    "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1,
}  # fmt: skip
#: Lists, dicts and tuples that a file may hold: each takes some hundred bytes of memory for one byte in the file.
_MOST_CONTAINERS = 2_000_000
_DEEPEST = 64
_LONGEST_INT_BYTES = 9  # 64 bits and a sign
_MARK = object()

_DICT, _TENSOR, _SIZE = "collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch Size"


class ForbiddenError(Exception):
    """The pickle asks for something that Distill never writes."""


class DamagedError(Exception):
    """The pickle makes no sense."""


@dataclass(frozen=True)
class StoredStorage:
    """The numbers of one or more tensors: kind of number, key in the archive, count."""

    kind: str
    key: str
    count: int


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """What a file says of a tensor, without its numbers.

    Attributes
    ----------
    storage
        Where its numbers are.
    offset, shape, strides
        In numbers, as in torch.
    """

    storage: StoredStorage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def count(self) -> int:
        """Numbers that the tensor has."""
        count = 1
        for length in self.shape:
            count *= length
        return count

    @property
    def end(self) -> int:
        """Place in the storage after the last number; 0 for a tensor without numbers."""
        if self.count == 0:
            return 0
        reach = sum((length - 1) * stride for length, stride in zip(self.shape, self.strides, strict=True))
        return self.offset + reach + 1


@dataclass(frozen=True)
class _Name:
    """A name of the allowed few."""

    text: str


def read_pickle(data: bytes) -> tuple[Any, list[StoredTensor]]:
    """Return the value that a pickle builds, and all tensors that occur in it.

    Raises
    ------
    ForbiddenError
        It uses instructions or names that Distill's files do not have.
    DamagedError
        It ends early, contradicts itself, or builds something absurd.
    """
    reader = _Reader(data)
    try:
        value = reader.run()
        _check_tree(value, 4 * len(data) + 1000)
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, struct.error, RecursionError) as exc:
        raise DamagedError(repr(exc)) from exc
    return value, reader.tensors


def _check_tree(root: Any, most: int) -> None:
    """Refuse values that contain themselves, are nested absurdly, or grow when what is shared in them is followed."""
    left = most
    level = [root]
    for _ in range(_DEEPEST):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner += value.values()
            elif isinstance(value, (list, tuple)):
                inner += value
            left -= 1
        if len(inner) > left:
            raise DamagedError("it grows")
        if not inner:
            return
        level = [value for value in inner if isinstance(value, (dict, list, tuple))]
    raise DamagedError("too deep")


class _Reader:
    """The machine: a stack, a memo, and one method for each instruction."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._containers = 0
        self.tensors: list[StoredTensor] = []

    def run(self) -> Any:
        data, steps = self._data, _STEPS
        while True:
            code = data[self._at]
            self._at += 1
            if code == 0x2E:  # STOP
                (value,) = self._stack
                return value
            step = steps.get(code)
            if step is None:
                raise ForbiddenError(f"instruction {code:#x}")
            step(self)

    # --- reading ----------------------------------------------------------------------------------------------

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) != count:
            raise DamagedError("it ends early")
        self._at += count
        return taken

    def _number(self, count: int) -> int:
        return int.from_bytes(self._take(count), "little")

    def _line(self) -> str:
        end = self._data.index(b"\n", self._at, self._at + 200)
        text = self._data[self._at : end].decode("ascii")
        self._at = end + 1
        return text

    # --- plain values -----------------------------------------------------------------------------------------

    def protocol(self) -> None:
        if self._number(1) != 2 or self._at != 2:
            raise ForbiddenError("protocol")

    def float(self) -> None:
        self._stack.append(struct.unpack_from(">d", self._data, self._at)[0])
        self._at += 8

    def int1(self) -> None:
        self._stack.append(self._data[self._at])
        self._at += 1

    def int2(self) -> None:
        self._stack.append(self._number(2))

    def int4(self) -> None:
        self._stack.append(int.from_bytes(self._take(4), "little", signed=True))

    def long(self) -> None:
        count = self._number(1)
        if count > _LONGEST_INT_BYTES:
            raise ForbiddenError("a huge number")
        self._stack.append(int.from_bytes(self._take(count), "little", signed=True))

    def text(self) -> None:
        self._stack.append(self._take(self._number(4)).decode("utf-8", "surrogatepass"))

    def none(self) -> None:
        self._stack.append(None)

    def true(self) -> None:
        self._stack.append(True)

    def false(self) -> None:
        self._stack.append(False)

    # --- containers -------------------------------------------------------------------------------------------

    def _made(self, value: Any) -> None:
        self._containers += 1
        if self._containers > _MOST_CONTAINERS:
            raise DamagedError("too many containers")
        self._stack.append(value)

    def mark(self) -> None:
        self._made(_MARK)

    def _since_mark(self) -> list[Any]:
        """Take everything since the last mark off the stack."""
        stack = self._stack
        start = len(stack) - 1
        while stack[start] is not _MARK:
            start -= 1
            if start < 0:
                raise DamagedError("no mark")
        items = stack[start + 1 :]
        del stack[start:]
        return items

    def _pop(self, count: int) -> list[Any]:
        items = self._stack[-count:]
        if len(items) != count or any(item is _MARK for item in items):
            raise DamagedError("nothing to take")
        del self._stack[-count:]
        return items

    def empty_dict(self) -> None:
        self._made({})

    def empty_list(self) -> None:
        self._made([])

    def empty_tuple(self) -> None:
        self._stack.append(())

    def tuple_of_marked(self) -> None:
        self._made(tuple(self._since_mark()))

    def tuple1(self) -> None:
        self._made(tuple(self._pop(1)))

    def tuple2(self) -> None:
        self._made(tuple(self._pop(2)))

    def tuple3(self) -> None:
        self._made(tuple(self._pop(3)))

    def _top(self, kind: type[Any]) -> Any:
        top = self._stack[-1]
        if type(top) is not kind:
            raise DamagedError(f"not a {kind.__name__}")
        return top

    def append(self) -> None:
        items = self._pop(1)
        self._top(list).extend(items)

    def appends(self) -> None:
        items = self._since_mark()
        self._top(list).extend(items)

    def set_item(self) -> None:
        self._set(self._pop(2))

    def set_items(self) -> None:
        self._set(self._since_mark())

    def _set(self, items: list[Any]) -> None:
        target = self._top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) is not str and type(key) is not int:
                raise ForbiddenError("a key that is neither text nor a number")
            if key in target:
                raise DamagedError("the same key twice")
            target[key] = value

    # --- the memo ---------------------------------------------------------------------------------------------

    def _remember(self, key: int) -> None:
        if self._stack[-1] is _MARK:
            raise DamagedError("a mark is no value")
        self._memo[key] = self._stack[-1]

    def put1(self) -> None:
        self._remember(self._number(1))

    def put4(self) -> None:
        self._remember(self._number(4))

    def get1(self) -> None:
        self._stack.append(self._memo[self._number(1)])

    def get4(self) -> None:
        self._stack.append(self._memo[self._number(4)])

    # --- names, tensors ---------------------------------------------------------------------------------------

    def name(self) -> None:
        text = f"{self._line()} {self._line()}"
        module, _, kind = text.partition(" ")
        if text not in (_DICT, _TENSOR, _SIZE) and not (module == "torch" and kind in ITEM_BYTES):
            raise ForbiddenError(text)
        self._stack.append(_Name(text))

    def storage(self) -> None:
        """``('storage', torch.FloatStorage, '0', 'cpu', 12)``: the numbers of a tensor."""
        ((word, kind, key, device, count),) = self._pop(1)
        if word != "storage" or not isinstance(kind, _Name) or not kind.text.startswith("torch "):
            raise ForbiddenError("a stored object")
        if type(key) is not str or type(device) is not str or type(count) is not int or count < 0:
            raise DamagedError("a storage without a size")
        self._made(StoredStorage(kind.text.removeprefix("torch "), key, count))

    def call(self) -> None:
        function, arguments = self._pop(2)
        if not isinstance(function, _Name) or type(arguments) is not tuple:
            raise ForbiddenError("a call")
        if function.text == _DICT and arguments == ():
            self._made({})
        elif function.text == _SIZE:
            (sizes,) = arguments
            self._stack.append(_lengths(sizes))
        elif function.text == _TENSOR:
            self._tensor(arguments)
        else:
            raise ForbiddenError(f"a call of {function.text}")

    def _tensor(self, arguments: tuple[Any, ...]) -> None:
        storage, offset, shape, strides, _gradient, hooks = arguments[:6]
        if not isinstance(storage, StoredStorage) or type(offset) is not int or offset < 0 or hooks != {}:
            raise DamagedError("a tensor without numbers")
        tensor = StoredTensor(storage, offset, _lengths(shape), _lengths(strides))
        if len(tensor.shape) != len(tensor.strides):
            raise DamagedError("a tensor whose strides do not fit its shape")
        self.tensors.append(tensor)
        self._made(tensor)

    def attributes(self) -> None:
        """What torch notes on a state beside its tensors, such as versions of layers: not needed."""
        (notes,) = self._pop(1)
        if type(notes) is not dict or type(self._stack[-1]) is not dict:
            raise ForbiddenError("attributes")


def _lengths(value: Any) -> tuple[int, ...]:
    if type(value) is not tuple or len(value) > 8 or not all(type(n) is int and 0 <= n < 1 << 48 for n in value):
        raise DamagedError("a shape that is none")
    return value


_STEPS: dict[int, Callable[[_Reader], None]] = {
    ord(code): step
    for code, step in {
        "\x80": _Reader.protocol, "G": _Reader.float, "K": _Reader.int1, "M": _Reader.int2, "J": _Reader.int4,
        "\x8a": _Reader.long, "X": _Reader.text, "N": _Reader.none, "\x88": _Reader.true, "\x89": _Reader.false,
        "(": _Reader.mark, "}": _Reader.empty_dict, "]": _Reader.empty_list, ")": _Reader.empty_tuple,
        "t": _Reader.tuple_of_marked, "\x85": _Reader.tuple1, "\x86": _Reader.tuple2, "\x87": _Reader.tuple3,
        "a": _Reader.append, "e": _Reader.appends, "s": _Reader.set_item, "u": _Reader.set_items,
        "q": _Reader.put1, "r": _Reader.put4, "h": _Reader.get1, "j": _Reader.get4,
        "c": _Reader.name, "Q": _Reader.storage, "R": _Reader.call, "b": _Reader.attributes,
    }.items()
}  # fmt: skip
