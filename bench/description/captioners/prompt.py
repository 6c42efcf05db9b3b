"""What captioners are asked; a part of their names, so that other words are other captions."""

PROMPT = "Describe what can be heard in this recording in one sentence."

MOST_TOKENS = 96
"""Longest caption, in tokens."""
