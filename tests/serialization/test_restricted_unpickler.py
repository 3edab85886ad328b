"""What the restricted unpickler accepts, and how it refuses everything else."""

import io
import subprocess
import sys
import zipfile
from typing import Any

import pytest
import torch

from distill.serialization.restricted_unpickler import DamagedError, ForbiddenError, StoredTensor, read_pickle


def pickle_of(data: Any) -> bytes:
    file = io.BytesIO()
    torch.save(data, file)
    with zipfile.ZipFile(file) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("/data.pkl")))


def test_plain_values_and_tensors_are_described() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    data = {
        "state": network.state_dict(), "betas": (0.9, 0.999), 7: [1, -2, 300, 70_000, 1 << 40, -(1 << 62), None, True],
        "text": "Glöckchen \ud83d", "view": torch.zeros(4, 6)[:, 1:3].t(), "size": torch.Size([1, 2]), "empty": (),
    }  # fmt: skip
    found, tensors = read_pickle(pickle_of(data))
    assert {key: value for key, value in found.items() if key not in ("state", "view")} == {
        key: value for key, value in data.items() if key not in ("state", "view")
    }
    weight, view = found["state"]["0.weight"], found["view"]
    assert (weight.shape, weight.strides, weight.numel, weight.end) == ((2, 3), (3, 1), 6, 6)
    assert (view.shape, view.strides, view.offset, view.end) == ((2, 4), (1, 6), 1, 21)
    assert len(tensors) == len(network.state_dict()) + 1


_TENSOR = (
    b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000"
    b"X\x03\x00\x00\x00cpuK\x04tQK\x00K\x04\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR"
)


def test_the_tensor_that_the_programs_below_change_is_read() -> None:
    found, _ = read_pickle(b"\x80\x02" + _TENSOR + b".")
    assert isinstance(found, StoredTensor)


PROGRAMS = {
    "another name": b"cos\nsystem\nX\x04\x00\x00\x00true\x85R.",
    "an attribute of a name": b"ctorch\nserialization.os.system\n.",
    "a class that torch has": b"ctorch.nn.modules.linear\nLinear\n.",
    "an instance": b"(ctorch\nSize\no.",
    "a new object": b"ctorch\nSize\n)\x81.",
    "attributes of a tensor": _TENSOR + b"}X\x05\x00\x00\x00shapeK\x01\x85sb.",
    "slots of a tensor": _TENSOR + b"N}X\x05\x00\x00\x00shapeK\x01\x85s\x86b.",
    "methods of a dict": b"ccollections\nOrderedDict\n)R}X\x06\x00\x00\x00valuesNsb.",
    "a dict of pairs": b"ccollections\nOrderedDict\n]K\x01K\x02\x86a\x85R.",
    "a tensor as a key": b"}" + _TENSOR + b"K\x01s.",
    "a nested tuple as a key": b"})" + b"\x85" * 300_000 + b"K\x01s.",
    "a memo of four thousand million entries": b"}r\xff\xff\xff\xffj\xff\xff\xff\xfe.",
    "an integer of 255 bytes": b"]\x8a\xff" + b"\x7f" * 255 + b"a.",
    "five million lists": b"]" * 5_000_000 + b".",
    "a million marks": b"(" * 3_000_000 + b".",
    "nothing": b"",
    "no value": b".",
    "a text that ends early": b"X\xff\xff\xff\x7fabc.",
    "items of a tensor": _TENSOR + b"K\x01K\x02s.",
    "items of a list": b"]K\x01K\x02s.",
    "elements of a tuple": b")K\x01a.",
    "a call of a text": b"X\x01\x00\x00\x00x)R.",
    "a call without arguments": b"ctorch\nSize\nNR.",
    "a shape with negative lengths": b"ctorch\nSize\nJ\xff\xff\xff\xff\x85\x85R.",
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_everything_else_is_refused(program: bytes) -> None:
    with pytest.raises((ForbiddenError, DamagedError)):
        read_pickle(b"\x80\x02" + program)


def test_other_protocols_are_refused() -> None:
    with pytest.raises(ForbiddenError):
        read_pickle(b"\x80\x04\x95\x01\x00\x00\x00\x00\x00\x00\x00N.")


_IN_A_SMALL_PROCESS = """
import resource, sys
from distill.serialization.restricted_unpickler import DamagedError, ForbiddenError, read_pickle
from tests.serialization.test_restricted_unpickler import PROGRAMS
limit = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + (1 << 30)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
refused = 0
for program in PROGRAMS.values():
    try:
        read_pickle(b"\\x80\\x02" + program)
    except (ForbiddenError, DamagedError):
        refused += 1
print(refused)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on memory is Linux's")
def test_hostile_pickles_take_less_than_a_gigabyte() -> None:
    done = subprocess.run([sys.executable, "-c", _IN_A_SMALL_PROCESS], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == str(len(PROGRAMS)), done.stderr[-2000:]
