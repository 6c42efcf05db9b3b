"""The built-in extractors; the catalog names them, nothing imports them."""
