import json
import subprocess
import sys

import numpy as np
import pytest

from bench import display
from bench.keys import digest
from bench.types import Split, View


def test_a_digest_does_not_depend_on_the_process():
    code = "from bench.keys import digest; print(digest({'b': [1, 2.5, None, 'é'], 'a': True}))"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert other == digest({"a": True, "b": [1, 2.5, None, "é"]})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, "1"),
        (1, 1.0),
        (1, True),
        (None, "None"),
        (["a", "b"], ["a,b"]),
        ({"a": 1}, ["a", 1]),
        ([["a"], "b"], [["a", "b"]]),
    ],
)
def test_values_that_a_formatted_name_would_confuse_have_different_digests(one: object, other: object):
    assert digest(one) != digest(other)


@pytest.mark.parametrize(
    "value", [{1: "a"}, {"a": {2: "b"}}, [{None: 1}], object(), np.float32(1), {"a", "b"}]
)
def test_a_value_that_json_would_change_has_no_digest(value: object):
    with pytest.raises(TypeError, match=r"digest: key|not JSON serializable"):
        digest(value)


def test_a_number_that_is_not_finite_has_no_digest():
    with pytest.raises(ValueError, match="JSON compliant"):
        digest(float("nan"))


@pytest.mark.parametrize(
    ("view", "text"),
    [
        (View(), "mean+std"),
        (View(pool="max"), "max"),
        (View(layer=3), "layer 3, mean+std"),
        (View("mean", "first"), "layer mean, first"),
    ],
)
def test_a_view_is_shown(view: View, text: str):
    assert display.view(view) == text


def test_a_fixed_split_trains_on_train_and_never_touches_dev():
    fold = np.array(["train", "test", "dev", "train", "test"])
    [(name, train, test)] = Split("fixed", fold, {"speaker": fold}).rounds()
    assert (name, train.tolist(), test.tolist()) == ("test", [0, 3], [1, 4])


def test_cross_validation_tests_each_fold_once_and_trains_on_the_others():
    fold = np.array(["b", "a", "c", "a"])
    rounds = [
        (name, train.tolist(), test.tolist())
        for name, train, test in Split("cv:3", fold, {"g": fold}).rounds()
    ]
    assert rounds == [("a", [0, 2], [1, 3]), ("b", [1, 2, 3], [0]), ("c", [0, 1, 3], [2])]


def test_a_dataset_gives_its_clips_and_says_where_they_are_described(dataset_of):
    dataset = dataset_of([{"gender": "f"}, {"gender": "m"}])
    clip = dataset.clips()[1]
    assert (clip.id, str(clip.path), clip.start, clip.end) == ("c1", "c1.wav", None, None)
    assert dataset.labels == ["gender", "recording"]
    assert dataset.location(1) == "made.csv: c1"
    assert json.dumps(dataset.table["recording"].tolist()) == '["c0.wav", "c1.wav"]'
