"""Inference: a model that a run chose -> answers about recordings."""
