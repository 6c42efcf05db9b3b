"""Colours that people with any kind of colour vision tell apart."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9", "#000000")
"""Okabe and Ito, "Color universal design", 2008, without its yellow, which is faint on white."""

GREY = "#bbbbbb"
"""What is in the background."""
