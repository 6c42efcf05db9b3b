"""Audio -> frames -> vectors, kept on disk by content."""
