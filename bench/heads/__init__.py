"""The built-in heads that are more than a scikit-learn class; the registry names them, nothing imports them."""
