"""`bench audit` finds every kind of tampering with a copy of one run, with unkeyed seals made again."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from bench import cli, compute
from bench.files import sha256
from bench.keys import digest
from bench.keys.fingerprints import fingerprint
from bench.store import Store, schema
from bench.types import Status

pytestmark = pytest.mark.xdist_group("tampering")  # they share a run

Fields = dict[str, object]
HEAD = "lda"
"""Head of the cell that is tampered with."""


@pytest.fixture(scope="module")
def original(take: Callable[[str, int, int], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of two runs after each other, with models and a clip that cannot be decoded."""
    folder = tmp_path_factory.mktemp("run")
    rows = [
        {"path": f"{speaker}{digit}.wav", "speaker": speaker, "gender": gender, "room": f"room{digit}"}
        for speaker, gender in zip(("george", "jackson", "lucas", "theo"), "mmff", strict=True)
        for digit in range(4)
    ]
    for row in rows:
        name = str(row["path"])
        shutil.copy(take(str(row["speaker"]), int(name[-5]), 0), folder / name)
    (folder / "george3.wav").write_bytes(b"no audio")
    pd.DataFrame(rows).to_csv(folder / "clips.csv", index=False)
    words = ["run", "--datasets", "clips.csv", "--tasks", "gender", "--extractors", "mfcc-13", "--allow-bad"]
    words += ["50%", "--save-models", "--split", "cv:2", "--out", "out", "--heads"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("BENCH_CACHE", str(folder / "cache"))
        for head in ("knn", HEAD):
            done = CliRunner().invoke(cli.main, [*words, head])
            assert done.exit_code == 0, done.output
    return folder


def audit(store: Store) -> list[str]:
    """Return the differences that an audit finds."""
    return list(compute.audit(store.out).differences)


def key_of(store: Store, head: str = HEAD) -> str:
    """Return the key of a head's cell."""
    results = store.results(sealed=False).values()
    return next(result.key for result in results if result.head == head)


def edit_line(
    store: Store, change: Callable[[Fields], object], head: str = HEAD, *, seal: bool = True
) -> None:
    """Change the line of a head's cell, and seal it again."""
    key, lines = key_of(store, head), []
    for line in store.results_path.read_text().splitlines():
        fields = json.loads(line) if not seal else schema.unseal(line)[0]
        if fields["key"] == key:
            change(fields)
            line = schema.seal(fields) if seal else json.dumps(fields)
        lines.append(line)
    store.results_path.write_text("\n".join(lines) + "\n")


def edit_predictions(store: Store, change: Callable[[pd.DataFrame], pd.DataFrame], **fields: object) -> None:
    """Change the predictions of the head's cell, and their digest and some fields of its line."""
    path = store.predictions_path(key_of(store))
    table = change(pd.read_parquet(path)).reset_index(drop=True)
    table.to_parquet(path, index=False)
    edit_line(store, lambda line: line.update(predictions=fingerprint(table), **fields))


def edit_json(path: Path, change: Callable[[Fields], object]) -> None:
    """Change a JSON file."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def edit_record(store: Store, change: Callable[[Fields], object]) -> None:
    """Change run.json."""
    edit_json(store.run_path, change)


def edit_report(store: Store, **fields: object) -> None:
    """Change report.json, and seal it again."""
    store.write_report(replace(store.report(), **fields))


def edit_labels(store: Store) -> None:
    table = store.labels("clips")
    table.loc[0, "room"] = "room3"
    store.write_labels("clips", table)


def remove_cell(store: Store) -> None:
    """Remove a cell from everywhere."""
    key = key_of(store)
    others = [line for line in store.results_path.read_text().splitlines() if json.loads(line)["key"] != key]
    store.results_path.write_text("\n".join(others) + "\n")
    store.predictions_path(key).unlink()
    shutil.rmtree(store.models_path(key))

    def change(fields: Fields) -> None:
        fields["cells"].remove(key)
        fields["counters"]["cells_planned"] -= 1
        del fields["models"][key]

    edit_record(store, change)


def edit_earlier(store: Store) -> None:
    """Change the score of a row of the earlier run, and its seal."""
    edit_line(store, lambda line: line["scores"][0].update(value=0.99), "knn")


def forge_leaderboard(store: Store) -> None:
    """Change a score in the leaderboard, and the digest of its file in report.json."""
    path = store.out / "leaderboard.md"
    path.write_text(path.read_text().replace("gender", "gendre"))
    report = store.report()
    edit_report(store, files={**report.files, "leaderboard.md": sha256(path)})


def exchange_figure(store: Store) -> None:
    path = next(path for path in store.report().files if path.endswith(".png"))
    (store.out / path).write_bytes(b"another figure")


def edit_model(store: Store) -> None:
    path = next(store.models_path(key_of(store)).glob("*.skops"))
    path.write_bytes(path.read_bytes() + b"x")


def unlist_bad_clip(store: Store) -> None:
    store.bad_clips_path.unlink()


def list_good_clip(store: Store) -> None:
    """Drop a clip that was predicted wrongly or not, and say that it cannot be decoded."""
    with store.bad_clips_path.open("a") as file:
        file.write("clips,theo0.wav,not decodable\n")
    edit_predictions(store, lambda table: table[table["clip"] != "theo0.wav"], n_test=14, n_bad=2)


def table_of(fields: Fields) -> Fields:
    return fields["tables"][0]


def edit_split(store: Store) -> None:
    """Move a group to the other fold, in the stored split and its digest."""
    table = exchange_folds(store.split("clips", "gender"))
    store.write_split("clips", "gender", table)
    edit_record(store, lambda fields: table_of(fields).update(split_digest=fingerprint(table)))


def first_twice(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table[:1]])


def exchange_folds(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(fold=table["fold"].map({"0": "1", "1": "0"}))


def swap_rows(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table[1:2], table[:1], table[2:]])


TAMPERINGS: dict[str, tuple[Callable[[Store], object], str]] = {
    # files that no seal is on
    "leaderboard edited": (
        lambda s: (s.out / "leaderboard.md").write_text("0.99"),
        "leaderboard.md: is not the file",
    ),
    "leaderboard forged with its digest": (forge_leaderboard, "leaderboard.md: is not what the results give"),
    "figure exchanged": (exchange_figure, r"confusion/.*\.png: is not the file of the report"),
    "slice labels": (edit_labels, "labels of clips: room of 1 clips is not that of the data: george0.wav"),
    "bad_clips.csv removed": (unlist_bad_clip, "1 clips were not tested, and are not in bad_clips.csv"),
    "good clip called bad": (list_good_clip, "bad_clips.csv: 1 clips of clips can be decoded: theo0.wav"),
    "model changed": (edit_model, "the models are other ones than the saved ones"),
    "model removed": (lambda s: shutil.rmtree(s.models_path(key_of(s))), "the models are missing"),
    "report.json edited": (
        lambda s: edit_json(s.report_path, lambda fields: fields.update(text="0.96")),
        "report.json: is missing, or not as it was written",
    ),
    "report.json forged with its seal": (
        lambda s: edit_report(s, text="0.96"),
        "report.json: text is not what the results give",
    ),
    # run.json
    "cell removed": (remove_cell, "run.json: lacks the cell gender on clips, mfcc-13 .mean.std., lda"),
    "cell removed from the plan": (
        lambda s: edit_record(s, lambda fields: fields["cells"].remove(key_of(s))),
        "lists 1 cells of 2 planned",
    ),
    "warning removed": (
        lambda s: edit_record(s, lambda fields: table_of(fields).update(remarks=[], fewest_groups=["m", 9])),
        "run.json: fewest_groups of gender on clips is not that of the data",
    ),
    "synthetic audio hidden": (
        lambda s: edit_record(s, lambda fields: fields["datasets"]["clips"].update(synthetic=True)),
        "run.json: synthetic of data set clips",
    ),
    "notes of the data removed": (
        lambda s: edit_record(
            s, lambda fields: fields["datasets"]["clips"].update(notes=[{"kind": "text", "names": ["fine"]}])
        ),
        "run.json: notes of data set clips",
    ),
    "metrics reordered": (
        lambda s: edit_record(s, lambda fields: table_of(fields)["metrics"].reverse()),
        "run.json: metrics of gender on clips",
    ),
    "number of groups": (
        lambda s: edit_record(s, lambda fields: table_of(fields).update(n_groups=400)),
        "run.json: n_groups of gender on clips",
    ),
    "leaky flag in run.json": (
        lambda s: edit_record(s, lambda fields: table_of(fields)["split"].update(leaky=True)),
        "run.json: split of gender on clips",
    ),
    "version in run.json": (
        lambda s: edit_record(s, lambda fields: fields["env"].update(numpy="1.0")),
        "numpy 1.0 -> ",
    ),
    "identity in run.json": (
        lambda s: edit_record(s, lambda fields: fields["identities"][HEAD].update(factory="x:y")),
        "lda: changed factory",
    ),
    # results.jsonl, sealed again
    "score": (
        lambda s: edit_line(s, lambda x: x["scores"][0].update(value=0.99)),
        "accuracy at clip is 0.99",
    ),
    "score without the seal": (
        lambda s: edit_line(s, lambda x: x["scores"][0].update(value=0.99), seal=False),
        "seal does not match",
    ),
    "cost without the seal": (
        lambda s: edit_line(s, lambda x: x["cost"].update(fit_s=0.0), seal=False),
        "seal does not match",
    ),
    "interval": (
        lambda s: edit_line(s, lambda x: x["scores"][0].update(low=0.98)),
        "accuracy at clip is",
    ),
    "scores of folds": (
        lambda s: edit_line(s, lambda x: x["scores"][0].update(folds=[0.9, 0.9])),
        "accuracy at clip is",
    ),
    "scores reordered": (
        lambda s: edit_line(s, lambda x: x["scores"].reverse()),
        "scores are in the order",
    ),
    "score removed": (lambda s: edit_line(s, lambda x: x["scores"].pop()), "is .*; predictions give"),
    "row of the earlier run": (edit_earlier, "knn: accuracy at clip is 0.99"),
    "seed": (
        lambda s: edit_line(s, lambda x: x.update(seed=7)),
        "lda, seed 7|seed is not that of the plan",
    ),
    "head": (lambda s: edit_line(s, lambda x: x.update(head="svm")), "head is not that of the plan"),
    "view": (
        lambda s: edit_line(s, lambda x: x["view"].update(pool="max")),
        "view is not that of the plan",
    ),
    "training share": (
        lambda s: edit_line(s, lambda x: x.update(train_size=0.1)),
        "train_size is not that of the plan",
    ),
    "augmentation": (
        lambda s: edit_line(
            s,
            lambda x: x.update(
                augmentation={"changes": [{"name": "noise", "low": 0.0, "high": 9.0}], "copies": 1}
            ),
        ),
        "augmentation is not that of the plan",
    ),
    "permuted flag": (
        lambda s: edit_line(s, lambda x: x["split"].update(permuted=True)),
        "split is another one than in run.json",
    ),
    "leaky flag": (
        lambda s: edit_line(s, lambda x: x["split"].update(leaky=True)),
        "split is another one than in run.json",
    ),
    "version of a line": (
        lambda s: edit_line(s, lambda x: x["env"].update(python="2.7")),
        "python 2.7 -> ",
    ),
    **{
        name: (
            lambda s, name=name: edit_line(s, lambda line: line.update({name: 999})),
            f"{name} is 999, and",
        )
        for name in ("n_train", "n_test", "n_classes", "n_groups", "n_bad")
    },
    # predictions, with their digest and the seal of the line made again
    "clip dropped": (
        lambda s: edit_predictions(s, lambda table: table[1:], n_test=14),
        "1 clips were not tested, and are not in bad_clips.csv",
    ),
    "clip doubled": (lambda s: edit_predictions(s, first_twice, n_test=16), "1 clips were tested twice"),
    "rows swapped": (lambda s: edit_predictions(s, swap_rows), "the order of the predictions is not that"),
    "label column": (
        lambda s: edit_predictions(s, lambda table: table.assign(y_true=table["y_pred"])),
        "y_true of the predictions differs|accuracy at clip is",
    ),
    "group column": (
        lambda s: edit_predictions(s, lambda table: table.assign(group=table["clip"])),
        "group of the predictions differs from the split",
    ),
    "fold column": (
        lambda s: edit_predictions(s, exchange_folds),
        "fold of the predictions differs from the split",
    ),
    "score column, with no digest": (
        lambda s: (
            pd.read_parquet(s.predictions_path(key_of(s)))
            .assign(score_f=0.5)
            .to_parquet(s.predictions_path(key_of(s)), index=False)
        ),
        "predictions differ from the scored ones",
    ),
    # splits
    "split moved": (edit_split, "fold of .* clips changed|split_digest"),
    "split of run.json": (
        lambda s: edit_record(s, lambda fields: table_of(fields).update(split_digest="0" * 32)),
        "the stored split differs from the one in run.json",
    ),
}


@pytest.mark.no_cover
def test_an_untouched_copy_is_verified(copy: Store):
    outcome = compute.audit(copy.out)
    assert (outcome.differences, outcome.unchecked) == ((), ())
    assert len(copy.run().earlier) == 1
    assert copy.run().models.keys() == set(copy.run().cells) | set(copy.run().earlier)
    assert {result.status for result in copy.results().values()} == {Status.OK}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_tampering_is_found(copy: Store, name: str):
    tamper, expected = TAMPERINGS[name]
    tamper(copy)
    lines = audit(copy)
    assert any(re.search(expected, line) for line in lines), lines


def test_the_same_run_again_prints_no_forged_report(original: Path, copy: Store, monkeypatch):
    """Neither the text in report.json nor an edited leaderboard outlives the same command."""
    monkeypatch.chdir(original)
    expected = copy.report()
    edit_json(copy.report_path, lambda fields: fields.update(text="0.96"))
    (copy.out / "leaderboard.md").write_text("0.96")
    report = compute.report.updated(Store(copy.out, "out"))
    assert report.text == expected.text
    assert "0.96" not in (copy.out / "leaderboard.md").read_text()


def test_a_report_with_options_is_rendered_again_with_them(copy: Store):
    compute.report.write(copy, by=["room"], metrics=["mcc"], formats=["md", "csv"])
    assert audit(copy) == []
    path = copy.out / "leaderboard.csv"
    path.write_text(path.read_text().replace("lda", "ldb"))
    assert any("leaderboard.csv: is not" in line for line in audit(copy))


def test_a_seal_of_report_json_is_over_all_its_fields(copy: Store):
    record = copy.report()
    content = json.loads(copy.report_path.read_text())
    assert content["seal"] == digest(asdict(replace(record, seal="")))
