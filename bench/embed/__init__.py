"""Embed: clips -> frames -> statistics and vectors, cached by content."""
