"""What a worker process does; it imports little, so that a worker watches its parent from its start on."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import connection, parent_process
from typing import Any


def serve(pipe: connection.Connection) -> None:
    """Compute units until the parent closes the pipe or ends.

    The answer to a unit is None when it begins, then its value and the error that it raised.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent acts on it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, ConnectionError):
        while True:
            unit = pipe.recv()
            pipe.send(None)
            pipe.send(_outcome(unit))


def _outcome(unit: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    """Return the value of a unit, or the error that it raised, with its traceback as a note."""
    try:
        return unit(), None
    except BaseException as error:
        error.add_note(traceback.format_exc())
        return None, error


def _end_with_parent() -> None:
    """End this process when its parent has ended, however that ended."""
    parent = parent_process()
    if parent:
        connection.wait([parent.sentinel])
        os._exit(1)
