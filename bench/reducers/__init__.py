"""The built-in reducers that scikit-learn lacks; the catalog names them, nothing imports them."""
