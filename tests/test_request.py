"""One declaration for the command line, suites and the record of a run."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from bench import cli
from bench.request import Output, Request, options, recorded, suite_keys

ROOT = Path(__file__).parent.parent
OPTIONS = {**options(Request), **options(Output)}


def test_every_field_but_those_of_the_process_is_an_option():
    assert {field.name for field in fields(Request)} - set(options(Request)) == {"home", "command", "reread"}
    assert {field.name for field in fields(Output)} == set(options(Output))


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_of_run_is_the_declared_one(name: str):
    params = {param.name: param for param in cli.main.commands["run"].params}
    assert tuple(params[name].opts) == OPTIONS[name].flags
    constant, _, _ = OPTIONS[name].about.partition("{")  # help fills the braces in where it is shown
    assert params[name].help.startswith(constant)


def test_the_page_on_suites_names_every_key():
    page = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `\[(\w+)\]` \| (.*) \|$", page, re.MULTILINE))
    for table, keys in suite_keys().items():
        assert set(re.findall(r"`([\w-]+)`", rows[table])) == set(keys), table


def test_a_record_leaves_out_where_a_run_is_computed():
    request = Request(jobs=4, executor="dask", cell_timeout=1.0, home=Path("home"), command="bench run")
    assert recorded(request) == recorded(Request())
    assert recorded(Request(seeds=(1,))) != recorded(Request())


@pytest.mark.parametrize("option", [o for o in OPTIONS.values() if o.table], ids=lambda o: o.name)
def test_a_suite_value_of_another_type_is_one_line_with_its_key(option, bench, tmp_path: Path):
    wrong = "3" if option.form in {"text", "list", "choice", "folder"} else "{ a = 1 }"
    (tmp_path / "suite.toml").write_text(f"[{option.table}]\n{option.key} = {wrong}\n")
    refused = bench("run", "--suite", "suite.toml")
    assert refused.exit_code == 2
    assert f"suite.toml: [{option.table}] {option.key}: " in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
