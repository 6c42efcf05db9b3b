"""The built-in heads that scikit-learn lacks; the catalog names them, nothing imports them."""
