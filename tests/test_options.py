"""Options that nothing can use, or that contradict each other, are refused or warned of in one line."""

from pathlib import Path

import pytest

from bench import run
from bench.errors import UsageError

RUN = ("run", "--tasks", "gender", "--extractors", "mfcc-13", "--heads", "knn", "--dry-run")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", ""], "--seeds: has an empty value"),
        (["--out="], "--out: has an empty value"),
        (["--split", ""], "--split: has an empty value"),
        (["--seeds", "0,0"], "names 0 twice"),
        (["--seeds", "0,00"], "--seeds 0,0: names 0 twice"),
        (["--seeds", "4294967296"], "expected whole numbers from 0 to 4294967295"),
        (["--train-sizes", "1,1.0"], "--train-sizes 1.0,1.0: names 1.0 twice"),
        (["--train-sizes", "nan"], "is not a list of shares"),
        (["--heads", "knn,knn"], "names knn twice"),
        (["--tasks", "gender,gender"], "names gender twice"),
        (["--extractors", "mfcc@@pool=max"], "view '@' is unknown"),
        (["--extractors", "mfcc@pool=max@"], "ends in @"),
        (["--extractors", "mfcc@pool=max@pool=mean"], "gives pool twice"),
        (["--extractors", "mfcc@layer=0@layer=last"], "gives layer twice"),
        (["--copies", "2"], "--copies 2: needs --augment"),
        (["--device", "xyz"], "--device xyz: is no device"),
        (["--device", "cuda:x"], "--device cuda:x: is no device"),
        (["--cell-timeout", "nan"], "--cell-timeout nan: expected seconds above 0"),
        (["--cell-timeout", "inf"], "--cell-timeout inf: expected seconds above 0"),
        (["--cell-timeout", "-1"], "is not in the range"),
        (["--allow-bad", "nan%"], "is not a percentage"),
        (["--plain", "--log-json"], "are two forms of the same lines"),
    ],
)
def test_a_value_that_nothing_can_use_is_refused(digits: Path, bench, words: list[str], message: str):
    result = bench(*RUN, "--datasets", digits, *words)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--jobs", "6000"], "warning: --jobs 6000: more workers than the"),
        (
            ["--jobs", "3", "--executor", "dask://h:1"],
            "warning: --jobs 3: does nothing, since dask://h:1 has",
        ),
        (
            ["--tune", "--heads", "lda"],
            "warning: --tune: does nothing, since none of the heads lda has a grid",
        ),
    ],
)
def test_an_option_that_does_nothing_is_warned_of(digits: Path, bench, words: list[str], message: str):
    result = bench(*RUN, "--datasets", digits, *words)
    assert result.exit_code == 0
    assert message in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["report", "out", "--publish", ""],
        ["compare", "a", "b", "--markdown="],
        ["data", "split", "demo", "--task", ""],
        ["embed", "demo", "--out", ""],
        ["ask", "index", ""],
    ],
)
def test_every_command_refuses_an_empty_value(bench, words: list[str]):
    result = bench(*words)
    assert result.exit_code == 2
    assert "has an empty value; give one, or leave it out" in result.stderr


def test_an_empty_argument_is_not_called_by_the_one_before_it(bench):
    assert bench("ask", "index", "").stderr.startswith("Error: an argument: has an empty value")


def test_two_limits_for_one_metric_are_refused(bench):
    result = bench("compare", "a", "b", "--fail-on", "accuracy:0.1,accuracy:0.2")
    assert result.exit_code == 2
    assert "gives 2 limits for accuracy" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": ()}, "--seeds: is empty"),
        ({"copies": 2}, "needs --augment"),
        ({"device": "gpu"}, "no device"),
        ({"heads": ["knn", "lda", "knn"]}, "--heads knn,lda,knn: names knn twice"),
        ({"extractors": ["mfcc", "mfcc"]}, "--extractors mfcc,mfcc: names mfcc twice"),
        ({"datasets": ["demo", "demo"]}, "--datasets demo,demo: names demo twice"),
        ({"seeds": [1, 1]}, "--seeds 1,1: names 1 twice"),
        ({"train_sizes": (0.5, 0.5)}, "--train-sizes 0.5,0.5: names 0.5 twice"),
    ],
)
def test_a_program_is_refused_the_same(options: dict[str, object], message: str, tmp_path: Path):
    with pytest.raises(UsageError, match=message):
        run(tasks=["gender"], out=tmp_path / "out", **options)


def test_a_program_is_refused_two_equal_trackers(tmp_path: Path):
    pytest.importorskip("tensorboardX")
    with pytest.raises(UsageError, match="--track tensorboard:a: is there twice"):
        run(tasks=["gender"], out=tmp_path / "out", track=["tensorboard:a", "tensorboard:a"])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("[extractors]\nnames = []", "[extractors] names is empty; expected one value or more"),
        ("[heads]\nnames = ''", "[heads] names is empty; expected one value or more"),
        ("[heads]\nseeds = []", "[heads] seeds is empty; expected one value or more"),
        ("[extractors]\npreprocess = ['']", "[extractors] preprocess has an empty item"),
        ("[datasets]\nnames = ['demo', '']", "[datasets] names has an empty item"),
    ],
)
def test_an_empty_value_of_a_suite_is_refused(bench, entry: str, message: str, tmp_path: Path):
    (tmp_path / "mine.toml").write_text(entry)
    result = bench("run", "--suite", "mine.toml", "--dry-run")
    assert result.exit_code == 2
    assert f"mine.toml: {message}" in result.stderr
    assert "; leave it out for the default" in result.stderr
    assert len(result.stderr.splitlines()) == 1
