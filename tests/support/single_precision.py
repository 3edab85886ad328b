"""A device without double precision, as Apple's (MPS) is, on computers that have no such device."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

#: The device that the tensors say they are on: torch as built for other computers cannot work with "mps".
_DEVICE = torch.device("meta")


class SinglePrecisionTensor(Tensor):
    """Tensor that says it is on the device; its numbers are on the CPU."""

    numbers: Tensor

    @staticmethod
    def __new__(cls, numbers: Tensor) -> "SinglePrecisionTensor":
        created: SinglePrecisionTensor = torch.Tensor._make_wrapper_subclass(
            cls, numbers.shape, numbers.stride(), numbers.storage_offset(), dtype=numbers.dtype, device=_DEVICE
        )
        created.numbers = numbers
        return created

    def __repr__(self) -> str:  # type: ignore[override]
        return f"SinglePrecisionTensor({self.numbers!r})"

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Compute."""
        return _computed(func, args, dict(kwargs or {}), is_here=True)


class SinglePrecisionDevice(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Context in which tensors can be moved to the device and created there."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Compute."""
        return _computed(func, args, dict(kwargs or {}), any(issubclass(kind, SinglePrecisionTensor) for kind in types))


def _computed(func: Any, args: Sequence[Any], given: dict[str, Any], is_here: bool) -> Any:
    """Return the result of an operation, computed on the CPU; refuses what MPS refuses."""
    if given.get("device") is not None:
        is_here = torch.device(given["device"]) == _DEVICE
        given["device"] = torch.device("cpu")
    elif is_here and "linalg" in str(func):
        raise NotImplementedError(f"The operator {func} is not implemented for the MPS device.")
    results = func(*_unwrapped(args), **_unwrapped(given))
    if not is_here:
        return results
    return args[0] if func._schema.is_mutable else tree_map_only(Tensor, on_device, results)


def _unwrapped(value: Any) -> Any:
    return tree_map_only(SinglePrecisionTensor, lambda tensor: tensor.numbers, value)


def on_device(tensor: Tensor) -> SinglePrecisionTensor:
    """Return a tensor on the device.

    Raises
    ------
    TypeError
        It has double precision.
    """
    if tensor.dtype == torch.float64:
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64.")
    return SinglePrecisionTensor(tensor)
