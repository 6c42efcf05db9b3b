"""The page in Chromium itself, headless."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.intervals import Standing
from bench.report import page
from bench.report.tables import Row, Table
from bench.types import Cost, Result, Score, Status

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
    """Stands for a store whose cells all predicted the same."""

    def __init__(self, labels: list[str]) -> None:
        rng = np.random.default_rng(0)
        truth = np.repeat(labels, 4)
        guess = np.where(rng.random(len(truth)) < 0.7, truth, rng.choice(labels, len(truth)))
        self.table = pd.DataFrame({"y_true": truth, "y_pred": guess})

    def predictions(self, _: str) -> pd.DataFrame:
        return self.table

    def labels(self, _: str) -> pd.DataFrame:
        return pd.DataFrame({"clip": []})

    def run(self) -> dict[str, Any]:
        return {"command": "bench run --tasks '<b>'", "finished": True}


def table(n_rows: int, names: list[str], dataset: str = "data") -> tuple[Predictions, Table]:
    store = Predictions(names)
    rng = np.random.default_rng(1)
    rows = []
    for n in range(n_rows):
        value = float(rng.random())
        score = Score(value, value - 0.01, value + 0.01, (value,))
        cost = Cost(audio_s=100.0, extract_s=1 + n, fit_s=0.5, predict_s=0.5)
        name = names[n % len(names)]
        made = Result(
            f"k{n}", dataset, "t", name, f"layer {n:04}, mean", "lda", 0, "cv:5", Status.OK, cost=cost
        )
        rows.append(
            Row([replace(made, n_test=4)], {"accuracy": score}, 0.0, Standing(n + 1, n_rows, n < 3, 1.0))
        )
    source = {"synthetic": False, "n_clips": 4, "version": "1", "content": "0" * 32, "notes": []}
    protocol = {
        "metrics": ["accuracy"],
        "split": "cv:5",
        "n_groups": 30,
        "n_folds": 5,
        "n_classes": 2,
        "apart": [],
        "leaky": False,
        "note": "",
        "fewest_groups": ["a", 9],
        "group": "g",
    }
    stores = {row.first.key: store for row in rows}
    return store, Table(dataset, "t", protocol, source, rows, [], [], stores)


PROBE = """<script type="module">
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const until = async (ready) => {
  for (let n = 0; n < 400; n++) { if (ready()) return; await wait(50); }
  throw new Error(`never: ${ready}`);
};
const seen = { errors: [] };
addEventListener("error", (event) => seen.errors.push(event.message));
addEventListener("unhandledrejection", (event) => seen.errors.push(String(event.reason)));
const texts = (selector) => [...document.querySelectorAll(selector)].map((each) => each.textContent.trim());
const count = (selector) => document.querySelectorAll(selector).length;
const column = (n) => texts(`tbody tr td:nth-child(${n})`);
try {
  await until(() => document.querySelector("div.dt-container"));
  await until(() => count(".plot svg") === count(".plot"));
  seen.plots = count(".plot svg");
  seen.extractors = column(2);
  const start = performance.now();
  const head = document.querySelectorAll("thead th")[4];
  head.click(); await until(() => head.getAttribute("aria-sort") === "ascending");
  seen.sorted = column(5);
  const search = document.querySelector(".dt-search input");
  search.value = "layer 0017"; search.dispatchEvent(new Event("input", { bubbles: true }));
  await until(() => column(3).every((view) => view === "layer 0017, mean"));
  seen.found = column(3);
  seen.milliseconds = performance.now() - start;
  search.value = ""; search.dispatchEvent(new Event("input", { bubbles: true })); await wait(500);
  const button = document.querySelector("button.matrix");
  button.focus(); button.click();
  await until(() => document.querySelector("#matrix svg [aria-roledescription='rect mark']"));
  seen.open = document.querySelector("dialog").open;
  seen.cells = count("#matrix svg [aria-roledescription='rect mark']");
  seen.pairs = texts("#pairs tr td:first-child");
  const named = (each) => each.textContent.trim() || each.ariaLabel || each.title;
  seen.named = [...document.querySelectorAll("button")].every(named);
  seen.wide = document.documentElement.scrollWidth > innerWidth;
  const loaded = performance.getEntriesByType("resource").map((each) => each.name);
  seen.requests = loaded.filter((name) => !name.startsWith("blob:"));
  seen.title = document.title;
} catch (error) { seen.errors.push(String(error)); }
const told = document.createElement("pre");
told.id = "probe";
told.textContent = JSON.stringify(seen);
document.body.append(told);
</script>"""


@pytest.fixture
def look(tmp_path: Path):
    """Return a function that opens a page, sorts, filters and opens a matrix, and says what it saw."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium: apt install chromium")

    def seen(text: str, width: int = 1280) -> dict[str, Any]:
        before, tag, after = text.rpartition("</body>")
        path = tmp_path / "page.html"
        path.write_text(before + PROBE + tag + after, encoding="utf-8")
        done = subprocess.run(
            [
                *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"),
                *(f"--window-size={width},900", f"--user-data-dir={tmp_path / 'profile'}"),
                *("--virtual-time-budget=60000", "--dump-dom", path.as_uri()),
            ],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
        told = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
        assert told, done.stdout[-500:]
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return {**json.loads(html.unescape(told[1])), "console": console}

    return seen


@pytest.mark.parametrize("width", [400, 1280])
def test_names_of_any_kind_are_safe_and_the_page_works(look, width: int):
    store, made = table(20, HOSTILE)
    seen = look(page.text([store], [made], {}, None), width)
    assert seen["errors"] == seen["console"] == seen["requests"] == []
    assert seen["title"] == "Leaderboard"
    assert seen["extractors"][: len(HOSTILE)] == HOSTILE
    assert seen["sorted"] == sorted(seen["sorted"], key=lambda text: float(text.split()[0]))
    assert seen["found"] == ["layer 0017, mean"]
    assert seen["open"]
    assert seen["cells"] == (pd.crosstab(store.table["y_true"], store.table["y_pred"]) > 0).sum().sum()
    assert set(seen["pairs"]) <= set(HOSTILE)
    assert seen["plots"] == 2, "score and cost, layers"
    assert seen["named"]
    assert not seen["wide"], "only the tables scroll sideways"


@pytest.mark.xdist_group("clock")
def test_5000_rows_stay_responsive(look):
    store, made = table(5000, [f"extractor {n}" for n in range(4)])
    seen = look(page.text([store], [made], {}, None))
    assert seen["errors"] == seen["console"] == []
    assert len(seen["extractors"]) == 25, "a page of them at a time"
    assert seen["milliseconds"] < 3000, seen


def test_a_page_rendered_twice_is_the_same():
    store, made = table(3, HOSTILE)
    assert page.text([store], [made], {}, None) == page.text([store], [made], {}, None)
