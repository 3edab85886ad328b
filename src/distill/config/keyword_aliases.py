"""Second names of keyword arguments, for scripts written from the design documents or for earlier versions."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


def accept_keywords(**names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that accepts further names of keyword arguments.

    Parameters
    ----------
    **names
        Second name to the name of the parameter: ``folder="checkpoint_dir"``.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def renamed(*arguments: object, **keywords: object) -> R:
            for second, name in names.items():
                if second in keywords:
                    if name in keywords:
                        raise TypeError(f"{function.__name__}() got both {name!r} and {second!r}: give one of them.")
                    keywords[name] = keywords.pop(second)
            return cast(Callable[..., R], function)(*arguments, **keywords)

        return cast(Callable[P, R], renamed)

    return decorate
