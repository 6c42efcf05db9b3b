"""The map of clips: its page, its table, and its previews."""

import base64
import hashlib
import importlib.resources
import io
import json
import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from bench import audio, catalog
from bench.embed import pooling
from bench.exploration.previews import previews
from bench.metrics.neighbours import Agreement, Faithfulness
from bench.report.map import (
    MapData,
    MapView,
    page,
    payload,
    words,
    write,
    write_table,
)
from bench.report.sections import embeddings
from bench.types import Clip, View

RNG = np.random.default_rng(0)
HOSTILE = [
    "</script><script>document.title='hurt'</script>",
    "<!--<script>",
    "\"quoted\" 'twice' `and` ${more}",
    "<img src=x onerror=document.title='hurt'>",
    "emoji 🎧, שלום",
    "a,b\r\nc",
]


def trust() -> Faithfulness:
    """Return a faithfulness without neighbours."""
    rows = np.zeros((0, 2), np.int64)
    return Faithfulness(n_nearest=2, rows=rows, in_space=rows, on_map=rows, trustworthiness=0.75, shared=0.5)


def sample(names: Sequence[str] = HOSTILE, sounds: Sequence[Path | None] = ()) -> MapData:
    """Return a map of some clips in two extractors, one with two layers."""
    n_clips = len(names)
    shares = {"speaker": Agreement(in_space=0.54, on_map=0.67, chance=0.1)}
    points, clusters = RNG.normal(size=(n_clips, 2)), {"cluster": ["0"] * n_clips}
    views = [
        MapView("first", "layer 0", points, trust(), clusters, shares),
        MapView("first", "layer 1", RNG.normal(size=(n_clips, 2)), None, {"cluster": ["1"] * n_clips}),
        MapView("second", "mean", RNG.normal(size=(n_clips, 2)) * [3, 1]),
    ]
    labels = ["b", "", "a", "b", "c", "b"]
    scores = np.where(np.arange(n_clips) == 1, np.nan, np.arange(n_clips) / 2)
    columns = {"speaker": [labels[n % 6] for n in range(n_clips)], "score": scores}
    return MapData(HOSTILE[0], list(names), [f"path/{name}" for name in names], views, columns, sounds)


class Elements(HTMLParser):
    """Scripts of a page by their type, and the links of all its elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[tuple[str | None, str]] = []
        self.links: list[str] = []
        self.policy = ""
        self.kind: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "action", "data"}]
        if tag == "script":
            self.kind = values.get("type") or "script"
            self.scripts.append((self.kind, ""))
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values.get("content") or ""

    def handle_endtag(self, tag: str) -> None:
        self.kind = None

    def handle_data(self, data: str) -> None:
        if self.kind:
            kind, text = self.scripts.pop()
            self.scripts.append((kind, text + data))


def decoded(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype=kind)


def test_points_keep_their_places_and_one_unit_on_both_axes():
    data = sample()
    for view, values in zip(data.views, payload.payload(data)["views"], strict=True):
        shown = decoded(values["points"], "<i2").reshape(-1, 2) / payload.FULL_SCALE
        centre = (view.points.min(axis=0) + view.points.max(axis=0)) / 2
        half = np.ptp(view.points, axis=0).max() / 2
        np.testing.assert_allclose(shown * half + centre, view.points, atol=half / payload.FULL_SCALE)
        np.testing.assert_allclose(values["spans"], np.ptp(view.points, axis=0) / (2 * half), atol=1e-4)


def test_equal_points_are_in_the_centre():
    data = MapData("", ["a", "b"], (), [MapView("e", "v", np.ones((2, 2)))], {})
    assert not decoded(payload.payload(data)["views"][0]["points"], "<i2").any()


@pytest.mark.parametrize("n_classes", [3, 300, 70000])
def test_a_column_of_texts_is_read_back_from_its_codes(n_classes: int):
    values = [f"class {n}" for n in range(n_classes)] + ["class 1", ""]
    points = np.zeros((len(values), 2))
    data = MapData("", values, (), [MapView("e", "v", points)], {"label": values})
    [column] = payload.payload(data)["columns"]
    codes = decoded(column["codes"], "u1" if n_classes <= 255 else "<u2" if n_classes < 2**16 else "<u4")
    assert [column["classes"][code] for code in codes] == values
    assert column["classes"][0] == "class 1", "the most frequent class is the first"
    assert column["classes"][-1] == "", "unknown is the last"


def test_a_column_of_numbers_is_read_back():
    data = sample()
    np.testing.assert_array_equal(
        decoded(payload.payload(data)["columns"][1]["numbers"], "<f4"), data.columns["score"]
    )


def test_hostile_names_stay_texts(tmp_path: Path):
    write(tmp_path / "map.html", sample())
    text = (tmp_path / "map.html").read_text(encoding="utf-8")
    elements = Elements(text)
    assert [kind for kind, _ in elements.scripts] == ["application/json", "script", "script", "script"]
    assert json.loads(elements.scripts[0][1])["clips"] == HOSTILE
    assert "<title>&lt;/script&gt;" in text


def test_nothing_is_said_of_a_column_with_too_few_labels():
    share = Agreement(in_space=float("nan"), on_map=float("nan"), chance=0.1)
    [sentence] = words.sentences(trust(), {"speaker": share})
    assert sentence == "50 % of the 2 nearest neighbours are kept; trustworthiness 0.75 of 1."


def test_only_the_scripts_of_the_page_run_and_nothing_is_linked(tmp_path: Path):
    write(tmp_path / "map.html", sample())
    elements = Elements((tmp_path / "map.html").read_text(encoding="utf-8"))
    hashes = [
        "'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'"
        for kind, script in elements.scripts
        if kind == "script"
    ]
    assert re.findall(r"'sha256-[^']+'", elements.policy) == hashes
    assert "default-src 'none'" in elements.policy
    assert "http" not in elements.policy
    assert elements.links == []


def test_a_page_written_twice_has_the_same_bytes(tmp_path: Path):
    data = sample()
    for name in ("a.html", "b.html"):
        write(tmp_path / name, data)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_the_library_comes_with_its_licences():
    vendor = importlib.resources.files("bench.report") / "vendor"
    licences = (vendor / "regl-scatterplot.licences.txt").read_text(encoding="utf-8")
    recipe = (vendor / "README.md").read_text(encoding="utf-8")
    for name, version in re.findall(r"^== (\S+) (\d+\.\d+\.\d+) ==$", licences, re.MULTILINE):
        assert re.search(rf"{re.escape(name)}[@ ]{re.escape(version)}", recipe), name


@pytest.mark.parametrize(
    ("n_previews", "folder", "expected"),
    [(3, "elsewhere", "data"), (1200, "map-audio", "files"), (1200, "elsewhere", None)],
)
def test_few_previews_go_into_the_page_and_many_beside_it(
    tmp_path: Path, n_previews: int, folder: str, expected: str | None
):
    (tmp_path / "out").mkdir()
    path = tmp_path / ("out" if folder == "map-audio" else "") / folder / "a b.mp3"
    path.parent.mkdir()
    path.write_bytes(b"sound")
    data = sample([f"c{n}" for n in range(n_previews + 1)], [path] * n_previews + [None])
    if expected is None:
        with pytest.raises(ValueError, match="1200 previews must be files in the folder of the page"):
            payload.payload(data, tmp_path / "out")
        return
    sound = payload.payload(data, tmp_path / "out")["sound"]
    assert list(sound) == [expected]
    assert sound[expected][-2:] == [{"data": "c291bmQ=", "files": "map-audio/a b.mp3"}[expected], ""]


def test_a_map_of_other_lengths_is_refused():
    with pytest.raises(ValueError, match="map of 2 clips: column speaker has 1 values"):
        MapData("", ["a", "b"], (), [MapView("e", "v", np.zeros((2, 2)))], {"speaker": ["x"]})
    with pytest.raises(ValueError, match="column cluster of e, v has 2 values"):
        MapData("", ["a"], (), [MapView("e", "v", np.zeros((1, 2)), None, {"cluster": ["0", "1"]})], {})
    with pytest.raises(ValueError, match="finite points"):
        MapData("", ["a"], (), [MapView("e", "v", np.full((1, 2), np.nan))], {})


def test_the_table_has_x_and_y_and_no_name_twice(tmp_path: Path):
    data = sample()
    data = MapData("", data.clips, data.paths, data.views, {"path": data.columns["speaker"], **data.columns})
    write_table(tmp_path / "map.parquet", data)
    table = pd.read_parquet(tmp_path / "map.parquet")
    assert list(table)[:8] == ["clip", "path", "x", "y", "path 2", "speaker", "score", "cluster"]
    layer, mean = "first, layer 1", "second, mean"
    assert list(table)[8:] == [f"x {layer}", f"y {layer}", f"cluster {layer}", f"x {mean}", f"y {mean}"]
    assert set(table[f"cluster {layer}"]) == {"1"}
    np.testing.assert_array_equal(table[["x", "y"]], data.views[0].points)
    assert table["clip"].tolist() == HOSTILE


def test_a_preview_sounds_like_the_beginning_of_its_clip(tone: Callable[..., Path]):
    path = tone("a.wav", seconds=5, rate=16000, pitch=440)
    encoded = audio.preview(Clip("a", path))
    samples, rate = soundfile.read(io.BytesIO(encoded))
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()] == pytest.approx(440, abs=2)
    assert 3.0 <= len(samples) / rate < 3.2
    assert len(encoded) <= 3200


def test_previews_are_encoded_once(tone: Callable[..., Path], tmp_path: Path, monkeypatch):
    clips = [Clip("a", tone("a.wav")), Clip("b", tone("b.wav")), Clip("gone", tmp_path / "gone.wav")]
    contents, folder = ["1", "1", "2"], tmp_path / "map-audio"
    first = previews(clips, contents, folder)
    assert first == (folder / "1.mp3", folder / "1.mp3", None)
    assert [path.name for path in folder.iterdir()] == ["1.mp3"]
    monkeypatch.setattr(audio, "preview", lambda *_: pytest.fail("encoded again"))
    assert previews(clips[:2], contents[:2], folder) == first[:2]


def test_the_leaderboard_draws_the_view_of_the_best_row(monkeypatch):
    statistics = RNG.normal(size=(8, 4, len(pooling.STATISTICS), 3)).astype(np.float32)
    clips = pd.DataFrame({"clip": list("abcdefgh"), "content": list("abcdefgh"), "y": list("xxxxyyyy")})
    stored = {
        clip: SimpleNamespace(statistics=part) for clip, part in zip("abcdefgh", statistics, strict=True)
    }
    run = SimpleNamespace(earlier_identities={}, identities={"net": {}}, env={"bench": "0"})
    first = SimpleNamespace(extractor="net", view=View(1, "mean"), key="k", layers=())
    table: Any = SimpleNamespace(
        best=SimpleNamespace(first=first, results=(first,)),
        stores={"k": SimpleNamespace(run=lambda: run, split=lambda *_: clips)},
        dataset="data",
        task=SimpleNamespace(name="speaker"),
        stem="stem",
        predictions=lambda _: pd.DataFrame({"clip": ["a", "b"], "y_true": ["x", "x"], "y_pred": ["x", "y"]}),
    )
    monkeypatch.setattr(catalog, "key", lambda *_: "digest")
    drawn = embeddings.section(table, SimpleNamespace(read=lambda *_: stored))  # type: ignore[arg-type]
    assert drawn is not None
    [block] = drawn.maps
    assert "layer 1, mean" in drawn.title
    X = statistics[:, 1, list(pooling.STATISTICS).index("mean")]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    axes = np.linalg.svd(X)[2]
    np.testing.assert_allclose(
        np.abs(block.data.views[0].points), np.abs(X @ axes[:2].T), atol=6e-4, err_msg="PCA of layer 1"
    )
    assert block.data.columns["best row"] == ["right", "wrong", *[""] * 6]


PROBE = """
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const until = async (ready) => {
  for (let n = 0; n < 2000; n++) { if (ready()) return; await wait(50); }
  throw new Error(`never: ${ready}`);
};
const state = { errors: [] };
const texts = (selector) => [...document.querySelectorAll(selector)].map((item) => item.textContent);
addEventListener("error", (event) => state.errors.push(event.message));
addEventListener("unhandledrejection", (event) => state.errors.push(String(event.reason)));
addEventListener("securitypolicyviolation", (event) => state.errors.push(event.violatedDirective));
(async () => {
  await until(() => document.querySelector("main").dataset.ready);
  state.legend = texts(".legend bdi");
  state.trust = texts(".trust");
  const search = document.querySelector("input[type=search]");
  search.value = "SCRIPT"; search.dispatchEvent(new Event("input"));
  state.matches = texts(".list button");
  document.querySelector(".list button").click();
  state.clip = texts(".clip h2");
  const colour = document.querySelectorAll("select")[1];
  colour.value = 2; colour.dispatchEvent(new Event("change"));
  state.clusters = texts(".legend bdi");
  const slider = document.querySelector("input[type=range]");
  slider.value = 1; slider.dispatchEvent(new Event("input"));
  state.layer = texts("output");
  state.clusters.push(...texts(".legend bdi"));
  const pixels = document.querySelector("canvas").getContext("2d").getImageData(0, 0, 900, 600);
  state.drawn = pixels.data.some(Boolean);
  state.title = document.title;
  state.requests = performance.getEntriesByType("resource").length;
})().catch((error) => state.errors.push(String(error))).finally(() => {
  const output = document.createElement("pre");
  output.id = "probe";
  output.textContent = JSON.stringify(state);
  document.body.append(output);
});
"""


@pytest.mark.slow
def test_the_page_works_in_chromium(browse, tmp_path: Path):
    text = page.text(payload.payload(sample()))
    probe = "sha256-" + base64.b64encode(hashlib.sha256(PROBE.encode()).digest()).decode()
    text = text.replace("script-src ", f"script-src '{probe}' ", 1)
    path = tmp_path / "map.html"
    path.write_text(text.replace("</body>", f"<script>{PROBE}</script></body>"), encoding="utf-8")
    graphics = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
    flags = ("--window-size=1280,800", *graphics, "--virtual-time-budget=120000")
    state, console = browse(path, *flags, timeout_s=120)
    assert state.pop("errors") == []
    assert console == []
    assert state == {
        "legend": ["b", "a", "c", "unknown"],
        "trust": [
            "50 % of the 2 nearest neighbours are kept; trustworthiness 0.75 of 1. "
            "Same speaker among the 2 nearest: 0.54 in the space, 0.67 on the map, 0.10 by chance."
        ],
        "matches": [HOSTILE[0], HOSTILE[1]],
        "clip": [HOSTILE[0]],
        "layer": ["layer 1"],
        "clusters": ["0", "1"],
        "drawn": True,
        "title": HOSTILE[0],
        "requests": 0,
    }
