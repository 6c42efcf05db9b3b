"""The built-in reducers; the catalog names them, nothing imports them."""
