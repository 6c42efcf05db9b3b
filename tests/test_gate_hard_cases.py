"""A gate with few groups, an edited baseline, nothing to compare, and the losses that it can see."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench import stats
from bench.gate import Verdict, compare, rendering
from bench.metrics import METRICS
from bench.store import schema
from bench.store.baseline import Side
from bench.types import Result, Score, SplitId, Status, TaskId, View

ACCURACY = METRICS["accuracy"]


def side(name: str, correct: np.ndarray, group: np.ndarray) -> Side:
    """Return one result with the predictions that are correct where it is said."""
    clips = [f"c{number}" for number in range(len(correct))]
    table = pd.DataFrame(
        {"clip": clips, "group": group, "y_true": "a", "y_pred": np.where(correct, "a", "b"), "fold": group}
    )
    result = Result(
        key=name,
        dataset="d",
        task=TaskId("t"),
        extractor="e",
        view=View(),
        head="h",
        seed=0,
        split=SplitId("loso", "speaker"),
        status=Status.OK,
        scores=(Score("accuracy", float(correct.mean())),),
        predictions=name,
        split_digest="s",
    )
    return Side(Path(name), [result], {name: table}.get)


def collapse(n_groups: int) -> tuple[Side, Side]:
    """Return runs before and after an extractor breaks: 0.9 and 0.1 correct, in every group alike."""
    group = np.repeat([f"g{number}" for number in range(n_groups)], 20)
    place = np.tile(np.arange(20), n_groups)
    return side("before", place < 18, group), side("after", place < 2, group)


@pytest.mark.parametrize("n_groups", [1, 2, 3, 4, 5])
def test_a_collapse_with_too_few_groups_for_a_test_fails_by_the_limit(n_groups: int):
    [judged] = compare(*collapse(n_groups))
    assert judged.verdict == Verdict.UNTESTABLE
    assert rendering.fails([judged])
    assert not rendering.fails([judged], {Verdict.WORSE})
    text = rendering.as_markdown([judged])
    assert "**cannot tell**: fewer than 6 groups are too few for a test" in text
    assert f"{n_groups} groups are too few for a test" in rendering.annotations([judged])[0]


def test_six_groups_are_enough_to_find_a_collapse():
    [judged] = compare(*collapse(6))
    assert judged.verdict == Verdict.WORSE


@pytest.mark.parametrize("n_groups", [3, 4, 5])
def test_with_few_groups_a_gain_and_a_loss_within_the_limit_pass(n_groups: int):
    before, after = collapse(n_groups)
    for first, second in ((after, before), (before, before)):
        [judged] = compare(first, second)
        assert judged.verdict == Verdict.UNCHANGED


def test_six_groups_are_the_fewest_that_a_permutation_can_tell_apart():
    lowest = {n: 2.0 ** (1 - n) for n in range(2, 9)}
    assert min(n for n, p in lowest.items() if p < 1 - stats.LEVEL) == stats.MIN_GROUPS


@pytest.mark.parametrize(
    ("n_groups", "limit", "n_comparisons"), [(100, 0.0, 1), (200, 0.02, 1), (20, 0.02, 1), (50, 0.0, 30)]
)
def test_the_visible_loss_is_found_in_four_of_five_runs(n_groups: int, limit: float, n_comparisons: int):
    """Normal differences of groups, tested as the gate tests: over the limit, and significant by t."""
    rng = np.random.default_rng(0)
    spread = 0.1
    loss = stats.visible_loss(spread / np.sqrt(n_groups), n_groups, limit, n_comparisons)
    losses = rng.normal(loss, spread, (4000, n_groups))
    error = losses.std(axis=1, ddof=1) / np.sqrt(n_groups)
    critical = 2 * stats.tests.stats.t.sf(losses.mean(axis=1) / error, n_groups - 1)
    seen = (losses.mean(axis=1) > limit) & (critical < 0.05 / n_comparisons)
    assert seen.mean() == pytest.approx(stats.POWER, abs=0.025)


def test_the_verdict_says_which_loss_of_every_changed_cell_was_visible():
    rng = np.random.default_rng(1)
    group = np.repeat([f"g{number}" for number in range(50)], 10)
    before, after = (side(name, rng.random(500) < 0.9, group) for name in ("before", "after"))
    [judged] = compare(before, after)
    [difference] = judged.differences
    assert judged.verdict == Verdict.UNCHANGED
    paired = stats.paired(ACCURACY, after.predictions("after"), before.predictions("before"))
    assert difference.visible_loss == stats.visible_loss(paired.difference.standard_error, 50, 0.02)
    text = rendering.as_markdown([judged])
    assert "smallest true loss that this gate finds in 80% of all runs" in text
    assert f" {difference.visible_loss:.3f} " in text.splitlines()[-1]
    [same] = compare(before, before)
    assert same.differences[0].visible_loss is None


def edit(path: Path, change: Callable[[dict], None]) -> None:
    """Change the lines of a baseline, and seal them again."""
    lines = [schema.unseal(line)[0] for line in path.read_text().splitlines()]
    for fields in lines:
        change(fields)
    path.write_text("".join(schema.seal(fields) + "\n" for fields in lines))


@pytest.fixture
def run(bench, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a run of the demo corpus, and its baseline beside it."""
    monkeypatch.setenv("BENCH_CACHE", str(home))
    words = ["run", "--datasets", "demo", "--tasks", "gender", "--extractors", "mfcc-13", "--heads", "lda"]
    assert bench(*words, "--out", "out").exit_code == 0
    assert bench("compare", "b.jsonl", "out", "--update").exit_code == 0
    return tmp_path


def test_an_edited_score_of_a_baseline_is_refused(bench, run: Path):
    edit(run / "b.jsonl", lambda fields: fields["scores"][0].update(value=0.5))
    refused = bench("compare", "b.jsonl", "out")
    assert refused.exit_code == 2
    [line] = refused.stderr.splitlines()
    assert "b.jsonl: accuracy of gender on demo" in line
    assert "is 0.500000, and " in line
    assert "by the predictions in b.parquet" in line


def test_a_baseline_line_that_is_not_as_it_was_written_is_refused(bench, run: Path):
    path = run / "b.jsonl"
    line = json.loads(path.read_text().splitlines()[0])
    line["scores"][0]["value"] = 0.5
    path.write_text(json.dumps(line) + "\n")
    refused = bench("compare", "b.jsonl", "out")
    assert (refused.exit_code, "its seal does not match" in refused.stderr) == (2, True)


def test_nothing_compared_is_one_line(bench, run: Path):
    edit(run / "b.jsonl", lambda fields: fields.update(dataset="other"))
    refused = bench("compare", "b.jsonl", "out")
    assert refused.exit_code == 2
    [line] = refused.stderr.splitlines()
    assert "out: has nothing to compare with b.jsonl: vanished: " in line
    assert bench("compare", "b.jsonl", "out", "--update").exit_code == 0
    assert bench("compare", "b.jsonl", "out").exit_code == 0


BROKEN = """
import librosa
import numpy as np


class Whole:
    sample_rate = 8000
    dim = 13

    def embed(self, audio):
        return [librosa.feature.mfcc(y=y, sr=8000, n_mfcc=13, n_fft=512).T for y in audio]


class Broken(Whole):
    def embed(self, audio):
        return [np.random.default_rng(len(y)).normal(size=(4, 13)) for y in audio]
"""


@pytest.mark.parametrize("n_speakers", [3, 5])
def test_on_real_digits_of_few_speakers_a_broken_extractor_fails_the_gate(bench, real: Path, n_speakers: int):
    names = [path for path in sorted((real / "fsdd").glob("*.wav")) if int(path.stem.split("_")[2]) < 4]
    table = pd.DataFrame({"path": map(str, names)})
    table[["digit", "speaker"]] = [path.stem.split("_")[:2] for path in names]
    speakers = sorted(set(table["speaker"]))[:n_speakers]
    table[table["speaker"].isin(speakers)].to_csv("clips.csv", index=False)
    Path("mine.py").write_text(BROKEN)
    Path("registry").mkdir()
    call = ["run", "--task-target", "digit", "--task-group", "speaker", "--datasets", "clips.csv"]
    call += ["--extractors", "own", "--heads", "lda", "--split", "loso"]
    for name in ("Whole", "Broken"):
        Path("registry", "extractors.toml").write_text(f'[own]\nfactory = "mine:{name}"\n')
        done = bench(*call, "--out", name)
        assert done.exit_code == 0, done.stderr
    failed = bench("compare", "Whole", "Broken")
    assert failed.exit_code == 1
    assert "1 cannot tell, 1 unchanged" in failed.output
    warned = bench("compare", "Whole", "Broken", "--few-groups", "warn")
    assert (warned.exit_code, "1 cannot tell" in warned.output) == (0, True)
