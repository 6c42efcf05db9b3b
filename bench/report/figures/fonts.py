"""Fonts of figures: installed ones that have the characters, and numbers for names that no font can show."""

import functools
from collections.abc import Iterable, Sequence

from matplotlib import font_manager

DEFAULT = "DejaVu Sans"
"""The font that comes with matplotlib."""

BOXES = "Last Resort"
"""Beginning of the name of a font whose every character is a box."""


def families(texts: Iterable[str]) -> list[str]:
    """Return the default font, and installed ones that have the characters of texts that it lacks."""
    missing = _codes(texts) - _default_codes()
    names = [DEFAULT]
    for name, codes in _others().items() if missing else ():
        if missing & codes:
            names.append(name)
            missing -= codes
    return names


def by_number(names: Sequence[str]) -> list[str]:
    """Return names, with the number in place of each that no installed font can show, such as [2]."""
    return [name if is_drawable(name) else f"[{number}]" for number, name in enumerate(names, start=1)]


def drawable(text: str) -> str:
    """Return a text with a question mark for every character that no installed font has."""
    return "".join(character if is_drawable(character) else "?" for character in text)


def is_drawable(text: str) -> bool:
    """Return whether installed fonts have every character of a text."""
    missing = _codes([text]) - _default_codes()
    return not missing or missing <= set().union(*_others().values())


def _codes(texts: Iterable[str]) -> set[int]:
    """Return the code points of texts; a line break needs no glyph."""
    return {ord(character) for text in texts for character in text} - {ord("\n")}


@functools.cache
def _default_codes() -> frozenset[int]:
    """Return the code points that the default font has."""
    return frozenset(font_manager.get_font(font_manager.findfont(DEFAULT)).get_charmap())


@functools.cache
def _others() -> dict[str, frozenset[int]]:
    """Return the code points of the other installed fonts, by their names."""
    fonts: dict[str, frozenset[int]] = {}
    for entry in sorted(font_manager.fontManager.ttflist, key=lambda entry: (entry.name, entry.fname)):
        if entry.name in fonts or entry.name.startswith((BOXES, DEFAULT)):
            continue
        try:
            font = font_manager.get_font(entry.fname)
        except (OSError, RuntimeError):  # of coloured emoji, or removed since matplotlib listed it
            continue
        if font.scalable:
            fonts[entry.name] = frozenset(font.get_charmap())
    return fonts
