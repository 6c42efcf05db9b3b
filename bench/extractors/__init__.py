"""The built-in extractors; the registry names them, nothing imports them."""
