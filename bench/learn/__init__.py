"""Pipelines of scaling, reducers and a head: fitted in folds, tuned, scored, and saved."""
