"""Explore: what a collection of clips holds, from its embeddings."""
