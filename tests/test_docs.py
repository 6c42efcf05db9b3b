"""What the documents promise, as far as a machine can check it."""

import itertools
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from bench import catalog, cli, report
from bench.gate import FAILING, Verdict

pytestmark = [
    pytest.mark.no_cover,  # tracing slows them by a third, and reaches no other line
    pytest.mark.xdist_group("docs"),  # they share a run
]

ROOT = Path(__file__).parent.parent

TESTED = (
    "neural",
    "av",
    "opensmile",
    "openvino",
    "serve",
    "record",
    "transcribe",
    "explain",
    "html",
    "dask",
    "mlflow",
    "tensorboard",
    "energy",
)
"""The extras that were installed at some release when the tests last passed."""
README = (ROOT / "README.md").read_text(encoding="utf-8")
DATA = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
REPORTS = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
NUMBERS = (ROOT / "docs" / "numbers.md").read_text(encoding="utf-8")
EXTRACTORS = (ROOT / "docs" / "extractors.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", README + DATA + EXTRACTORS + NUMBERS, re.MULTILINE | re.DOTALL
    )


def extractor_blocks() -> list[str]:
    return [block for block in blocks("python") if "class ZeroCrossings" in block]


def options() -> set[str]:
    return {option for parameter in cli.main.commands["run"].params for option in parameter.opts}


def test_the_extractor_of_the_readme_runs_beside_mfcc(bench, home: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(home))
    (tmp_path / "registry").mkdir()
    [code], [entry] = extractor_blocks(), [block for block in blocks("toml") if "ZeroCrossings" in block]
    (tmp_path / "mine.py").write_text(code)
    [command] = [line for block in blocks("bash") for line in block.splitlines() if "ZeroCrossings" in line]
    done = bench(*shlex.split(command)[1:])
    assert done.exit_code == 0
    assert "| ./mine.py:ZeroCrossings |" in re.sub(" +", " ", done.stdout)
    (tmp_path / "registry" / "extractors.toml").write_text(entry)
    by_name = command.replace("./mine.py:ZeroCrossings", "zero-crossings")
    named = bench(*shlex.split(by_name)[1:], "--out", "other")
    assert "| zero-crossings |" in re.sub(" +", " ", named.stdout)


PAGES = ("add-extractor", "add-head", "add-task", "add-dataset", "plugins")
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_runs(
    page: str, bench, take, distribution, site: Path, home: Path, tmp_path: Path, monkeypatch
):
    monkeypatch.setenv("BENCH_CACHE", str(home))
    (tmp_path / "recordings").mkdir()
    rows = ["path,speaker,session"]
    for speaker, session, number in itertools.product(("george", "jackson"), range(4), (0, 1)):
        path = tmp_path / "recordings" / f"{session}_{speaker}_{number}.wav"
        shutil.copy(take(speaker, session, number), path)
        rows.append(f"{path},{speaker},{session}")
    if page == "plugins":  # they are the reader's own
        (tmp_path / "clips.csv").write_text("\n".join(rows))
        (tmp_path / "mine.py").write_text(extractor_blocks()[0])
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for language, title, code in BLOCK.findall((ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")):
        if title:
            (tmp_path / title).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / title).write_text(code)
        else:
            assert language == "bash", code
        if title == "pyproject.toml":
            project = tomllib.loads(code)["project"]
            distribution(project["name"], {}, project["entry-points"])
            for folder in (tmp_path, site):  # of its modules, and of what it declares
                monkeypatch.syspath_prepend(str(folder))
        for line in code.replace("\\\n", "").splitlines() if language == "bash" else ():
            program, *words = shlex.split(line, comments=True)
            if program == "bench":
                done = bench(*words)
                assert done.exit_code == 0, done.output
            else:
                call = [sys.executable, "-m", program, "-p", "no:cacheprovider", *words]
                done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True)
                assert done.returncode == 0, done.stdout


ELSEWHERE = (
    *("bench fetch", "dask", "s3://", "mlflow:", "hf:my-checkpoint", "@layer=9", "wav2vec2-base@"),
    *("LibriSpeech", "fsdd", "noisy.toml", "ZeroCrossings"),
)
"""In commands that another test runs, or that need a network, a cluster, weights or corpora of elsewhere."""


@pytest.fixture
def workplace(bench, digits: Path, tmp_path: Path, monkeypatch, home: Path, fill) -> Path:
    """Return a folder with what the documents take for granted."""
    monkeypatch.setenv("BENCH_CACHE", str(home))

    def run() -> None:
        write_data(digits, tmp_path)
        call = ["run", "--datasets", "clips.csv", "--tasks", "gender", "--extractors", "mfcc-13"]
        assert bench(*call, "--heads", "lda").exit_code == 0
        assert bench("report", "bench-out", "--publish", "reports/mine").exit_code == 0

    fill(tmp_path, run)
    return tmp_path


def write_data(digits: Path, folder: Path) -> None:
    """Write the recordings, tables, cards and code that the documents name."""
    table = pd.read_csv(digits)
    for path, speaker in zip(table["path"], table["speaker"], strict=True):
        (folder / "recordings" / speaker).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / "recordings" / speaker)
    table["dialect"] = table["gender"].map({"male": "north", "female": "south"})
    table["snr_db"] = np.arange(len(table)) % 3 * 10
    table.to_csv(folder / "clips.csv", index=False)
    names = r"pattern = '(?P<speaker>[a-z]+)/(?P<session>\w+).*wav'"
    (folder / "mine.toml").write_text(
        f'kind = "files"\nversion = "1"\nabout = "Mine"\n[params]\npath = "recordings"\n{names}\n'
    )
    (folder / "mine.py").write_text(extractor_blocks()[0])
    running = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
    [suite] = [code for language, _, code in BLOCK.findall(running) if language == "toml"]
    (folder / "suite.toml").write_text(suite)


def command_blocks() -> dict[str, list[str]]:
    """Return page and number of every block with a new command that can run here -> its commands."""
    blocks: dict[str, list[str]] = {}
    before: set[tuple[str, ...]] = set()
    names = ("ask", "explore", "extractors", "numbers", "predict", "reports", "running", "search")
    for page in ("README", *(f"docs/{name}" for name in names)):
        text = (ROOT / f"{page}.md").read_text(encoding="utf-8")
        codes = [code for language, _, code in BLOCK.findall(text) if language == "bash"]
        for number, code in enumerate(codes, 1):
            lines = [line for line in code.splitlines() if line.startswith("bench ")]
            lines = [line for line in lines if not any(words in line for words in ELSEWHERE)]
            commands = [tuple(shlex.split(line, comments=True)) for line in lines]
            if set(commands) - before:
                blocks[f"{page}-{number}"] = lines
            before.update(commands)
    return blocks


COMMANDS = command_blocks()

SMALLEST = {"--extractors": "mfcc-13", "--heads": "lda", "--jobs": "1"}
"""What `bench run` takes where a command names nothing; the environment `gate` runs the defaults."""


def words_of(line: str) -> list[str]:
    """Return the words of a command, with the smallest axes where it computes a run and names none."""
    _, *words = shlex.split(line, comments=True)
    if words[0] != "run" or "--dry-run" in words:
        return words
    return words + [word for axis in SMALLEST.items() if axis[0] not in words for word in axis]


@pytest.mark.parametrize("block", COMMANDS)
def test_every_command_of_a_block_runs(block: str, bench, workplace: Path):
    for line in COMMANDS[block]:
        done = bench(*words_of(line))
        assert done.exit_code == 0, f"{line}\n{done.output}"


def test_a_collection_is_explored_in_a_notebook(workplace: Path, monkeypatch):
    monkeypatch.chdir(workplace)
    [code] = [
        code
        for language, _, code in BLOCK.findall((ROOT / "docs" / "explore.md").read_text(encoding="utf-8"))
        if language == "python"
    ]
    scope: dict[str, object] = {}
    exec(code, scope)  # noqa: S102  # the page's own code
    assert scope["overview"].map.points.shape == (48, 2)


def test_an_index_is_searched_in_a_notebook(digits: Path, take, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    digits.rename("clips.csv")
    shutil.copy(take("theo", 0, 1), "new.wav")
    text = (ROOT / "docs" / "search.md").read_text(encoding="utf-8")
    [code] = [code for language, _, code in BLOCK.findall(text) if language == "python"]
    scope: dict[str, object] = {}
    exec(code, scope)  # noqa: S102  # the page's own code
    assert "chunks" in str(scope["index"])


def test_a_model_is_used_in_a_program(bench, workplace: Path, monkeypatch):
    monkeypatch.chdir(workplace)
    assert bench("export", "bench-out", "--to", "model").exit_code == 0
    text = (ROOT / "docs" / "predict.md").read_text(encoding="utf-8")
    [code] = [code for language, _, code in BLOCK.findall(text) if language == "python"]
    name = next((workplace / "recordings" / "theo").iterdir()).name
    scope: dict[str, object] = {}
    exec(code.replace("0_theo_0.wav", name), scope)  # noqa: S102  # the page's own code
    assert scope["answer"].predicted_label in {"female", "male"}


@pytest.mark.parametrize("page", PAGES[:-1])
def test_what_is_to_be_done_is_said_in_less_than_60_lines(page: str):
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    assert len(text.partition("\n## A trained network")[0].splitlines()) < 60


def test_the_notebook_runs(home: Path, tmp_path: Path, monkeypatch):
    client = pytest.importorskip("nbclient", reason="needs nbclient and ipykernel")
    pytest.importorskip("ipykernel", reason="needs ipykernel")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("BENCH_CACHE", str(home))
    book = nbformat.read(ROOT / "docs" / "notebook.ipynb", as_version=4)
    client.NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    kinds = {kind for output in shown if "data" in output for kind in output["data"]}
    assert {"text/markdown", "text/html", "image/png"} <= kinds, "leaderboards, tables, a figure"


@pytest.mark.parametrize(
    "line", [line for block in blocks("bash") for line in block.splitlines() if "bench run" in line]
)
def test_every_option_of_the_docs_exists(line: str):
    words = shlex.split(line.partition("bench run")[2], comments=True)
    assert {word for word in words if word.startswith("--")} <= options()


def test_every_format_and_verdict_is_documented():
    files = [(name, item.file) for name, item in report.FORMATS.items()]
    assert re.findall(r"^\| `([\w-]+)` \| `([\w.-]+)` \|", REPORTS, re.MULTILINE) == files
    rows, _, _ = REPORTS.partition("| verdict | when |\n|---|---|\n")[2].partition("\n\n")
    verdicts = re.findall(r"^\| \**([a-z ]+?)\** \|", rows, re.MULTILINE)
    assert verdicts == [str(verdict) for verdict in Verdict]
    failing = set(re.findall(r"^\| \*\*([a-z ]+)\*\*", rows, re.MULTILINE))
    assert failing == {str(verdict) for verdict in FAILING}


@pytest.mark.parametrize("command", ["report", "compare"])
def test_every_option_of_the_commands_on_reports_exists(command: str):
    flags = {option for parameter in cli.main.commands[command].params for option in parameter.opts}
    lines = [
        line
        for block in re.findall(r"^```bash\n(.*?)^```", REPORTS, re.M | re.S)
        for line in block.splitlines()
    ]
    asked = [line for line in lines if line.startswith(f"bench {command} ")]
    assert asked
    words = {word for line in asked for word in shlex.split(line, comments=True) if word.startswith("--")}
    assert words <= flags


def test_what_is_known_of_every_checkpoint_is_documented():
    declared = catalog.load()
    for checkpoint in declared.checkpoints.values():
        names = [f"`{spec.name}`" for spec in declared.extractors.values() if spec.weights == checkpoint.name]
        size, rate = f"{checkpoint.parameters / 1e6:,.0f} M", f"{checkpoint.rate // 1000} kHz"
        row = [", ".join(names), f"`{checkpoint.name}`", size, rate, checkpoint.licence, checkpoint.data]
        assert re.search(r" +\| ".join(map(re.escape, row)), EXTRACTORS), checkpoint.name


def test_every_extractor_of_the_registry_is_documented():
    names = [name for name in catalog.load().extractors if not name.startswith("whisper-")]
    assert [name for name in names if f"`{name}`" not in EXTRACTORS] == []


def test_the_tasks_of_the_docs_are_the_registrys():
    rows = re.findall(r"^\| `([\w-]+)` \| (\w+).*? \| (\w+).*? \| (.*?) ?\|$", DATA, re.MULTILINE)
    page = {name: (target, group, lenient) for name, target, group, lenient in rows}
    tasks = catalog.load(ROOT / "tests").tasks
    columns = {task.name: [*task.stricter, *task.groups] for task in tasks.values()}
    expected = {
        name: (tasks[name].target, first, ", then ".join(others))
        for name, (first, *others) in columns.items()
    }
    assert page == expected


def test_the_overview_of_the_readme_is_the_published_one():
    published = (ROOT / "reports" / "speech" / "README.md").read_text(encoding="utf-8")
    table = re.search(r"^(\| task .*?)\n\n", published, re.MULTILINE | re.DOTALL)
    assert table
    assert table[1] in README
    n_rows = sum(int(line.split("|")[-3]) for line in table[1].splitlines()[2:])
    assert f"has {n_rows} rows of LibriSpeech" in README


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "CONTRIBUTING.md",
        "docs/architecture.md",
        "docs/data.md",
        "docs/extractors.md",
        "docs/heads.md",
        "docs/numbers.md",
        "docs/plugins.md",
        "docs/reliability.md",
        "docs/reports.md",
        "docs/running.md",
        "docs/security.md",
        "reports/demo/README.md",
        "reports/speech/README.md",
    ],
)
def test_every_link_leads_somewhere(document: str):
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("https://") or ((ROOT / document).parent / target).exists(), target


def test_the_lowest_constraints_are_the_lower_bounds():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = [line.replace(">=", "==") for line in project["dependencies"]]
    lines = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "==" in line] == bounds


def test_every_dependency_is_constrained():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *(line for name in TESTED for line in extras[name])]
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert {re.split(">=", line)[0] for line in needed} <= set(
        re.findall(r"^([\w-]+)==", constraints, re.MULTILINE)
    )


def test_ci_runs_what_tox_runs():
    environments = re.search(
        r"^env_list = (.*)$", (ROOT / "tox.ini").read_text(encoding="utf-8"), re.MULTILINE
    )
    workflow = re.search(r"env: \[(.*)\]", (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert environments[1] == workflow[1]


def test_the_files_of_a_run_are_documented(bench, digits: Path, tmp_path: Path):
    bench(
        "run",
        "--tasks",
        "speaker",
        "--extractors",
        "mfcc-13",
        "--heads",
        "svm",
        "--datasets",
        digits,
        "--out",
        "OUT",
    )
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for path in (tmp_path / "OUT").iterdir():
        assert f"OUT/{path.name}" in text
    result = json.loads((tmp_path / "OUT" / "results.jsonl").read_text().splitlines()[0])
    run = json.loads((tmp_path / "OUT" / "run.json").read_text())
    fields = {*result, *result["cost"], *result["scores"][0], *run}
    assert {field for field in fields if field not in re.findall(r"\w+", text)} == set()


def test_help_names_every_command():
    text = CliRunner().invoke(cli.main, ["--help"]).output
    assert set(cli.main.commands) <= set(text.split())
