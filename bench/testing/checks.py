"""A check: one rule, and the plugin that has to pass it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Generic, TypeVar

from bench.errors import UsageError, one_line, shortlist

T = TypeVar("T")

Rule = Callable[[Any], None]
"""A function that raises for a plugin that breaks the rule; its docstring is the rule in words."""


@dataclass(frozen=True, slots=True)
class Check:
    """One rule for one plugin; call it to run it.

    Parameters
    ----------
    name : str
        Name of the rule, as in `expected_failures`.
    rule : str
        The rule in words.
    run : Callable[[], None]
        Raises if the plugin breaks the rule.
    expected : str
        Why the plugin is expected to break the rule; empty if it has to pass.
    """

    name: str
    rule: str
    run: Callable[[], None]
    expected: str = ""

    def __call__(self) -> None:
        """Run the check.

        Raises
        ------
        AssertionError
            If the plugin breaks the rule, or passes although a failure is expected.
        """
        try:
            self.run()
        except Exception as error:  # any exception of a plugin breaks the rule
            if not self.expected:
                raise AssertionError(f"{self.rule} {one_line(error)}") from error
            return
        if self.expected:
            raise AssertionError(f"'{self.name}' passes; remove it from expected_failures")

    def __str__(self) -> str:
        """Return the name, for pytest's ids."""
        return self.name


class Subject(Generic[T]):
    """The plugin under test: its factory, and one instance that the rules share."""

    def __init__(self, factory: Callable[[], T]) -> None:
        self.factory = factory

    @cached_property
    def plugin(self) -> T:
        """Return the shared instance."""
        return self.factory()


def build_checks(
    rules: Sequence[Rule], subject: Any, expected_failures: Mapping[str, str] | None
) -> list[Check]:
    """Return one check per rule, with the rule's function name and docstring.

    Raises
    ------
    UsageError
        If `expected_failures` names an unknown rule, or Python runs without assertions.
    """
    if not __debug__:
        raise UsageError("python -O removes the assertions that these checks are made of; run without -O")
    checks = [
        Check(name=rule.__name__, rule=" ".join(str(rule.__doc__).split()), run=partial(rule, subject))
        for rule in rules
    ]
    expected = expected_failures or {}
    unknown = expected.keys() - {check.name for check in checks}
    if unknown:
        names = ", ".join(check.name for check in checks)
        raise UsageError(f"expected_failures: unknown check {shortlist(unknown)}; expected one of {names}")
    return [replace(check, expected=expected.get(check.name, "")) for check in checks]
