"""What a saved model may hold: the types of the own heads and reducers, and nothing that runs code."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from bench import catalog
from bench.errors import UsageError
from bench.learn import bundle
from bench.learn.bundle import NETWORKS, TRUSTED, BundleCard, NetworkParams
from bench.learn.pipeline import PipelineSpec
from bench.types import Cell, Spec, SplitId, Task, View

REGISTRY = catalog.load()
READY_MADE = Spec("head", "zero-shot", "bench.heads.readymade:ReadyMade", params={"labels": ["a", "b", "c"]})
SHAPES = {"clip": (60, 50), "frame": (60, 3), "layers": (60, 3, 20), "sequence": (60, 12, 20)}
"""Unit -> shape of the training data; a nearest neighbour over few dimensions keeps a tree."""

RNG = np.random.default_rng(0)


def card(spec: Spec) -> BundleCard:
    cell = Cell(
        key="k",
        dataset="d",
        synthetic=False,
        task=Task("t", "t", ("recording",), ("accuracy",)),
        extractor=REGISTRY.extractors["mfcc"],
        view=View(),
        head=spec,
        seed=0,
        split=SplitId("cv:2", "recording"),
    )
    digests = {"data_digest": "d", "split_digest": "s"}
    return BundleCard(cell=cell, extractor_identity={}, labels=("a", "b"), env={}, **digests)


def heads() -> Iterator[tuple[Spec, tuple[str, ...], int, bool]]:
    """Yield every head with its reducers, a number of classes, and whether a file of its own holds it."""
    specs = [spec for spec in REGISTRY.heads.values() if spec.factory not in NETWORKS]
    for spec in [*specs, READY_MADE, replace(REGISTRY.heads["knn"], unit="frame")]:
        yield spec, spec.steps, 3, True
    yield REGISTRY.heads["gbdt-sklearn"], (), 2, True
    for name in REGISTRY.reducers:
        yield REGISTRY.heads["logreg"], (name,), 3, True
    for unit in SHAPES:
        yield replace(REGISTRY.heads["logreg"], unit=unit), (), 3, False


@pytest.fixture(scope="module")
def models() -> list[tuple[Spec, Pipeline]]:
    """Return fitted models with every head and reducer; UMAP's map, which no file holds, is left out."""
    fitted = []
    with pytest.MonkeyPatch.context() as patch:
        umap = pytest.importorskip("bench.reducers.umap")
        patch.setattr(umap.Umap, "_fit_map", lambda self: StandardScaler().fit(self.X_))
        patch.setattr(umap.Umap, "fit_transform", lambda self, X, y=None: self.fit(X).transform(X))
        for spec, reducers, n_classes, has_file in heads():
            X = RNG.normal(size=SHAPES[spec.unit]).astype(np.float32)
            y = np.array(list("abc")[:n_classes] * (60 // n_classes))
            pipeline = PipelineSpec(
                head=partial(catalog.build, spec, 0),
                unit=spec.unit,
                steps=[(name, partial(catalog.build, REGISTRY.reducers[name], 0)) for name in reducers],
                scale=spec.scale,
                limit=spec.limit,
            ).pipeline()
            samples = list(X) if spec.unit == "sequence" else X
            steps = pipeline.fit(samples, y).steps if has_file else pipeline[:-1].fit(samples).steps
            model = Pipeline(steps if has_file else [*steps, ("head", SVC())])
            fitted.append((spec, model))
    spec = REGISTRY.heads["lda"]
    pipeline = PipelineSpec(partial(catalog.build, spec, 0), n_layers=2).pipeline()
    fitted.append((spec, pipeline.fit(RNG.normal(size=(60, 2, 4)), ["a", "b"] * 30)))
    return fitted


@pytest.mark.xdist_group("umap")
def test_every_own_head_and_reducer_is_trusted_and_nothing_else(models, tmp_path: Path):
    types, untrusted = set(), set()
    for number, (spec, model) in enumerate(models):
        folder = tmp_path / str(number)
        bundle.save(folder, card(spec), {"0": model})
        types |= dict(bundle._nodes(schema(folder / "0.skops"))).keys()
        strange = {*skops.io.get_untrusted_types(file=folder / "0.skops")}
        if "_loss.CyHalfMultinomialLoss" in strange:  # skops 0.13 writes it by a module that is none
            continue
        assert bundle.load(folder, "0").fold == "0"
        untrusted |= strange
    assert untrusted <= TRUSTED.keys() <= types


def schema(path: Path) -> Any:
    with zipfile.ZipFile(path) as file:
        return json.loads(file.read("schema.json"))


def edit(path: Path, node: dict[str, Any], compression: int = zipfile.ZIP_STORED) -> None:
    """Put a node in the place of the head in a file of skops."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    content = json.loads(members["schema.json"])
    steps = content["content"]["content"]["steps"]["content"]
    steps[-1]["content"][1] = node
    content["protocol"] = node.get("protocol", content["protocol"])
    members["schema.json"] = json.dumps(content).encode()
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, member in members.items():
            file.writestr(name, member)


def node(loader: str, name: str, **fields: Any) -> dict[str, Any]:
    module, _, cls = name.rpartition(".")
    return {"__loader__": loader, "__module__": module, "__class__": cls, **fields}


def text(value: Any) -> dict[str, Any]:
    return node("JsonNode", "builtins.str", content=json.dumps(value), is_json=True)


def sequence(*items: Any, name: str = "builtins.tuple", loader: str = "TupleNode") -> dict[str, Any]:
    return node(loader, name, content=list(items))


def mapping(key: dict[str, Any], **values: Any) -> dict[str, Any]:
    """Return a dict whose keys the payload `key` makes of texts."""
    types = sequence(*[key] * len(values), name="builtins.list", loader="ListNode")
    return node("DictNode", "builtins.dict", key_types=types, content=values)


def call(name: str, *arguments: Any) -> dict[str, Any]:
    return node("ConstructorFromReduceNode", name, content=sequence(*map(text, arguments)))


TOUCH = "touch CANARY"
WRITE = "open('CANARY', 'w')"
SYSTEM = node("FunctionNode", "posix.system")
PLAIN = mapping(node("TypeNode", "builtins.str"))
PAYLOADS: dict[str, dict[str, Any]] = {
    "runstring": call("numpy.testing._private.utils.runstring", WRITE, {}),
    "eval": call("builtins.eval", WRITE),
    "Popen": call("subprocess.Popen", TOUCH.split()),
    "posix.system": call("posix.system", TOUCH),
    "fromfile": call("numpy.fromfile", "/etc/hostname"),
    "numpy.load": call("numpy.load", "CANARY.npy", None, True),
    "show_versions": call("sklearn.show_versions"),
    "catalog.build": call("bench.catalog.build", {"factory": "os:system"}),
    "Object": node("ObjectNode", "bench.api.objects.Object", content=PLAIN),
    "Booster": call("xgboost.core.Booster", {}, [], "CANARY"),
    "XGBClassifier": sequence(name="xgboost.sklearn.XGBClassifier", loader="ListNode"),
    "call": node("OperatorFuncNode", "operator.call", attrs=sequence(SYSTEM, text(TOUCH))),
    "methodcaller": node("OperatorFuncNode", "operator.methodcaller", attrs=sequence(text("system"))),
    "key": mapping(SYSTEM, **{TOUCH: text(1)}),
    "key type": mapping(node("TypeNode", "builtins.exec"), **{WRITE: text(1)}),
    "partial": node(
        "PartialNode",
        "functools.partial",
        content={"func": SYSTEM, "args": sequence(text(TOUCH)), "kwds": PLAIN, "namespace": text(None)},
    ),
    "method": node("MethodNode", "builtins.tuple", content={"func": "count", "obj": sequence()}),
    "list": sequence(text(WRITE), name="builtins.exec", loader="ListNode"),
    "set": sequence(text(WRITE), name="subprocess.Popen", loader="SetNode"),
    "loss": node(
        "LossNode", "posix.system", content=PLAIN, __reduce__={"args": sequence(text(TOUCH))}
    ),
    "tree": node("TreeNode", "posix.system", content=PLAIN, __reduce__={"args": sequence(text(TOUCH))}),
    "default": node(
        "DefaultDictNode",
        "collections.defaultdict",
        content={"main": PLAIN, "default_factory": SYSTEM},
    ),
    "state": node("RandomStateNode", "subprocess.Popen", content=PLAIN),
    "old function": node(
        "FunctionNode",
        "numpy.add",
        content={"module_path": "posix", "function": "system"},
        protocol=0,
    ),
    "JSON": node("JsonNode", "posix.system", content=WRITE, is_json=True),
    "no loader": node("EvalNode", "builtins.eval", content=WRITE),
    "no head": text("a text"),
}  # fmt: skip
"""What a file of skops could try."""


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a saved machine, below the working folder, which stays free of canaries."""
    monkeypatch.chdir(tmp_path)
    model = Pipeline([("scale", StandardScaler()), ("head", SVC())])
    bundle.save(
        tmp_path / "k", card(REGISTRY.heads["svm"]), {"0": model.fit(RNG.normal(size=(4, 2)), list("abab"))}
    )
    return tmp_path / "k"


def refusal(folder: Path, fold: str = "0") -> str:
    """Return the one line that refuses a model; nothing ran."""
    with pytest.raises(UsageError) as caught:
        bundle.load(folder, fold).predict(np.zeros((1, 2)))
    assert not [*folder.parent.glob("CANARY*")]
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(folder))
    return str(caught.value)


@pytest.mark.payload
@pytest.mark.parametrize("name", PAYLOADS)
def test_a_file_that_would_run_code_is_refused_in_one_line(name: str, saved: Path):
    edit(saved / "0.skops", PAYLOADS[name])
    assert "0.skops: holds " in refusal(saved) or "model '0' cannot be loaded (" in refusal(saved)


def test_a_type_is_trusted_by_its_whole_name(saved: Path):
    for name in ("bench.heads.svm.SVMs", "bench.heads.svm", "sklearn.utils._testing.raises"):
        edit(saved / "0.skops", node("ObjectNode", name, content=PLAIN))
        assert f"holds {name}, which is not trusted" in refusal(saved)


def test_a_compressed_file_is_not_unpacked(saved: Path):
    edit(saved / "0.skops", text("0" * 10**6), zipfile.ZIP_DEFLATED)
    assert "is compressed; expected a file that `bench run --save-models` wrote" in refusal(saved)


@pytest.mark.parametrize("content", [b"", b"PK", b"\x00" * 100])
def test_a_damaged_file_is_named(content: bytes, saved: Path):
    (saved / "0.skops").write_bytes(content)
    assert "cannot be loaded (BadZipFile: " in refusal(saved)


def test_a_card_that_nests_without_end_is_named(saved: Path):
    (saved / "card.json").write_text("[" * 10**6)
    assert "card.json: not JSON" in refusal(saved)


class Own(SVC):
    """A head of a user."""


def test_the_class_of_a_users_own_head_is_trusted_by_its_name(saved: Path):
    class_name = f"{Own.__module__}.Own"
    model = Pipeline([("scale", StandardScaler()), ("head", Own())]).fit(np.eye(2), ["a", "b"])
    bundle.save(saved, card(REGISTRY.heads["svm"]), {"0": model})
    assert f"holds {class_name}, which is not trusted; name it in `trusted` if" in refusal(saved)
    assert len(bundle.load(saved, "0", trusted=[class_name]).predict(np.zeros((1, 2)))) == 1


NETWORK = "bench.heads.network:Network"
HOSTILE: list[dict[str, Any]] = [
    *(
        {"factory": factory}
        for factory in (
            "os:system",
            "builtins:eval",
            "subprocess:Popen",
            "numpy:fromfile",
            "sklearn:show_versions",
            "bench.catalog.build:build",
            "bench.heads.network:np.load",
            "bench.heads.network:Network.fit",
            "bench.heads.gbdt:GBDT",
            f" {NETWORK}",
        )
    ),
    {"params": {"network": "nn"}},
    {"params": {"network": "functional"}},
    {"params": {"network": "Sequential"}},
    {"params": {"options": {"factory": {"factory": "os:system"}}}},
    {"params": {"optimizer": {"factory": "os:system", "params": {"command": TOUCH}}}},
    {"params": {"factory": "os:system"}},
    {"params": {"batch_size": 0}},
    {"params": {"options": {"hidden": 10**12}}},
    {"sizes": {"dim": 10**12, "n_classes": 2}},
    {"sizes": {"dim": "os:system"}},
    {"classes": [["a"]]},
]  # fmt: skip
"""Fields of a network's JSON that could try something."""


@pytest.fixture(scope="module")
def network() -> Pipeline:
    """Return a pipeline with a trained network."""
    spec = REGISTRY.heads["mlp"]
    if catalog.missing(spec):
        pytest.skip(f"needs {catalog.missing(spec)}")
    head = catalog.build(replace(spec, params={**spec.params, "epochs": 1}), 0)
    model = Pipeline([("scale", StandardScaler()), ("head", head)])
    return model.fit(RNG.normal(size=(8, 2)).astype(np.float32), np.array(list("abababab")))


@pytest.mark.payload
@pytest.mark.parametrize("fields", HOSTILE, ids=str)
def test_a_network_that_would_run_code_is_refused_in_one_line(
    fields: dict[str, Any], network: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    bundle.save(tmp_path / "k", card(REGISTRY.heads["mlp"]), {"0": network})
    path = tmp_path / "k" / "0.json"
    content = json.loads(path.read_text())
    params = {**content["params"], **fields.get("params", {})}
    path.write_text(json.dumps({**content, **fields, "params": params}))
    assert refusal(path.parent).startswith((f"{path}: ", f"{path.parent}: model '0' cannot be loaded ("))


def test_the_parameters_of_a_network_are_those_of_the_table(network: Pipeline):
    names = network[-1].get_params().keys() - {"device"}
    assert names == {*NetworkParams.__struct_fields__}
