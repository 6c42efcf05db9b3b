"""Default folders of corpora and of caches, and paths as texts.

A file's name is bytes. Python holds those that are no UTF-8 as surrogates (PEP 383), which no table, JSON or
terminal takes. In tables they are characters of private use: `path_text` and `path_of` are inverse.
"""

import errno
import os
from pathlib import Path

LIBRARY_CACHES = {"NUMBA_CACHE_DIR": "numba", "MPLCONFIGDIR": "matplotlib"}
"""Variable that names the folder of a library's cache -> name of the folder."""

SURROGATES = range(0xDC80, 0xDD00)
"""Code points of the bytes of file names that are no UTF-8."""

PRIVATE = 0x10FF00
"""Code point of the private character for the byte 0; the bytes of file names are 0x80 to 0xff."""

TO_PRIVATE = {code: PRIVATE + code - 0xDC00 for code in SURROGATES}
TO_SURROGATE = {private: code for code, private in TO_PRIVATE.items()}


def path_text(path: Path | str) -> str:
    r"""Return a path as a text that any file holds.

    Examples
    --------
    >>> path_text("caf\udce9.wav").encode()
    b'caf\xf4\x8f\xbf\xa9.wav'
    """
    return str(path).translate(TO_PRIVATE)


def path_of(text: str) -> Path:
    """Return the path of a text that `path_text` returned."""
    return Path(text.translate(TO_SURROGATE))


def home() -> Path:
    """Return the folder for corpora, and for the cache unless BENCH_CACHE is a URL.

    Raises
    ------
    FileNotFoundError
        If BENCH_CACHE names no folder and the user has no home.
    """
    import platformdirs

    variable = os.environ.get("BENCH_CACHE", "")
    folder = (
        variable
        if variable and "://" not in variable
        else platformdirs.user_cache_dir("audio-embedding-bench")
    )
    if folder != variable and folder.startswith("~"):  # the user has no home
        reason = "names no folder, and there is no home folder; set it to a folder"
        raise FileNotFoundError(errno.ENOENT, reason, "BENCH_CACHE")
    return Path(folder).absolute()


def cache_root() -> str:
    """Return the folder or the URL of the cache: BENCH_CACHE, or else the user's cache folder."""
    variable = os.environ.get("BENCH_CACHE", "")
    return variable if "://" in variable else str(home())


def redirect_library_caches() -> None:
    """Let libraries cache below `home` if they cannot write to the user's folders.

    Call it before they are imported; variables that the user has set stay.
    """
    if not all(_is_writable(folder) for folder in ("~/.cache", "~/.config")):
        for variable, name in LIBRARY_CACHES.items():
            os.environ.setdefault(variable, str(home() / "libraries" / name))


def _is_writable(folder: str) -> bool:
    """Return whether a folder of the user can be written, or made."""
    path = Path(folder).expanduser()
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    return os.access(existing, os.W_OK | os.X_OK)
