"""The page in Chromium itself, headless."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.report.rows import Row, Table
from bench.report.sections import Content, costs, layers, leaderboard, overview
from bench.report.writers import html
from bench.request import Request
from bench.stats import Standing
from bench.store import Counters, DatasetRecord, RunRecord, TableProtocol
from bench.types import Cost, Note, Result, Score, SplitId, Status, TaskId, View

pytest.importorskip("itables", reason="the page needs the extra html")
pytest.importorskip("vl_convert", reason="the page needs the extra html")

HOSTILE = [
    "<script>document.title='hurt'</script>",
    "\"quoted\" 'twice' `and` ${more}",
    "emoji 🎧🔊",
    "שלום עולם",
    "long " + "x" * 195,
    "</script><img src=x onerror=document.title='hurt'>",
]


class Predictions:
    """A store whose cells all have the same predictions."""

    def __init__(self, labels: list[str]) -> None:
        rng = np.random.default_rng(0)
        truth = np.repeat(labels, 4)
        guesses = np.where(rng.random(len(truth)) < 0.7, truth, rng.choice(labels, len(truth)))
        self.table = pd.DataFrame({"y_true": truth, "y_pred": guesses})

    def predictions(self, _: str) -> pd.DataFrame:
        return self.table


def table(n_rows: int, names: list[str]) -> Table:
    store = Predictions(names)
    rng = np.random.default_rng(1)
    rows = tuple(row(n, n_rows, names[n % len(names)], float(rng.random())) for n in range(n_rows))
    return Table(
        dataset="data",
        task=TaskId("t"),
        protocol=PROTOCOL,
        source=SOURCE,
        rows=rows,
        smaller=(),
        others=(),
        stores={item.first.key: store for item in rows},
    )


def row(number: int, n_rows: int, name: str, value: float) -> Row:
    result = Result(
        key=f"k{number}",
        dataset="data",
        task=TaskId("t"),
        extractor=name,
        view=View(number, "mean"),
        head="lda",
        seed=0,
        split=PROTOCOL.split,
        status=Status.OK,
        n_test=4,
        cost=Cost(audio_s=100.0, extract_s=1.0 + number, fit_s=0.5, predict_s=0.5),
    )
    return Row(
        system=result.system,
        results=(result,),
        scores=(Score("accuracy", value, low=value - 0.01, high=value + 0.01, folds=(value,)),),
        spread=0.0,
        standing=Standing(number + 1, n_rows, number < 3, 1.0),
    )


SOURCE = DatasetRecord(
    source="x",
    version="1",
    synthetic=False,
    notes=(Note("text", ("<i>note</i>",)),),
    n_clips=4,
    content="0" * 32,
)
PROTOCOL = TableProtocol(
    dataset="data",
    task=TaskId("t"),
    about="",
    metrics=("accuracy",),
    split=SplitId("cv:5", "g"),
    split_digest="0",
    obstacles=(),
    apart=(),
    n_groups=30,
    n_folds=5,
    n_classes=2,
    fewest_groups=("a", 9),
)
RUN = RunRecord(
    command="bench run --tasks '<b>'",
    request=Request(),
    folder=".",
    finished=True,
    env={"bench": "0"},
    counters=Counters(),
    datasets={},
    tables=(),
    identities={},
    cells=(),
)


def page(table: Table) -> str:
    """Return the page of a table."""
    sections = overview.section([RUN], [table]), leaderboard.section(table)
    figures = costs.section(table), layers.section(table)
    return html.write(Content((table,), (*sections, *filter(None, figures))))


PROBE = """<script type="module">
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const until = async (ready) => {
  for (let n = 0; n < 400; n++) { if (ready()) return; await wait(50); }
  throw new Error(`never: ${ready}`);
};
const state = { errors: [] };
addEventListener("error", (event) => state.errors.push(event.message));
addEventListener("unhandledrejection", (event) => state.errors.push(String(event.reason)));
const texts = (selector) => [...document.querySelectorAll(selector)].map((item) => item.textContent.trim());
const count = (selector) => document.querySelectorAll(selector).length;
const column = (n) => texts(`tbody tr td:nth-child(${n})`);
try {
  await until(() => document.querySelector("div.dt-container"));
  await until(() => count(".plot svg") === count(".plot"));
  state.plots = count(".plot svg");
  state.extractors = column(2);
  const start = performance.now();
  const head = document.querySelectorAll("thead th")[4];
  head.click(); await until(() => head.getAttribute("aria-sort") === "ascending");
  state.sorted = column(5);
  const search = document.querySelector(".dt-search input");
  search.value = '"layer 17,"'; search.dispatchEvent(new Event("input", { bubbles: true }));
  await until(() => column(3).every((view) => view === "layer 17, mean"));
  state.matches = column(3);
  state.milliseconds = performance.now() - start;
  search.value = ""; search.dispatchEvent(new Event("input", { bubbles: true })); await wait(500);
  const button = document.querySelector("button.matrix");
  button.focus(); button.click();
  await until(() => document.querySelector("#matrix svg [aria-roledescription='rect mark']"));
  state.open = document.querySelector("dialog").open;
  state.cells = count("#matrix svg [aria-roledescription='rect mark']");
  state.pairs = texts("#pairs tr td:first-child");
  const label = (item) => item.textContent.trim() || item.ariaLabel || item.title;
  state.labelled = [...document.querySelectorAll("button")].every(label);
  state.wide = document.documentElement.scrollWidth > innerWidth;
  const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
  state.requests = loaded.filter((name) => !name.startsWith("blob:"));
  state.title = document.title;
} catch (error) { state.errors.push(String(error)); }
const output = document.createElement("pre");
output.id = "probe";
output.textContent = JSON.stringify(state);
document.body.append(output);
</script>"""


@pytest.fixture
def look(browse, tmp_path: Path):
    """Return a function that opens a page, sorts, filters, opens a matrix, and returns the page's state."""

    def state(text: str, width: int = 1280) -> dict[str, Any]:
        before, tag, after = text.rpartition("</body>")
        path = tmp_path / "page.html"
        path.write_text(before + PROBE + tag + after, encoding="utf-8")
        flags = ("--disable-gpu", f"--window-size={width},900", "--virtual-time-budget=60000")
        values, console = browse(path, *flags, timeout_s=300)
        return {**values, "console": console}

    return state


@pytest.mark.no_cover
@pytest.mark.parametrize("width", [400, 1280])
def test_names_of_any_kind_are_safe_and_the_page_works(look, width: int):
    leaderboard = table(20, HOSTILE)
    state = look(page(leaderboard), width)
    assert state["errors"] == state["console"] == state["requests"] == []
    assert state["title"] == "Leaderboard"
    assert state["extractors"][: len(HOSTILE)] == HOSTILE
    assert state["sorted"] == sorted(state["sorted"], key=lambda text: float(text.split()[0]))
    assert state["matches"] == ["layer 17, mean"]
    assert state["open"]
    predictions = leaderboard.predictions(leaderboard.rows[0].first)
    counts = pd.crosstab(predictions["y_true"], predictions["y_pred"])
    assert state["cells"] == (counts > 0).sum().sum()
    assert set(state["pairs"]) <= set(HOSTILE)
    assert state["plots"] == 2, "score and cost, layers"
    assert state["labelled"]
    assert not state["wide"], "only the tables scroll sideways"


@pytest.mark.xdist_group("clock")
@pytest.mark.no_cover
@pytest.mark.parametrize("n_rows", [500, pytest.param(5000, marks=pytest.mark.slow)])
def test_many_rows_stay_responsive(look, n_rows: int):
    state = look(page(table(n_rows, [f"extractor {n}" for n in range(4)])))
    assert state["errors"] == state["console"] == []
    assert len(state["extractors"]) == 25, "a page of them at a time"
    assert state["milliseconds"] < 3000, state


@pytest.mark.no_cover
def test_a_page_rendered_twice_is_the_same():
    assert page(table(3, HOSTILE)) == page(table(3, HOSTILE))


def test_texts_are_marked_up_and_not_parsed():
    text = page(table(3, ["a", "b"]))
    assert "<code>bench run --tasks &#39;&lt;b&gt;&#39;</code>" in text
    assert "&lt;i&gt;note&lt;/i&gt;" in text
    assert re.search(r"<strong>0\.\d+</strong> \[", text), "the best rows are bold"
