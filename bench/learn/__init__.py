"""Heads fitted and tested in folds, tuned, kept on disk, and scored."""
