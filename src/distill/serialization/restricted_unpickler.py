"""Reads the pickle inside a checkpoint or model file: nothing is executed, and tensors are described, not loaded.

`torch.save` uses some thirty of the pickle opcodes and a handful of global names.  Both are allow-lists here; any other
opcode or name is refused before `torch.load` sees the file, whose own restricted reader executes nothing either but can
be made to allocate absurd amounts of memory.

The base class is the standard library's unpickler in Python, not the one in C: it has a table of opcodes that can be
cut down, its memo is a dict (in C a memo index of 2**32 allocates 64 GB), and keys can be checked before they are
hashed (in C the hash of a deeply nested tuple overflows the stack and kills the process).
"""

import io
import pickle
import struct
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

#: Bytes of one number in each storage type that Distill writes or has written.
ITEM_BYTES = {
    "DoubleStorage": 8, "FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8, "IntStorage": 4,
    "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1,
}  # fmt: skip
#: Maximum number of lists, dicts, tuples and marks: one byte in the file makes some hundred bytes in memory.
_MAX_CONTAINERS = 2_000_000
_MAX_DEPTH = 64
_MAX_DIMENSIONS, _MAX_LENGTH = 8, 1 << 48
_DAMAGE = (
    pickle.UnpicklingError, EOFError, LookupError, TypeError, ValueError, AttributeError, struct.error, RecursionError,
)  # fmt: skip
_INT_RANGE = range(-(1 << 63), 1 << 64)


class ForbiddenError(Exception):
    """The pickle uses an opcode, a name or an object that Distill never writes."""


class DamagedError(Exception):
    """The pickle ends early or contradicts itself."""


# Both are tuples: a pickle can set no attribute of a tuple, so what was checked stays what it was.
class StoredStorage(NamedTuple):
    """A storage of one or more tensors: type, key in the archive, count of numbers."""

    kind: str
    key: str
    numel: int


class StoredTensor(NamedTuple):
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
    def numel(self) -> int:
        """Count of numbers in the tensor."""
        count = 1
        for length in self.shape:
            count *= length
        return count

    @property
    def end(self) -> int:
        """Position in the storage after the last number; 0 for an empty tensor."""
        if self.numel == 0:
            return 0
        reach = sum((length - 1) * stride for length, stride in zip(self.shape, self.strides, strict=True))
        return self.offset + reach + 1


class _StorageType(NamedTuple):
    """A storage class of torch, by name."""

    kind: str


def read_pickle(data: bytes) -> tuple[Any, list[StoredTensor]]:
    """Return the value of a pickle, and all tensors that occur in it.

    Raises
    ------
    ForbiddenError
        It uses an opcode, a name or an object that Distill never writes.
    DamagedError
        It ends early, contradicts itself, or builds an absurd value.
    """
    if not data.startswith(b"\x80\x02"):
        raise ForbiddenError("not protocol 2")
    unpickler = _Unpickler(data)
    try:
        value = unpickler.load()
        _check_tree(value, 4 * len(data) + 1000)
    except _DAMAGE as exc:
        raise DamagedError(repr(exc)) from exc
    return value, unpickler.tensors


def _check_tree(root: Any, max_values: int) -> None:
    """Refuse a value that contains itself, is nested too deep, or grows when shared parts are followed."""
    values_left = max_values
    level = [root]
    for _ in range(_MAX_DEPTH):
        inner: list[Any] = []
        for value in level:
            inner += value.values() if isinstance(value, dict) else value
            values_left -= 1
        if len(inner) > values_left:
            raise DamagedError("the value grows when its shared parts are followed")
        if not all(type(value) is not int or value in _INT_RANGE for value in inner):
            raise DamagedError("an integer of more than 64 bits")
        level = [value for value in inner if type(value) in (dict, list, tuple)]
        if not level:
            return
    raise DamagedError("nested too deep")


_Step = Callable[[Any], None]
_TABLE: dict[int, _Step] = {**pickle._Unpickler.dispatch}


def _counted(opcode: bytes) -> _Step:
    """Return the step of an opcode that makes a container, with a count of them."""
    step = _TABLE[opcode[0]]

    def load(unpickler: "_Unpickler") -> None:
        unpickler.containers += 1
        if unpickler.containers > _MAX_CONTAINERS:
            raise DamagedError("too many containers")
        step(unpickler)

    return load


class _Unpickler(pickle._Unpickler):
    """The standard library's unpickler with allow-lists of opcodes and names.

    Attributes
    ----------
    tensors
        Each tensor of the pickle.
    """

    # Set by the base class and not in its annotations: the operands so far, and those since the last mark.
    stack: list[Any]
    pop_mark: Callable[[], list[Any]]

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.containers = 0
        self.tensors: list[StoredTensor] = []

    def load(self) -> Any:
        """Return the value of the pickle."""
        try:
            return super().load()
        except KeyError as exc:  # from the table of opcodes
            raise ForbiddenError(f"opcode {exc}") from exc

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a global name."""
        if module == "torch" and name in ITEM_BYTES:
            return _StorageType(name)
        allowed = {
            ("collections", "OrderedDict"): _empty_dict,
            ("torch", "Size"): _lengths,
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
        }
        try:
            return allowed[module, name]
        except KeyError:
            raise ForbiddenError(f"{module}.{name}") from None

    def persistent_load(self, pid: Any) -> StoredStorage:
        """Return a storage: ``("storage", torch.FloatStorage, "0", "cpu", 12)``."""
        word, kind, key, device, count = pid
        if word != "storage" or not isinstance(kind, _StorageType):
            raise ForbiddenError("a persistent object that is no storage")
        if type(key) is not str or type(device) is not str or type(count) is not int or count < 0:
            raise DamagedError("a storage without a size")
        return StoredStorage(kind.kind, key, count)

    def _tensor(
        self, storage: Any, offset: Any, shape: Any, strides: Any, _gradient: Any, hooks: Any, _metadata: Any = None
    ) -> StoredTensor:
        if not isinstance(storage, StoredStorage) or type(offset) is not int or offset < 0 or hooks != {}:
            raise DamagedError("a tensor without a storage")
        tensor = StoredTensor(storage, offset, _lengths(shape), _lengths(strides))
        if len(tensor.shape) != len(tensor.strides):
            raise DamagedError("a tensor with more or fewer strides than dimensions")
        self.tensors.append(tensor)
        return tensor

    def _set_item(self) -> None:
        self._set(self.stack[-3], self.stack[-2:])
        del self.stack[-2:]

    def _set_items(self) -> None:
        items = self.pop_mark()
        self._set(self.stack[-1], items)

    def _set(self, target: Any, items: list[Any]) -> None:
        if type(target) is not dict:
            raise DamagedError("items of something that is no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) is not str and type(key) is not int:
                raise ForbiddenError("a key that is neither text nor an integer")
            if key in target:
                raise DamagedError("the same key twice")
            target[key] = value

    def _build(self) -> None:
        """Drop the versions of layers, which torch stores as an attribute of a state dict."""
        state = self.stack.pop()
        if type(state) is not dict or not state.keys() <= {"_metadata"} or type(self.stack[-1]) is not dict:
            raise ForbiddenError("attributes of an object")

    def _append(self) -> None:
        self._extend([self.stack.pop()])

    def _appends(self) -> None:
        self._extend(self.pop_mark())

    def _extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise DamagedError("items of something that is no list")
        self.stack[-1].extend(items)

    dispatch: ClassVar[dict[int, _Step]] = {
        **{
            opcode[0]: _TABLE[opcode[0]]
            for opcode in (
                pickle.PROTO, pickle.STOP, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.BINFLOAT,
                pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1, pickle.BINUNICODE, pickle.EMPTY_TUPLE,
                pickle.BINPUT, pickle.LONG_BINPUT, pickle.BINGET, pickle.LONG_BINGET, pickle.GLOBAL, pickle.BINPERSID,
                pickle.REDUCE,
            )
        },
        **{
            opcode[0]: _counted(opcode)
            for opcode in (
                pickle.MARK, pickle.EMPTY_DICT, pickle.EMPTY_LIST, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2,
                pickle.TUPLE3,
            )
        },
        pickle.SETITEM[0]: _set_item,
        pickle.SETITEMS[0]: _set_items,
        pickle.APPEND[0]: _append,
        pickle.APPENDS[0]: _appends,
        pickle.BUILD[0]: _build,
    }  # fmt: skip


def _empty_dict(*arguments: Any) -> dict[Any, Any]:
    if arguments:
        raise ForbiddenError("a dict with arguments")
    return {}


def _lengths(value: Any) -> tuple[int, ...]:
    valid = type(value) is tuple and len(value) <= _MAX_DIMENSIONS
    if not valid or not all(type(n) is int and 0 <= n < _MAX_LENGTH for n in value):
        raise DamagedError("a shape that is no tuple of lengths")
    shape: tuple[int, ...] = value
    return shape
