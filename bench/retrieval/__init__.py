"""Retrieval: an index of the chunks of a collection, and search in it."""
