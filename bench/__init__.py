"""Benchmark audio embeddings and classifiers with splits that cannot leak."""

__version__ = "0.1.0"
