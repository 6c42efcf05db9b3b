import re
from pathlib import Path

import pytest

from bench import catalog
from bench.catalog import learners, requirements
from bench.embed import pooling
from bench.errors import PluginError, UnavailableError, UsageError
from bench.request import Request
from bench.types import Spec

EXTRACTOR = '[{name}]\nfactory = "mine:Loud"\n'


@pytest.fixture
def user(tmp_path: Path) -> Path:
    (tmp_path / "registry").mkdir()
    (tmp_path / "datasets").mkdir()
    return tmp_path


def write(user: Path, file: str, text: str) -> Path:
    path = user / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_of_every_checkpoint_is_known_what_was_published_with_it():
    declared = catalog.load()
    named = {spec.weights for spec in declared.extractors.values() if spec.weights}
    assert named == set(declared.checkpoints)
    for checkpoint in declared.checkpoints.values():
        assert re.fullmatch(r"[\w-]+/[\w.-]+", checkpoint.name)
        assert checkpoint.licence in {"Apache-2.0", "BSD-3-Clause", "CC-BY-SA-3.0", "MIT"}, "as SPDX calls it"
        assert 1e6 < checkpoint.parameters < 1e10
        assert checkpoint.rate in {16_000, 48_000}
        assert re.search(r"\d\d\d h|\d k|630K", checkpoint.data), "how much"
        assert re.search(r'^[A-Z]\w+ et al., ".+", .*\b20\d\d$', checkpoint.citation)


def test_the_packaged_names_are_found(tmp_path: Path):
    declared = catalog.load(tmp_path)
    assert {"mfcc", "mfcc-13"} <= set(declared.extractors)
    assert {"svm", "gbdt", "logreg", "dummy"} <= set(declared.heads)
    assert {"noise", "gender", "speaker", "class"} <= set(declared.tasks)
    assert declared.tasks["speaker"].groups == ("session", "recording")
    assert declared.cards["demo"].synthetic


def test_a_users_folder_adds_names(user: Path):
    write(user, "registry/extractors.toml", EXTRACTOR.format(name="loud"))
    write(
        user,
        "registry/tasks.toml",
        '[accent]\ntarget = "accent"\ngroups = ["speaker"]\nmetrics = ["accuracy"]\n',
    )
    write(user, "datasets/mine.toml", 'kind = "demo"\nversion = "1"\nabout = "mine"\n')
    declared = catalog.load(user)
    assert declared.extractors["loud"].root == str(user)
    assert declared.tasks["accent"].target == "accent"
    assert declared.cards["mine"].kind == "demo"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("registry/extractors.toml", EXTRACTOR.format(name="mfcc")),
        ("registry/heads.toml", EXTRACTOR.format(name="svm")),
        ("registry/tasks.toml", '[gender]\ntarget = "sex"\ngroups = ["speaker"]\nmetrics = ["accuracy"]\n'),
        ("datasets/demo.toml", 'kind = "demo"\nversion = "9"\nabout = "other"\n'),
    ],
)
def test_a_name_declared_twice_names_both_places(user: Path, file: str, text: str):
    path = write(user, file, text)
    with pytest.raises(UsageError, match="is declared twice: in ") as caught:
        catalog.load(user)
    assert str(path) in str(caught.value)
    assert str(catalog.packaged_root() / file) in str(caught.value)


def test_the_same_declaration_read_twice_is_one(user: Path):
    packaged = catalog.packaged_root()
    for file in (
        "registry/extractors.toml",
        "registry/heads.toml",
        "registry/tasks.toml",
        "datasets/demo.toml",
    ):
        write(user, file, (packaged / file).read_text(encoding="utf-8"))
    assert catalog.load(user) == catalog.load(user / "empty")


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("registry/heads.toml", "[svm2\n", "no valid TOML"),
        ("registry/heads.toml", "svm2 = 3\n", r"'svm2' is 3; expected a table, \[svm2\]"),
        ("registry/heads.toml", '["a b"]\nfactory = "m:A"\n', "the name 'a b' "),
        (
            "registry/heads.toml",
            '[a]\nfactry = "m:A"\n',
            "'a': unknown field 'factry'; its fields are factory",
        ),
        ("registry/heads.toml", "[a]\nabout = 'x'\n", "'a': field 'factory' is missing"),
        (
            "registry/heads.toml",
            '[a]\nfactory = "m:A"\ngrid = { C = 1.0 }\n',
            "'a': grid.C is 1.0; expected a list of values",
        ),
        (
            "registry/heads.toml",
            '[a]\nfactory = "m:A"\nunit = "layers"\nsteps = ["pca"]\n',
            r"'a': steps is \['pca'\]; expected no reducers",
        ),
        (
            "registry/heads.toml",
            '[a]\nfactory = "m:A"\nscale = false\nlimit = 3\n',
            "'a': limit is 3; expected none, since scale is false",
        ),
        ("datasets/a.toml", 'kind = "demo"\n', "'a': field 'version' is missing"),
    ],
)
def test_a_bad_entry_names_its_file(user: Path, file: str, text: str, message: str):
    path = write(user, file, text)
    with pytest.raises(UsageError, match=message) as caught:
        catalog.load(user)
    assert str(caught.value).startswith(str(path))


def test_an_unknown_step_of_an_entry_names_its_file(user: Path):
    path = write(user, "registry/extractors.toml", EXTRACTOR.format(name="a") + 'preprocess = ["trm=40"]\n')
    request = Request(extractors=("a",))
    with pytest.raises(UsageError, match="'a': preprocess: step 'trm=40' is unknown") as caught:
        learners.extractors(request, catalog.load(user), pooling.parse)
    assert str(caught.value).startswith(str(path))


def test_a_file_that_cannot_be_read_is_one_line(user: Path):
    (user / "registry" / "heads.toml").mkdir()
    with pytest.raises(UsageError, match=r"heads\.toml: cannot be read \(Is a directory\)"):
        catalog.load(user)


def test_an_unknown_name_gets_a_suggestion_or_the_list():
    with pytest.raises(UsageError, match="unknown head 'svn'; did you mean 'svm'"):
        catalog.find("head", "svn", {"svm": 1, "gbdt": 2})
    with pytest.raises(UsageError, match="unknown head 'q'; expected gbdt, svm"):
        catalog.find("head", "q", {"svm": 1, "gbdt": 2})


def test_what_is_missing_names_the_command_and_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch):
    spec = Spec("head", "a", "m:A", requires=("no-such-distribution", "scikit-learn"))
    assert catalog.missing(spec) == "pip install no-such-distribution"
    monkeypatch.setattr(
        requirements, "installed_version", lambda name: None if name in {"torch", "skorch"} else "1"
    )
    neural = Spec("head", "a", "m:A", requires=("torch", "skorch", "numpy"))
    assert catalog.missing(neural) == 'pip install "audio-embedding-bench[neural]"'
    assert catalog.missing(Spec("head", "a", "m:A", requires=("numpy",))) == ""


def test_seed_and_device_are_set_where_the_entry_does_not_say_them():
    spec = Spec("head", "a", "xgboost:XGBClassifier", {"random_state": 3})
    head = catalog.build(spec, 7, "cpu")
    assert (head.random_state, head.device) == (3, "cpu")
    default = catalog.build(spec, 7)
    assert default.device is None
    assert catalog.build(Spec("head", "a", "sklearn.svm:SVC"), 7, "cpu").random_state == 7


def test_what_is_not_installed_is_not_built():
    with pytest.raises(
        UnavailableError, match="head 'a' is not installed; run: pip install no-such-distribution"
    ):
        catalog.build(Spec("head", "a", "m:A", requires=("no-such-distribution",)))


def test_a_users_module_is_built_and_its_code_is_part_of_its_identity(user: Path):
    write(
        user, "loudness_a.py", "class Loud:\n    def __init__(self, floor=0):\n        self.floor = floor\n"
    )
    spec = Spec("extractor", "loud", "loudness_a:Loud", {"floor": 3}, root=str(user))
    assert catalog.build(spec).floor == 3
    before = catalog.identity(spec)
    assert catalog.identity(spec) == before
    write(
        user,
        "loudness_a.py",
        "class Loud:\n    def __init__(self, floor=0):\n        self.floor = floor + 1\n",
    )
    assert catalog.identity(spec) != before
    assert (
        catalog.identity(Spec("extractor", "loud", "loudness_a:Loud", {"floor": 4}, root=str(user))) != before
    )


@pytest.mark.parametrize(
    ("factory", "files"),
    [
        ("mine_b:A", {"mine_b.py": "import numpy\nimport helper_b\nA = helper_b.B", "helper_b.py": ""}),
        (
            "mine_c:A",
            {"mine_c.py": "from helper_c import A", "helper_c.py": "import z_c", "z_c.py": ""},
        ),
        ("pack_d:A", {"pack_d/__init__.py": "from .part import A", "pack_d/part.py": ""}),
        (
            "pack_e.one:A",
            {"pack_e/__init__.py": "", "pack_e/one.py": "from . import two", "pack_e/two.py": ""},
        ),
        ("pack_f.one:A", {"pack_f/one.py": "from pack_f.two import A", "pack_f/two.py": ""}),
    ],
)
def test_what_a_module_imports_from_beside_it_is_part_of_its_identity(
    user: Path, factory: str, files: dict[str, str]
):
    for name, text in files.items():
        write(user, name, text)
    spec = Spec("extractor", "mine", factory, root=str(user))
    before = catalog.identity(spec)
    write(user, list(files)[-1], "edited = True")
    assert catalog.identity(spec) != before


def test_the_identity_holds_versions_and_leaves_out_the_name():
    spec = Spec("head", "svm", "sklearn.svm:SVC", {"C": 1.0}, requires=("scikit-learn",))
    assert set(catalog.identity(spec)["versions"]) == {"scikit-learn"}
    assert catalog.identity(spec) == catalog.identity(
        Spec(
            "head", "other", "sklearn.svm:SVC", {"C": 1.0}, requires=("scikit-learn",), about="x", source="y"
        )
    )


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("sklearn.svm:SVX", "AttributeError"),
        ("sklearn.svm:SVC", "TypeError.*unexpected keyword argument 'nope'"),
        ("no_such_module:A", "ModuleNotFoundError"),
    ],
)
def test_a_plugin_that_cannot_be_built_says_why(factory: str, message: str):
    with pytest.raises(PluginError, match=f"head 'a': {message}"):
        catalog.build(Spec("head", "a", factory, {"nope": 1}))


@pytest.mark.parametrize("module", ["no_such_module", "no_such_package.module"])
def test_a_module_that_is_not_there_has_no_identity(module: str):
    with pytest.raises(PluginError, match=f"no module '{module}'"):
        catalog.identity(Spec("head", "a", f"{module}:A"))


def test_a_factory_is_a_module_and_an_attribute():
    with pytest.raises(UsageError, match=r"'a': factory is 'sklearn.svm.SVC'; expected 'module:attribute'"):
        catalog.build(Spec("head", "a", "sklearn.svm.SVC"))
