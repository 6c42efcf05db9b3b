"""Captioners: models that write what can be heard."""
