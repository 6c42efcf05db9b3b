"""Answering: questions about an index -> counts and passages with their sources."""
