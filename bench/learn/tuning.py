"""Choice of a layer and of a head's parameters in inner folds of the training side."""

import inspect
from collections.abc import Mapping
from typing import Any

import pandas as pd
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from bench.errors import PluginError
from bench.learn.pipeline import PipelineSpec
from bench.types import Head, Labels, Samples

INNER_FOLDS = 3
"""Largest number of inner folds."""


def tune(spec: PipelineSpec, X: Samples, y: Labels, group: Labels) -> tuple[Pipeline, Mapping[str, Any]]:
    """Return the pipeline with the best layer and parameters, fitted, and the head's parameters.

    The best of `PipelineSpec.candidates` have the highest balanced accuracy over inner folds, which are
    stratified and share no group. Of equally good ones the first counts: the lowest layer.

    Parameters
    ----------
    y, group : Labels
        shape=(n_samples,).

    Raises
    ------
    PluginError
        If a class has fewer than two groups, too few for inner folds.
    """
    n_groups = pd.Series(group).groupby(y).nunique()
    if n_groups.min() < 2:
        problem, fix = "the head cannot be tuned", "run without --tune"
        if spec.n_layers:
            problem, fix = "@layer=best cannot choose", "name a layer"
        raise PluginError(
            f"{problem}: class '{n_groups.idxmin()}' has 1 training group, expected 2; "
            f"add recordings, or {fix}"
        )
    n_folds = min(INNER_FOLDS, int(n_groups.min()))
    inner = StratifiedGroupKFold(n_folds, shuffle=True, random_state=0)
    pipeline = spec.pipeline()
    grid = {name: list(values) for name, values in spec.candidates.items()}
    search = GridSearchCV(pipeline, grid, scoring="balanced_accuracy", cv=inner, error_score="raise")
    options = {f"head__{name}": value for name, value in fit_options(pipeline[-1], group).items()}
    search.fit(X, y, groups=group, **options)
    parameters = {name: search.best_params_[f"head__{name}"] for name in spec.grid}
    return search.best_estimator_, parameters


def fit_options(head: Head, group: Labels) -> Mapping[str, Labels]:
    """Return the groups as a keyword for a head whose `fit` takes them, else no keyword."""
    return {"groups": group} if "groups" in inspect.signature(head.fit).parameters else {}
