import inspect
import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from bench import display
from bench.errors import UsageError
from bench.gate import Judged, Limit, Verdict, compare, rendering
from bench.request import Request
from bench.store import Counters, RunRecord, Store, baseline, schema
from bench.store.baseline import Side
from bench.types import Augmentation, Change, Cost, Result, Score, SplitId, Status, Step, TaskId, View

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


def accuracy(value: float, folds: tuple[float, ...] = ()) -> tuple[Score, ...]:
    return (Score("accuracy", value, folds=folds),)


def result(head: str, table: pd.DataFrame | None = None, **fields: object) -> Result:
    """Return a result whose scores are those of its predictions."""
    scores: tuple[Score, ...] = ()
    if table is not None:
        right = table["y_true"] == table["y_pred"]
        scores = accuracy(right.mean(), tuple(right.groupby(table["fold"]).mean()))
    defaults = {
        "key": f"{head}{RNG.integers(1 << 40)}",
        "dataset": "d",
        "task": TaskId("t"),
        "extractor": "e",
        "view": View(),
        "seed": 0,
        "split": SplitId("cv:5", "speaker"),
        "status": Status.OK,
        "scores": scores,
        "cost": Cost(extract_s=2.0),
        "predictions": "" if table is None else str(pd.util.hash_pandas_object(table).sum()),
        "split_digest": "s",
    }
    return Result(head=head, **{**defaults, **fields})


def side(tables: Mapping[str, pd.DataFrame], *others: Result, stored: bool = True, **fields: object) -> Side:
    results = {name: result(name, table, **fields) for name, table in tables.items()}
    predictions = {results[name].key: table for name, table in tables.items()} if stored else {}
    return Side(Path("x"), [*results.values(), *others], predictions.get)


def verdicts(before: Side, after: Side, *limits: str) -> dict[str, Verdict]:
    cells = compare(before, after, [Limit.parse(text) for text in limits])
    return {judged.result.head: judged.verdict for judged in cells}


def test_the_six_verdicts():
    before = side({name: predictions(24) for name in ("worse", "same", "better", "gone", "moved", "broken")})
    same = before.predictions(before.results[1].key)
    after = side(
        {"same": same, "worse": predictions(72), "better": predictions(2), "new": predictions(24)},
        result("moved", predictions(24), split_digest="other clips"),
        result("broken", status=Status.FAILED, reason="it raised"),
    )
    cells = compare(before, after)
    assert {judged.result.head: str(judged.verdict) for judged in cells} == {
        "worse": "worse",
        "gone": "vanished",
        "broken": "vanished",
        "moved": "not comparable",
        "better": "improved",
        "new": "new",
        "same": "unchanged",
    }
    order = list(Verdict)
    assert [judged.verdict for judged in cells] == sorted(
        (judged.verdict for judged in cells), key=order.index
    ), "the gravest first"
    reasons = {judged.result.head: judged.reason for judged in cells}
    assert reasons["broken"] == "failed: it raised"
    assert reasons["gone"] == "is not in the new run"
    assert reasons["moved"] == "other clips, labels, folds or groups"
    [worse] = cells[0].differences
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
        before = Side(Path("x"), [result("h", table, scores=accuracy(0.9, folds))], {}.get)
        after = side({"h": predictions(40)}, stored=False)
        [judged] = compare(before, after)
        assert judged.verdict == verdict
        assert judged.differences[0].spread == pytest.approx(spread, abs=0.05)


def test_results_too_old_to_name_their_predictions_are_not_taken_for_equal():
    then, now = (Side(Path("x"), [result("h", scores=accuracy(value))], {}.get) for value in (0.9, 0.5))
    assert verdicts(then, now) == {"h": Verdict.WORSE}


def test_of_a_metric_that_is_better_when_lower_more_is_worse():
    for before, after, verdict in ((0.1, 0.3, Verdict.WORSE), (0.3, 0.1, Verdict.IMPROVED)):
        then, now = (
            Side(Path("x"), [result("h", scores=(Score("eer", value),), predictions=str(value))], {}.get)
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


@pytest.mark.simulation
@pytest.mark.parametrize(("n_reruns", "most"), [(20, 2), pytest.param(100, 5, marks=pytest.mark.slow)])
def test_reruns_without_change_raise_few_alarms(n_reruns: int, most: int):
    """Reruns of four systems whose errors are speakers' and clips' own luck: no change is real."""
    rng = np.random.default_rng(1)
    hard = rng.beta(1, 6, N_GROUPS)[np.arange(N_CLIPS) % N_GROUPS]  # how often each speaker is mistaken
    base = predictions(0)

    def run() -> Side:
        wrong = rng.random((4, N_CLIPS)) < hard
        other = np.where(Y == "f", "m", "f")
        return side({f"h{n}": base.assign(y_pred=np.where(row, other, Y)) for n, row in enumerate(wrong)})

    alarms = Counter()
    for _ in range(n_reruns):
        changes = set(verdicts(run(), run(), "accuracy:0.0").values())
        alarms.update(changes & {Verdict.WORSE, Verdict.IMPROVED})
    assert alarms[Verdict.WORSE] <= most
    assert alarms[Verdict.IMPROVED] <= most


HOSTILE = "a|b *c* <script>,::error::\n%0A\x00\x1b]]>&"


def test_names_of_any_kind_are_written_safely():
    before = side({"h": predictions(24)}, result(HOSTILE, predictions(24)))
    after = side({"h": predictions(90)})
    judged = compare(before, after)
    text = rendering.as_markdown(judged)
    assert "<script>" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace(r"\|", "").count("|") for line in rows}) == 1, "as many cells in every row"
    [suite] = ElementTree.fromstring(rendering.as_junit(judged))  # noqa: S314  # of this test
    assert suite.get("tests") == "2"
    assert suite.get("failures") == "2"
    for line in rendering.annotations(judged):
        assert line.startswith("::error title=")
        assert "\n" not in line
        assert line.count("::error") == 1 or line.index("::", 2) < line.index("%3A%3Aerror")


def plan(*keys: str) -> RunRecord:
    """Return the record of a run with these cells."""
    return RunRecord(
        command="bench run",
        request=Request(),
        folder=".",
        finished=True,
        env={},
        counters=Counters(),
        datasets={},
        tables=(),
        identities={},
        cells=keys,
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return the folder of a run with one cell."""
    store = Store(tmp_path / "out")
    store.open()
    table = predictions(24)
    one = result("h", table, n_test=N_CLIPS)
    store.append(one, table)
    store.write_run(plan(one.key))
    return store.out


def test_a_baseline_is_kept_in_two_files(run: Path, tmp_path: Path):
    path = tmp_path / "reports" / "baseline.jsonl"
    baseline.write(baseline.side(run), path)
    stored, original = baseline.side(path), baseline.side(run)
    assert stored.results == original.results
    key = stored.results[0].key
    columns = ["clip", "group", "y_true", "y_pred"]
    expected = original.predictions(key)[columns]
    pd.testing.assert_frame_equal(stored.predictions(key)[columns], expected, check_dtype=False)
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
    one = result("h", worse, n_test=N_CLIPS)
    store.append(one, worse)
    store.write_run(plan(one.key))
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    failed = bench("compare", path, run, "--junit", tmp_path / "j.xml", "--markdown", tmp_path / "v.md")
    assert failed.exit_code == 1
    assert "::error title=t on d%2C e (mean+std)%2C h::worse: accuracy 0.900 -> 0.583" in failed.output
    assert (tmp_path / "v.md").read_text() == summary.read_text()
    assert "**worse**" in summary.read_text()
    assert 'failures="1"' in (tmp_path / "j.xml").read_text()
    assert bench("compare", path, run, "--update").exit_code == 0
    assert bench("compare", path, run).exit_code == 0


def test_what_cannot_be_a_baseline(run: Path, tmp_path: Path):
    with pytest.raises(UsageError, match=r"expected the name of a .jsonl file"):
        baseline.write(baseline.side(run), tmp_path / "b.csv")
    with pytest.raises(UsageError, match="has no computed cell"):
        baseline.write(Side(run, [], {}.get), tmp_path / "b.jsonl")


@pytest.fixture
def published(run: Path, tmp_path: Path) -> Path:
    """Return the baseline of a run."""
    path = tmp_path / "b.jsonl"
    baseline.write(baseline.side(run), path)
    return path


@pytest.mark.parametrize("content", [b"", b"\n", b"\n\n", bytes(40)])
def test_an_empty_baseline_is_nothing_to_compare_with(bench, run: Path, published: Path, content: bytes):
    published.write_bytes(content)
    done = bench("compare", published, run)
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert "b.jsonl" in done.stderr


def test_a_torn_baseline_is_refused_and_one_without_its_last_newline_is_read(run: Path, published: Path):
    content = published.read_bytes()
    published.write_bytes(content[:-1])
    assert len(baseline.side(published).results) == 1
    published.write_bytes(content + content[:90])
    with pytest.raises(UsageError, match=r"b\.jsonl:2: not a result"):
        baseline.side(published)
    published.write_bytes(content.replace(b'"value": 0.9', b'"value": 0.8'))
    with pytest.raises(UsageError, match=r"b\.jsonl:1: was changed after it was written"):
        baseline.side(published)


def test_predictions_that_do_not_belong_to_a_baseline_are_refused(run: Path, published: Path):
    path = published.with_suffix(".parquet")
    table = pd.read_parquet(path)
    for changed, message in (
        (table.iloc[:-5], "holds 235 clips of cell .*, which was tested on 240 in"),
        (table.assign(key="other"), "holds 0 clips of cell"),
        (table.drop(columns="y_true"), "has no column y_true"),
    ):
        changed.to_parquet(path, index=False)
        with pytest.raises(UsageError, match=rf"b\.parquet: {message}.*restore it, or delete"):
            baseline.side(published)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UsageError, match=r"b\.parquet: cannot be read"):
        baseline.side(published)


def test_a_run_with_predictions_of_another_cell_is_not_compared(bench, run: Path, published: Path):
    store = Store(run)
    [result] = store.planned()
    predictions(0).to_parquet(store.predictions_path(result.key), index=False)
    done = bench("compare", published, run, "--update")
    assert done.exit_code == 2
    assert "holds other predictions than the scored ones" in done.stderr
    assert len(done.stderr.splitlines()) == 1


OLD = Path(__file__).parent.parent / "reports" / "demo" / "baseline.jsonl"
"""A baseline of schema 3, which holds texts."""


def test_a_baseline_of_an_older_schema_serves_unchanged():
    texts = OLD.read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["schema"] for line in texts} == {3}
    before = baseline.side(OLD)
    migrated = [schema.result(schema.line(result), "new") for result in before.results]
    cells = compare(before, Side(Path("new"), migrated, before.predictions))
    assert len(cells) == len(texts)
    assert {judged.verdict for judged in cells} == {Verdict.UNCHANGED}
    later = [replace(result, split=replace(result.split, protocol="loso")) for result in migrated]
    cells = compare(before, Side(Path("new"), later, before.predictions))
    assert {judged.verdict for judged in cells} == {Verdict.INCOMPARABLE}


LINE = {
    "key": "k",
    "dataset": "d",
    "task": "t",
    "extractor": "e",
    "view": "layer 9, max",
    "head": "h",
    "seed": 0,
    "split": "cv:5, grouped by speaker",
    "status": "ok",
    "schema": 3,
    "split_digest": "s",
    "preprocess": "trim=40, rms=-25",
    "augment": "2 copies of each: stretch, noise=0:20",
    "cost": {},
    "scores": {"accuracy": {"value": 0.9, "low": None, "high": None, "folds": [0.9]}},
}


FIELDS = {
    "view": View(9, "max"),
    "preprocess": (Step("trim", 40.0), Step("rms", -25.0)),
    "augmentation": Augmentation((Change("stretch", 0.8, 1.25), Change("noise", 0.0, 20.0)), copies=2),
}


@pytest.mark.parametrize(
    "other", [{}, {"view": View(8, "max")}, {"preprocess": ()}, {"augmentation": None}, {"train_size": 0.5}]
)
def test_cells_of_an_older_schema_match_by_values(other: Mapping[str, object]):
    before = Side(Path("old"), [schema.result(json.dumps(LINE), "old")], {}.get)
    after = Side(Path("new"), [result("h", scores=accuracy(0.9), **{**FIELDS, **other})], {}.get)
    expected = [Verdict.VANISHED, Verdict.NEW] if other else [Verdict.UNCHANGED]
    assert [judged.verdict for judged in compare(before, after)] == expected


def outcomes(cells: Sequence[Judged]) -> list[tuple[object, ...]]:
    return [(judged.result, judged.verdict, judged.differences) for judged in cells]


FUNCTIONS = [name for name, value in vars(display).items() if inspect.isfunction(value) and name[0] != "_"]


def test_reworded_names_change_no_verdict(monkeypatch: pytest.MonkeyPatch):
    before = side({name: predictions(24) for name in ("worse", "gone", "moved")})
    moved = result("moved", predictions(24), split=SplitId("loso", "speaker"))
    after = side({"worse": predictions(72), "new": predictions(24)}, moved)
    expected = outcomes(compare(before, after))
    for name in FUNCTIONS:
        monkeypatch.setattr(display, name, lambda *_: "x")
    assert [
        (judged.result, judged.verdict, judged.differences) for judged in compare(before, after)
    ] == expected
    assert {verdict for _, verdict, _ in expected} >= {Verdict.WORSE, Verdict.VANISHED, Verdict.INCOMPARABLE}


EXTRACTORS = """
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


@pytest.mark.no_cover
def test_on_real_speech_a_shuffled_extractor_is_caught_and_a_rounded_one_is_not(bench, real: Path):
    Path("mine.py").write_text(EXTRACTORS)
    Path("registry").mkdir()
    for speaker in sorted((real / "LibriSpeech" / "train-clean-100").iterdir())[:80]:
        shutil.copytree(speaker, Path("train-clean-100", speaker.name), copy_function=os.symlink)
    shutil.copy(real / "LibriSpeech" / "SPEAKERS.TXT", ".")
    call = ["run", "--tasks", "gender", "--datasets", "train-clean-100"]
    call += ["--extractors", "own", "--heads", "lda,knn"]
    verdicts = {}
    for name in ("Honest", "Rounded", "Shuffled"):
        Path("registry", "extractors.toml").write_text(f'[own]\nfactory = "mine:{name}"\n')
        assert bench(*call, "--out", name).exit_code == 0
        verdicts[name] = bench("compare", "b.jsonl", name, *(["--update"] if name == "Honest" else []))
    assert verdicts["Rounded"].exit_code == 0
    assert verdicts["Shuffled"].exit_code == 1
    assert "3 cells: 2 worse, 1 unchanged" in verdicts["Shuffled"].output
    back = bench("compare", "Shuffled", "Honest")
    assert back.exit_code == 0
    assert "3 cells: 2 improved, 1 unchanged" in back.output
