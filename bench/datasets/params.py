"""Parameters of a card -> a call: names and types that the function does not take are errors of the card."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, get_type_hints

from bench.errors import UsageError
from bench.validation import convert

T = TypeVar("T")


def call(
    function: Callable[..., T],
    *arguments: object,
    params: Mapping[str, Any],
    where: str,
    siblings: Sequence[str] = (),
) -> T:
    """Return ``function(*arguments, **params)``, with values of the types that the function declares.

    Parameters
    ----------
    where : str
        File and field of the params, for messages.
    siblings : Sequence[str]
        Names that the same field of the card may contain and another function takes.

    Raises
    ------
    UsageError
        If a param is unknown to the function, has another type, or a required one is missing.

    Examples
    --------
    >>> def cut(seconds, hop=None): ...
    >>> call(cut, params={"second": 1}, where="mine.toml: segment")
    Traceback (most recent call last):
        ...
    bench.errors.UsageError: mine.toml: segment: 'second' is unknown; expected seconds, hop
    """
    parameters = list(inspect.signature(function).parameters.values())[len(arguments) :]
    keywords = [parameter for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD]
    names = ", ".join([*siblings, *(parameter.name for parameter in keywords)])
    unknown = [name for name in params if name not in {parameter.name for parameter in keywords}]
    if unknown and len(keywords) == len(parameters):
        raise UsageError(f"{where}: '{unknown[0]}' is unknown; expected {names or 'no params'}")
    for parameter in keywords:
        if parameter.default is parameter.empty and parameter.name not in params:
            raise UsageError(f"{where}: '{parameter.name}' is missing; expected {names}")
    hints = get_type_hints(function.__init__ if inspect.isclass(function) else function)
    kinds = {parameter.name: hints[parameter.name] for parameter in keywords}
    values = {name: convert(value, kinds.get(name, Any), where, name) for name, value in params.items()}
    return function(*arguments, **values)
