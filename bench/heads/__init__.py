"""The built-in heads that scikit-learn does not have; the registry names them, nothing imports them."""
