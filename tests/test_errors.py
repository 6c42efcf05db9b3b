import builtins
import inspect
import re

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from bench import errors
from bench.cli.errors import Group

ERRORS = [
    value
    for value in (*vars(builtins).values(), *vars(errors).values())
    if inspect.isclass(value)
    and issubclass(value, Exception)
    and not issubclass(value, UnicodeError | ExceptionGroup)  # they need arguments of their own
]
ARGUMENTS = st.lists(
    st.none() | st.sampled_from(["", " ", "\n", "no idea"]) | st.integers(-2, 200), max_size=4
)


@given(st.sampled_from(ERRORS), ARGUMENTS)
def test_no_error_is_printed_without_a_text(cls: type[Exception], arguments: list[object]):
    try:
        value = cls(*arguments)
    except TypeError:  # the class refuses these arguments
        value = cls()
    assert errors.message(value) not in {"", "None"}
    assert errors.describe(value) not in {"", "None"}
    assert not re.search(r": *(None)?$", errors.one_line(value))
    if isinstance(value, OSError):
        assert errors.reason(value).strip() not in {"", "None"}


@pytest.mark.parametrize(
    ("cls", "arguments", "line"),
    [
        (OSError, [], "bench: OSError"),
        (OSError, [None], "bench: OSError"),
        (OSError, [None, None], "bench: OSError"),
        (OSError, [5, None], "bench: Input/output error"),
        (OSError, ["Unexpected end of\n file"], "bench: Unexpected end of file"),
        (OSError, [28, "No space left on device", "out"], "out: No space left on device"),
        (errors.UsageError, [], "UsageError"),
        (
            MemoryError,
            [],
            "memory is full; finished results are saved; free some memory, or use fewer --jobs",
        ),
    ],
)
def test_the_command_line_prints_an_error_in_one_line(
    cls: type[Exception], arguments: list[object], line: str
):
    @click.group(cls=Group)
    def main() -> None:
        pass

    @main.command("fail")
    def fail() -> None:
        raise cls(*arguments)

    done = CliRunner().invoke(main, ["fail"])
    assert (done.exit_code, done.stderr) == (2, f"Error: {line}\n")


def test_the_drawn_hierarchy_is_the_real_one():
    drawn = {
        name: (len(line) + 1) // 4
        for line, name in re.findall(r"^([│├└─ ]*)(\w+Error)", errors.__doc__, re.M)
    }
    classes = [
        value
        for _, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, errors.BenchError)
    ]
    assert drawn == {cls.__name__: cls.__mro__.index(errors.BenchError) for cls in classes}
