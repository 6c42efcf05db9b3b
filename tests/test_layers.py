"""Layers: the choice of one inside the training folds, and those that a transformer runs by default."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench import catalog, cli, splits
from bench.catalog import families, learners
from bench.embed import pooling
from bench.errors import PluginError, UsageError
from bench.learn import bundle
from bench.learn.folds import ALL, evaluate
from bench.learn.pipeline import PipelineSpec
from bench.learn.samples import Examples
from bench.request import Request
from bench.store import Store
from bench.types import Result, Spec, Split

REGISTRY = catalog.load()
N_SPEAKERS, N_CLIPS, N_LAYERS = 18, 6, 4
HEAD = partial(LogisticRegression, max_iter=2000)

STACK = '''
import numpy as np


class Stack:
    """Three layers: zeros, the spectrum, and zeros."""

    sample_rate, dim, n_layers = 8000, 24, 3

    def embed(self, audio):
        return [self.frames(y) for y in audio]

    def frames(self, y):
        blocks = np.pad(y, (0, 256))[: len(y) // 256 * 256 + 256].reshape(-1, 256)
        bands = np.log(1e-4 + np.abs(np.fft.rfft(blocks * np.hanning(256))))[:, 1 : 1 + self.dim]
        return np.stack([0 * bands, bands, 0 * bands]).astype(np.float32)
'''


def clock() -> float:
    return 0.0


@pytest.fixture(scope="module")
def examples() -> Examples:
    """Return clips whose third layer says most of their labels, each clip beside its speaker's others."""
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(N_SPEAKERS), N_CLIPS)
    y = np.where(rng.random(len(speaker)) < 0.5, "f", "m")
    strength = np.array([0.1, 0.5, 0.8, 0.3])
    X = rng.standard_normal((len(speaker), N_LAYERS, 5))
    X[:, :, 0] += strength * np.where(y == "f", 1.5, -1.5)[:, None]
    fold = (speaker % 3).astype(str)
    return Examples(X.astype(np.float32), y, Split("cv:3", fold, {"speaker": speaker.astype(str)}))


def choice_of_a_plain_script(X: np.ndarray, y: np.ndarray, group: np.ndarray) -> int:
    """Return the layer with the best mean balanced accuracy over three inner folds by group."""
    inner = StratifiedGroupKFold(3, shuffle=True, random_state=0)
    means = []
    for layer in range(X.shape[1]):
        scores = []
        for train, test in inner.split(y, y, group):
            model = make_pipeline(StandardScaler(), HEAD()).fit(X[train, layer], y[train])
            scores.append(balanced_accuracy_score(y[test], model.predict(X[test, layer])))
        means.append(np.mean(scores))
    return int(np.argmax(means))


def test_the_layer_is_what_a_plain_script_chooses_in_inner_folds_by_speaker(examples: Examples):
    evaluation = evaluate(examples, PipelineSpec(HEAD, n_layers=N_LAYERS), clock)
    X, y, split = examples.X, examples.y, examples.split
    for number, (fold, train, test) in enumerate(split.rounds()):
        layer = choice_of_a_plain_script(X[train], y[train], split.groups["speaker"][train])
        assert evaluation.layers[number] == layer
        model = make_pipeline(StandardScaler(), HEAD()).fit(X[train, layer], y[train])
        part = evaluation.predictions[evaluation.predictions["fold"] == fold]
        assert part["y_pred"].tolist() == model.predict(X[test, layer]).tolist()
    assert evaluation.parameters == ()


def test_tested_clips_do_not_change_the_choice(examples: Examples):
    X, y, split = examples.X.copy(), examples.y, examples.split
    spec = PipelineSpec(HEAD, n_layers=N_LAYERS)
    before = evaluate(examples, spec, clock)
    tested = split.fold == "0"
    X[tested, 0, 0] = np.where(y[tested] == "f", 100, -100)  # layer 0 knows the answers of fold 0 alone
    after = evaluate(replace(examples, X=X), spec, clock)
    assert after.layers[0] == before.layers[0] != 0


def test_a_layer_is_chosen_together_with_the_parameters_of_a_head(examples: Examples):
    spec = PipelineSpec(HEAD, grid={"C": [1e-6, 1.0]}, n_layers=N_LAYERS)
    evaluation = evaluate(examples, spec, clock)
    assert len(evaluation.layers) == 3
    assert [set(parameters) for parameters in evaluation.parameters] == [{"C"}] * 3


def test_a_class_of_one_speaker_names_the_remedy(examples: Examples):
    speaker = np.where(examples.y == "f", "one", examples.split.groups["speaker"])
    fold = np.where(np.arange(len(speaker)) % 2, "train", "test")
    split = Split("fixed", fold, {"speaker": np.char.add(speaker, fold)})
    with pytest.raises(PluginError, match=r"@layer=best cannot choose: class 'f' has 1 .* or name a layer"):
        evaluate(replace(examples, split=split), PipelineSpec(HEAD, n_layers=N_LAYERS), clock)


@pytest.fixture
def stack(bench, tmp_path: Path, digits: Path) -> Result:
    """Return the result of a head on the best of three layers, in the run of the working folder."""
    (tmp_path / "stack.py").write_text(STACK)
    views = "./stack.py:Stack@layer=best,./stack.py:Stack@layer=1"
    task = ["--task-target", "speaker", "--task-group", "session", "--split", "cv:2"]
    call = [*task, "--heads", "logreg,logreg-frames", "--save-models"]
    done = bench("run", "--datasets", digits, "--extractors", views, *call)
    assert done.exit_code == 0, done.output
    assert "`./stack.py:Stack layer best, mean+std logreg`: layer 1 in 2." in done.stdout
    assert "sees frames, and @layer=best chooses among pooled vectors; name a layer" in done.stderr
    [best] = [result for result in Store(tmp_path / "bench-out").results().values() if result.layers]
    return best


def test_a_run_says_which_layers_it_chose_and_its_models_take_every_layer(
    bench, stack: Result, tmp_path: Path, digits: Path
):
    assert stack.layers == (1, 1)
    store = Store(tmp_path / "bench-out")
    numbered = {r.key: r for r in store.results().values() if r.view.layer == 1 and r.head == "logreg"}
    assert stack.key not in numbered
    baselines = {result.view.layer for result in store.results().values() if result.head == "dummy"}
    assert baselines == {1, "last"}
    models = bundle.load(store.models_path(stack.key), ALL)
    X = np.random.default_rng(0).standard_normal((4, 3, 48)).astype(np.float32)
    layer = models.pipeline.named_steps["layer"].layer
    expected = models.pipeline[1:].predict(X[:, layer])
    assert models.predict(X)["y_pred"].tolist() == expected.tolist()
    done = bench("embed", digits, "--extractors", "./stack.py:Stack@layer=best", "--out", "x.npz")
    assert (done.exit_code, "@layer=best: needs labels" in done.stderr) == (2, True)


def configuration(folder: Path, **fields: object) -> Spec:
    """Return an extractor of a checkpoint that has a configuration alone."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(fields))
    spec = catalog.resolve("extractor", f"hf:{folder}", {})
    return replace(spec, params={**spec.params, "checkpoint": str(folder)})


def default_layers(spec: Spec) -> list[int | str]:
    return families.default_layers(spec, REGISTRY)


@pytest.mark.parametrize("model_type", sorted(REGISTRY.families.keys() - {families.FAIRSEQ}))
def test_a_transformer_runs_the_layers_of_its_family_at_any_size(model_type: str, tmp_path: Path):
    depths = REGISTRY.families[model_type].layers
    for n_hidden, name in ((2, "encoder_layers"), (24, "num_hidden_layers")):
        spec = configuration(tmp_path / name, model_type=model_type, **{name: n_hidden})
        expected = [depth if isinstance(depth, str) else int(depth * n_hidden) for depth in depths]
        assert default_layers(spec) == expected


def test_a_checkpoint_of_fairseq_runs_the_layers_of_its_family():
    file = Path(__file__).parent / "fairseq" / "hubert-cfg.pt"  # with two layers
    spec = catalog.resolve("extractor", f"fairseq:{file}", {})
    assert default_layers(replace(spec, params={**spec.params, "checkpoint": str(file)})) == [1, "mean"]


def test_other_extractors_run_their_last_layer(tmp_path: Path):
    other = configuration(
        tmp_path / "other", model_type="audio-spectrogram-transformer", num_hidden_layers=12
    )
    assert default_layers(other) == ["last"]
    whisper = configuration(tmp_path / "whisper", model_type="whisper", encoder_layers=4)
    assert default_layers(replace(whisper, factory="mine:Pooled")) == ["last"]
    assert default_layers(REGISTRY.extractors["mfcc"]) == ["last"]


def test_a_layer_that_a_user_names_stays_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    spec = configuration(tmp_path / "whisper", model_type="whisper", encoder_layers=4)
    learner = learners.Learner(spec)
    monkeypatch.setattr(learners, "_learner", lambda *_: learner)
    texts = ("hf:whisper@layer=last", "hf:whisper@pool=max@layer=1", "hf:whisper@pool=max")
    layers = []
    for text in texts:
        points = learners.extractors(Request(extractors=(text,)), REGISTRY, pooling.parse)
        layers.append([view.layer for _, view in points])
    assert layers == [["last"], [1], default_layers(spec)]


def test_the_page_has_the_default_layers_and_their_evidence():
    page = (Path(__file__).parent.parent / "docs" / "extractors.md").read_text(encoding="utf-8")
    for name, family in REGISTRY.families.items():
        depths = ", ".join(str(depth) for depth in family.layers)
        assert f"| `{name}` | {depths} | {family.evidence} |" in page


@pytest.mark.parametrize("layers", [[], [1.5], ["best"]])
def test_layers_of_a_family_are_depths_or_names(layers: list, tmp_path: Path):
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "layers.toml").write_text(f"[mine]\nlayers = {layers}\nevidence = 'x'\n")
    with pytest.raises(UsageError, match=r"layers.toml: .*layers"):
        catalog.load(tmp_path)


def test_short_whisper_takes_any_checkpoint_and_is_that_of_the_registry(tmp_path: Path):
    spec = catalog.resolve("extractor", f"whisper-short:{tmp_path}/tiny", REGISTRY.extractors)
    entry = REGISTRY.extractors["whisper-short-tiny"]
    assert (spec.factory, spec.params, spec.requires) == (entry.factory, entry.params, entry.requires)
    assert (spec.name, spec.weights) == ("whisper-short:tiny", f"{tmp_path}/tiny")


SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


@pytest.fixture(scope="module")
def spoken_digits(tmp_path_factory: pytest.TempPathFactory, real: Path, weights: Path) -> Store:
    """Return a run of Whisper tiny.en over 60 spoken digits: who speaks unheard digits, and what they are."""
    pytest.importorskip("transformers", reason="needs the extra 'neural'")
    folder = tmp_path_factory.mktemp("layers")
    names = [(digit, speaker) for speaker in SPEAKERS for digit in "0123456789"]
    paths = [real / "fsdd" / f"{digit}_{speaker}_0.wav" for digit, speaker in names]
    digits, speakers = zip(*names, strict=True)
    table = pd.DataFrame({"path": paths, "speaker": speakers, "session": digits, "phrase": digits})
    table.to_csv(folder / "digits.csv", index=False)
    name = f"whisper-short:{weights / 'whisper-tiny.en'}"
    views = ",".join(f"{name}{view}" for view in ("", "@layer=all", "@layer=last", "@layer=best"))
    call = ["run", "--datasets", "digits.csv", "--tasks", "speaker,phrase", "--extractors", views]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("BENCH_CACHE", str(folder / "cache"))
        done = CliRunner().invoke(cli.main, [*call, "--heads", "logreg", "--near-copies", "off"])
    assert done.exit_code == 0, done.output
    return Store(folder / "bench-out")


def by_layer(store: Store, task: str) -> dict[object, Result]:
    results = [result for result in store.results().values() if result.head == "logreg"]
    return {result.view.layer: result for result in results if result.task.name == task}


@pytest.mark.no_cover
def test_trained_whisper_knows_speakers_in_lower_layers_and_words_in_upper_ones(spoken_digits: Store):
    speaker, word = (
        {layer: result.scores[0].value for layer, result in by_layer(spoken_digits, task).items()}
        for task in ("speaker", "phrase")
    )
    assert set(speaker) == set(word) == {0, 1, 2, 3, 4, "mean", "last", "best"}
    assert min(speaker[1], speaker["best"]) > speaker["last"] + 0.2
    assert speaker[2] > speaker["last"] + 0.1
    assert min(word["last"], word["best"]) > word[0] + 0.1
    assert (speaker[4], word[4]) == (speaker["last"], word["last"])


def test_the_best_layer_of_trained_whisper_is_what_a_plain_script_chooses(
    spoken_digits: Store, weights: Path
):
    best = by_layer(spoken_digits, "speaker")["best"]
    folder = spoken_digits.out.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("BENCH_CACHE", str(folder / "cache"))
        view = f"whisper-short:{weights / 'whisper-tiny.en'}@layer=all"
        call = ["embed", "digits.csv", "--extractors", view, "--out", "x.npz"]
        assert CliRunner().invoke(cli.main, call).exit_code == 0
    with np.load(folder / "x.npz") as file:
        views = [view for view in file.files if view != "clip"]
        rows = {clip: row for row, clip in enumerate(file["clip"].tolist())}
        X = np.stack([file[view] for view in views], axis=1)
    table = spoken_digits.split("digits", "speaker")
    X = X[[rows[clip] for clip in table["clip"]]]
    y, fold = table["y"].to_numpy(str), table["fold"].to_numpy(str)
    names = [column for column in table.columns if column.startswith("group ")]
    group = splits.join_groups({column: table[column].to_numpy(str) for column in names})
    chosen, y_pred = [], np.empty_like(y)
    for number in np.unique(fold):
        train, test = fold != number, fold == number
        layer = choice_of_a_plain_script(X[train], y[train], group[train])
        model = make_pipeline(StandardScaler(), HEAD()).fit(X[train, layer], y[train])
        y_pred[test] = model.predict(X[test, layer])
        chosen.append(layer)
    assert best.layers == tuple(chosen)
    assert best.scores[0].value == accuracy_score(y, y_pred)
