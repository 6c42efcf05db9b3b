"""Regular expressions over the names of files, matched in a process that has a limit."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.errors import UsageError

MATCH_S = 60
"""Longest time to match all names of a dataset with its pattern, in s; a million names take some seconds."""

MATCH = """
import json, re, sys
pattern, names, how = json.load(sys.stdin)
matches = map(getattr(re.compile(pattern), how), names)
json.dump([match and [match.groupdict(), match.groups()] for match in matches], sys.stdout)
"""


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of a match: named ones, and all in their order; None for one that took no part."""

    named: dict[str, str | None] = field(default_factory=dict)
    all: Sequence[str | None] = ()


def match(where: str, pattern: str, names: Sequence[str], *, whole: bool) -> list[Groups | None]:
    """Return the groups of every name that matches a pattern; None for any other.

    A pattern such as ``(a+)+$`` can take years. Python's matching has no limit, but a process has.

    Parameters
    ----------
    where : str
        What has the pattern, for messages.
    whole : bool
        Whether a name matches as a whole, or in a part.

    Raises
    ------
    UsageError
        If the pattern is malformed or takes too long.
    """
    try:
        re.compile(pattern)
        call = [sys.executable, "-I", "-S", "-c", MATCH]
        text = json.dumps([pattern, names, "fullmatch" if whole else "search"])
        done = subprocess.run(call, input=text, capture_output=True, text=True, timeout=MATCH_S, check=True)  # noqa: S603
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"{where}: pattern '{pattern}' is no regular expression ({error})") from error
    except subprocess.TimeoutExpired as error:
        slow = f"does not match {len(names)} names within {MATCH_S} s; leave out nested repetitions"
        raise UsageError(f"{where}: pattern '{pattern}' {slow}") from error
    return [groups and Groups(*groups) for groups in json.loads(done.stdout)]
