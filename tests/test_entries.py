"""Every field of every kind of entry, with values of other types; generated from the fields themselves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import inspect, structs

from bench import catalog
from bench.catalog import declarations, entrypoints
from bench.catalog.declarations import SOURCES
from bench.catalog.entries import Entry, FileEntry
from bench.errors import UsageError

ENTRIES = {kind: source.entry for kind, source in SOURCES.items()}
FIELDS = {kind: [field.name for field in structs.fields(entry)] for kind, entry in ENTRIES.items()}


@pytest.fixture(autouse=True)
def _no_other_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Leave out the packaged entries and the installed plugins, which take most of the time."""
    monkeypatch.setattr(declarations, "packaged_root", lambda: tmp_path / "package")
    monkeypatch.setattr(entrypoints, "installed", dict)


def types(entry: type[Entry]) -> dict[str, inspect.Type]:
    """Return the type of every field."""
    return {field.encode_name: field.type for field in inspect.type_info(entry).fields}


def sample(kind: inspect.Type) -> str:
    """Return a right value in TOML."""
    if isinstance(kind, inspect.VarTupleType):
        return f"[{sample(kind.item_type)}]"
    return {inspect.StrType: '"x"', inspect.UnionType: "1", inspect.IntType: "1"}[type(kind)]


def wrong_values(kind: inspect.Type) -> list[tuple[str, str]]:
    """Return wrong values in TOML, with the path of keys to what is wrong below the field."""
    if isinstance(kind, inspect.LiteralType):
        return [('"word"', ""), ("3", "")]
    if isinstance(kind, inspect.StrType):
        return [("3", ""), ("true", ""), ("[]", ""), ("{}", ""), ("2020-01-01", "")] + (
            [('""', "")] if kind.min_length else []
        )
    if isinstance(kind, inspect.BoolType):
        return [('"yes"', ""), ("1", "")]
    if isinstance(kind, inspect.IntType):
        return [('"x"', ""), ("1.5", ""), ("true", ""), ("-1", "")]
    if isinstance(kind, inspect.VarTupleType):
        return [('"x"', ""), ("{}", ""), ("[3]", "[0]"), *([("[]", "")] if kind.min_length else [])]
    if isinstance(kind, inspect.FloatType):
        return [('"x"', ""), ("true", ""), ("-1", ""), ("inf", "")]
    assert isinstance(kind, inspect.DictType)
    if isinstance(kind.value_type, inspect.ListType):
        return [("3", ""), ("{ C = [1.0], gamma = 1.0 }", ".gamma"), ("{ C = [] }", ".C")]
    return [("3", ""), ("[]", "")]


def required(kind: str) -> dict[str, str]:
    """Return the fields that an entry must have, in TOML."""
    fields = {field.name for field in structs.fields(ENTRIES[kind]) if field.required}
    return {name: sample(form) for name, form in types(ENTRIES[kind]).items() if name in fields}


def write(folder: Path, kind: str, fields: dict[str, str]) -> Path:
    """Write an entry `mine` into its file."""
    path = folder / SOURCES[kind].files.replace("*", "mine")
    path.parent.mkdir()
    header = "" if "*" in SOURCES[kind].files else "[mine]\n"
    path.write_text(header + "".join(f"{name} = {value}\n" for name, value in fields.items()))
    return path


def refusal(folder: Path, kind: str, fields: dict[str, str]) -> str:
    """Return the message about an entry, behind its file and name."""
    path = write(folder, kind, fields)
    with pytest.raises(UsageError, match="'mine': ") as caught:
        catalog.load(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: 'mine': ")
    return message.removeprefix(f"{path}: 'mine': ")


def wrong_fields() -> Iterator[tuple[str, str, str, str]]:
    for kind, entry in ENTRIES.items():
        for name, form in types(entry).items():
            for value, path in wrong_values(form):
                yield kind, name, value, name + path


@pytest.mark.parametrize("kind", ENTRIES)
def test_the_required_fields_are_enough(kind: str, tmp_path: Path):
    write(tmp_path, kind, required(kind))
    assert "mine" in getattr(catalog.load(tmp_path), kind)


@pytest.mark.parametrize(("kind", "name", "value", "path"), [*wrong_fields()])
def test_a_field_of_another_type_is_one_line_with_its_path(
    kind: str, name: str, value: str, path: str, tmp_path: Path
):
    message = refusal(tmp_path, kind, required(kind) | {name: value})
    assert message.startswith(f"{path} is ")
    assert "; expected " in message


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in ENTRIES for name in required(kind)])
def test_a_missing_field_is_one_line_with_its_name(kind: str, name: str, tmp_path: Path):
    fields = required(kind)
    del fields[name]
    assert refusal(tmp_path, kind, fields).startswith(f"field '{name}' is missing; expected a")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind in ENTRIES
        for name in sorted({"source", "root", "name", "kind"}.union(*FIELDS.values()) - {*FIELDS[kind]})
    ],
)
def test_a_field_of_another_kind_is_unknown_and_the_message_lists_the_kinds_own(
    kind: str, name: str, tmp_path: Path
):
    message = refusal(tmp_path, kind, required(kind) | {name: '"x"'})
    assert message == f"unknown field '{name}'; its fields are {', '.join(FIELDS[kind])}"


@pytest.mark.parametrize("name", types(FileEntry))
def test_a_file_of_a_card_has_typed_fields(name: str, tmp_path: Path):
    value = wrong_values(types(FileEntry)[name])[0][0]
    file = {"url": '"u"', name: value}
    files = f'[{{ url = "v" }}, {{ {", ".join(f"{key} = {text}" for key, text in file.items())} }}]'
    message = refusal(tmp_path, "cards", required("cards") | {"files": files})
    assert message.startswith(f"files[1].{name} is ")


def test_a_file_of_a_card_has_a_url_and_no_other_fields(tmp_path: Path):
    (tmp_path / "a").mkdir()
    lacking = refusal(tmp_path / "a", "cards", required("cards") | {"files": "[{ bytes = 1 }]"})
    assert lacking == "files[0]: field 'url' is missing; expected a text that is not empty"
    (tmp_path / "b").mkdir()
    other = refusal(tmp_path / "b", "cards", required("cards") | {"files": '[{ url = "u", sha256 = "x" }]'})
    assert other == "files[0]: unknown field 'sha256'; its fields are url, hash, bytes, unpacked"


def test_a_card_holds_the_known_fields_of_its_files(tmp_path: Path):
    path = write(tmp_path, "cards", required("cards") | {"files": '[{ url = "u", bytes = 3 }]'})
    assert catalog.card(path).files == ({"url": "u", "bytes": 3},)


@pytest.mark.parametrize("value", ["2020-01-01", "nan", "{ a = [inf] }"])
@pytest.mark.parametrize(
    ("kind", "field"), [("extractors", "params"), ("heads", "params"), ("heads", "grid")]
)
def test_a_parameter_that_no_key_can_be_made_of_is_refused(kind: str, field: str, value: str, tmp_path: Path):
    text = f"[{value}]" if field == "grid" else value
    message = refusal(tmp_path, kind, required(kind) | {field: f"{{ C = {text} }}"})
    assert message.startswith(f"{field}.C is ")
    assert "; expected texts, finite numbers" in message
