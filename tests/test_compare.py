from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from bench import baseline
from bench.baseline import Side
from bench.compare import Limit, Verdict, compare, telling
from bench.errors import UsageError
from bench.store import Store
from bench.types import Cost, Result, Score, Status

N_GROUPS, N_CLIPS = 60, 240
RNG = np.random.default_rng(0)
Y = RNG.choice(["f", "m"], N_CLIPS)


def predictions(n_wrong: int, rng: np.random.Generator = RNG) -> pd.DataFrame:
    wrong = np.zeros(N_CLIPS, bool)
    wrong[rng.permutation(N_CLIPS)[:n_wrong]] = True
    other = np.where(Y == "f", "m", "f")
    return pd.DataFrame(
        {
            "clip": [f"c{n}" for n in range(N_CLIPS)],
            "group": [f"g{n % N_GROUPS}" for n in range(N_CLIPS)],
            "fold": [str(n % 5) for n in range(N_CLIPS)],
            "y_true": Y,
            "y_pred": np.where(wrong, other, Y),
        }
    )


def result(head: str, table: pd.DataFrame | None = None, **more: object) -> Result:
    """Return a result whose scores are those of its predictions."""
    scores = {}
    if table is not None:
        right = table["y_true"] == table["y_pred"]
        scores = {"accuracy": Score(right.mean(), folds=tuple(right.groupby(table["fold"]).mean()))}
    fields = {
        "key": f"{head}{RNG.integers(1 << 40)}",
        "dataset": "d",
        "task": "t",
        "extractor": "e",
        "view": "v",
        "seed": 0,
        "split": "cv:5",
        "status": Status.OK,
        "scores": scores,
        "cost": Cost(extract_s=2.0),
        "predictions": "" if table is None else str(pd.util.hash_pandas_object(table).sum()),
        "split_digest": "s",
    }
    return Result(head=head, **{**fields, **more})


def side(tables: Mapping[str, pd.DataFrame], *others: Result, kept: bool = True, **more: object) -> Side:
    results = {name: result(name, table, **more) for name, table in tables.items()}
    known = {results[name].key: table for name, table in tables.items()} if kept else {}
    return Side(Path("x"), [*results.values(), *others], known.get)


def verdicts(before: Side, after: Side, *limits: str) -> dict[str, Verdict]:
    judged = compare(before, after, [Limit.parse(text) for text in limits])
    return {each.result.head: each.verdict for each in judged}


def test_the_six_verdicts():
    before = side({name: predictions(24) for name in ("worse", "same", "better", "gone", "moved", "broken")})
    same = before.predictions(before.results[1].key)
    after = side(
        {"same": same, "worse": predictions(72), "better": predictions(2), "new": predictions(24)},
        result("moved", predictions(24), split_digest="other clips"),
        result("broken", status=Status.FAILED, reason="it raised"),
    )
    judged = compare(before, after)
    assert {each.result.head: str(each.verdict) for each in judged} == {
        "worse": "worse",
        "gone": "vanished",
        "broken": "vanished",
        "moved": "not comparable",
        "better": "improved",
        "new": "new",
        "same": "unchanged",
    }
    assert [each.verdict for each in judged] == sorted(
        (each.verdict for each in judged), key=list(Verdict).index
    ), "the gravest first"
    reasons = {each.result.head: each.reason for each in judged}
    assert reasons["broken"] == "failed: it raised"
    assert reasons["gone"] == "is not in the new run"
    assert reasons["moved"] == "other clips, labels, folds or groups"
    [worse] = judged[0].changes
    assert worse.after - worse.before == pytest.approx(-0.2)
    assert worse.low < -0.2 < worse.high < 0


def test_a_loss_within_the_limit_or_within_chance_is_none():
    table = predictions(24)
    lost = table.copy()
    lost.loc[lost.index[(lost["y_true"] == lost["y_pred"])][:12], "y_pred"] = "x"  # 12 more wrong, none right
    before, after = side({"h": table}), side({"h": lost})
    assert verdicts(before, after, "accuracy:0.04") == {"h": Verdict.WORSE}
    assert verdicts(before, after, "accuracy:0.05") == {"h": Verdict.UNCHANGED}, "exactly the limit"
    other = predictions(29)  # 5 more, but other ones
    assert verdicts(before, side({"h": other}), "accuracy:0.0") == {"h": Verdict.UNCHANGED}


def test_without_predictions_a_loss_has_to_exceed_the_spread_of_the_folds():
    table = predictions(24).assign(fold="0")
    for spread, verdict in ((0.01, Verdict.WORSE), (0.2, Verdict.UNCHANGED)):
        folds = (0.9 - spread, 0.9 + spread)
        before = Side(Path("x"), [result("h", table, scores={"accuracy": Score(0.9, folds=folds)})], {}.get)
        after = side({"h": predictions(40)}, kept=False)
        [judged] = compare(before, after)
        assert judged.verdict == verdict
        assert judged.changes[0].spread == pytest.approx(spread, abs=0.05)


def test_results_too_old_to_name_their_predictions_are_not_taken_for_equal():
    then, now = (
        Side(Path("x"), [result("h", scores={"accuracy": Score(value)})], {}.get) for value in (0.9, 0.5)
    )
    assert verdicts(then, now) == {"h": Verdict.WORSE}


def test_of_a_metric_that_is_better_when_lower_more_is_worse():
    for before, after, verdict in ((0.1, 0.3, Verdict.WORSE), (0.3, 0.1, Verdict.IMPROVED)):
        then, now = (
            Side(Path("x"), [result("h", scores={"eer": Score(value)}, predictions=str(value))], {}.get)
            for value in (before, after)
        )
        assert verdicts(then, now, "eer:0.02") == {"h": verdict}


def test_costs_are_gated_as_factors():
    table = predictions(24)
    before = side({"h": table})
    for seconds, verdict in ((2.9, Verdict.UNCHANGED), (3.1, Verdict.WORSE), (1.2, Verdict.IMPROVED)):
        after = side({"h": table}, cost=Cost(extract_s=seconds))
        assert verdicts(before, after, "extract_s:1.5x") == {"h": verdict}
    quicker_and_worse = side({"h": predictions(90)}, cost=Cost(extract_s=0.1))
    assert verdicts(before, quicker_and_worse, "extract_s:2x", "accuracy:0.02") == {"h": Verdict.WORSE}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("accurac:0.02", "did you mean 'accuracy'"),
        ("accuracy", "expected accuracy:AMOUNT"),
        ("accuracy:-1", "expected accuracy:AMOUNT"),
        ("extract_s:0.5", "expected extract_s:FACTORx"),
        ("extract_s:0.5x", "factor from 1"),
        ("brier:0.1", "no cell has it"),
    ],
)
def test_a_limit_that_is_none(text: str, message: str):
    one = side({"h": predictions(24)})
    with pytest.raises(UsageError, match=message):
        compare(one, one, [Limit.parse(text)])


def test_reruns_without_change_raise_few_alarms():
    """200 reruns of four systems whose errors are speakers' and clips' own luck: no change is real."""
    rng = np.random.default_rng(1)
    hard = rng.beta(1, 6, N_GROUPS)[np.arange(N_CLIPS) % N_GROUPS]  # how often each speaker is mistaken
    base = predictions(0)

    def run() -> Side:
        wrong = rng.random((4, N_CLIPS)) < hard
        other = np.where(Y == "f", "m", "f")
        return side({f"h{n}": base.assign(y_pred=np.where(row, other, Y)) for n, row in enumerate(wrong)})

    alarms = Counter()
    for _ in range(200):
        found = set(verdicts(run(), run(), "accuracy:0.0").values())
        alarms.update(found & {Verdict.WORSE, Verdict.IMPROVED})
    assert alarms[Verdict.WORSE] <= 10
    assert alarms[Verdict.IMPROVED] <= 10


HOSTILE = "a|b *c* <script>,::error::\n%0A\x00\x1b]]>&"


def test_names_of_any_kind_are_told_safely():
    before = side({"h": predictions(24)}, result(HOSTILE, predictions(24)))
    after = side({"h": predictions(90)})
    judged = compare(before, after)
    text = telling.text(judged)
    assert "<script>" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace(r"\|", "").count("|") for line in rows}) == 1, "as many cells in every row"
    [suite] = ElementTree.fromstring(telling.as_junit(judged))  # noqa: S314  # made here
    assert suite.get("tests") == "2"
    assert suite.get("failures") == "2"
    for line in telling.annotations(judged):
        assert line.startswith("::error title=")
        assert "\n" not in line
        assert line.count("::error") == 1 or line.index("::", 2) < line.index("%3A%3Aerror")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return the folder of a run with one cell."""
    store = Store(tmp_path / "out")
    store.open()
    table = predictions(24)
    one = result("h", table)
    store.append(one, table)
    store.write_run({"request": {}, "cells": [one.key]})
    return store.out


def test_a_baseline_is_kept_in_two_files(run: Path, tmp_path: Path):
    path = tmp_path / "reports" / "baseline.jsonl"
    baseline.write(baseline.side(run), path)
    kept, then = baseline.side(path), baseline.side(run)
    assert kept.results == then.results
    key = kept.results[0].key
    columns = ["clip", "group", "y_true", "y_pred"]
    known = then.predictions(key)[columns]
    pd.testing.assert_frame_equal(kept.predictions(key)[columns], known, check_dtype=False)
    first = path.read_bytes(), path.with_suffix(".parquet").read_bytes()
    baseline.write(baseline.side(run), path)
    assert first == (path.read_bytes(), path.with_suffix(".parquet").read_bytes())


@pytest.mark.verb("compare")
def test_the_command_writes_what_is_asked_for_and_exits_as_a_gate(bench, run: Path, tmp_path, monkeypatch):
    path = tmp_path / "b.jsonl"
    missing = bench("compare", path, run)
    assert missing.exit_code == 2
    assert "does not exist" in missing.output
    assert bench("compare", path, run, "--update").exit_code == 0
    assert bench("compare", path, run).exit_code == 0
    store = Store(run)
    worse = predictions(100)
    one = result("h", worse)
    store.append(one, worse)
    store.write_run({"request": {}, "cells": [one.key]})
    shown = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(shown))
    failed = bench("compare", path, run, "--junit", tmp_path / "j.xml", "--markdown", tmp_path / "v.md")
    assert failed.exit_code == 1
    assert "::error title=t on d%3A e (v)%2C h::worse: accuracy 0.900 -> 0.583" in failed.output
    assert (tmp_path / "v.md").read_text() == shown.read_text()
    assert "**worse**" in shown.read_text()
    assert 'failures="1"' in (tmp_path / "j.xml").read_text()
    assert bench("compare", path, run, "--update").exit_code == 0
    assert bench("compare", path, run).exit_code == 0


def test_what_cannot_be_a_baseline(run: Path, tmp_path: Path):
    with pytest.raises(UsageError, match=r"expected the name of a .jsonl file"):
        baseline.write(baseline.side(run), tmp_path / "b.csv")
    with pytest.raises(UsageError, match="has no computed cell"):
        baseline.write(Side(run, [], {}.get), tmp_path / "b.jsonl")


OWN = """
import librosa
import numpy as np


class Honest:
    sample_rate = 16000
    dim = 13

    def embed(self, audio):
        return [self.changed(librosa.feature.mfcc(y=y, sr=16000, n_mfcc=13).T) for y in audio]

    def changed(self, frames):
        return frames


class Rounded(Honest):
    def changed(self, frames):
        return np.round(frames, 2)


class Shuffled(Honest):
    def changed(self, frames):
        return np.random.default_rng(len(frames)).permutation(frames, axis=1)
"""


def test_on_real_speech_a_shuffled_extractor_is_caught_and_a_rounded_one_is_not(bench, real: Path):
    Path("mine.py").write_text(OWN)
    Path("registry").mkdir()
    call = ["run", "--tasks", "gender", "--datasets", real / "LibriSpeech" / "train-clean-100"]
    call += ["--extractors", "own", "--heads", "lda,knn"]
    told = {}
    for name in ("Honest", "Rounded", "Shuffled"):
        Path("registry", "extractors.toml").write_text(f'[own]\nfactory = "mine:{name}"\n')
        assert bench(*call, "--out", name).exit_code == 0
        told[name] = bench("compare", "b.jsonl", name, *(["--update"] if name == "Honest" else []))
    assert told["Rounded"].exit_code == 0
    assert told["Shuffled"].exit_code == 1
    assert "3 cells: 2 worse, 1 unchanged" in told["Shuffled"].output
    back = bench("compare", "Shuffled", "Honest")
    assert back.exit_code == 0
    assert "3 cells: 2 improved, 1 unchanged" in back.output
