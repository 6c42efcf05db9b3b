"""Serving: a model's answers over HTTP."""
