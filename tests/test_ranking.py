"""What a reader sees of ranks and chance, from the command line on spoken digits of six speakers."""

import json
from pathlib import Path

import jsonschema
import pandas as pd
import pytest

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "docs" / "leaderboard.schema.json").read_text(encoding="utf-8")
)


@pytest.fixture
def report(bench, digits: Path):
    """Return the text of a report and its folder, on some of the speakers."""

    def write(n_speakers: int) -> tuple[str, Path]:
        frame = pd.read_csv(digits)
        frame = frame[frame["speaker"].isin(sorted(set(frame["speaker"]))[:n_speakers])]
        frame.rename(columns={"session": "phrase"}).drop(columns="gender").to_csv("d.csv", index=False)
        words = ["--tasks", "phrase", "--split", "loso", "--extractors", "mfcc-13", "--heads", "logreg,knn"]
        result = bench("run", "--datasets", "d.csv", *words, "--out", "out", "--plain")
        assert result.exit_code == 0, result.output
        bench("report", "out", "--format", "md,json,csv")
        return Path("out/leaderboard.md").read_text(encoding="utf-8"), Path("out")

    return write


def lines(text: str) -> list[list[str]]:
    table = text.split("| rank ")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_the_baseline_has_a_line_without_a_rank_and_levels_of_chance_beside_it(report):
    text, out = report(6)
    *rows, baseline = lines(text)
    assert len(rows) == 2
    assert all(row[0] for row in rows)
    assert baseline[0] == ""
    assert "dummy" in baseline[3]
    assert "**" not in baseline[4]
    assert "Chance: accuracy 0.25 for the best single class, 0.2" in text
    assert "Better than chance" in text
    assert "p, McNemar" not in text, "speakers are fewer than clips"
    content = json.loads((out / "leaderboard.json").read_text(encoding="utf-8"))
    jsonschema.validate(content, SCHEMA)
    [table] = content["tables"]
    assert table["chance"]["constant"] == 0.25
    assert [row["rank"] is None for row in table["rows"]] == [False, False, True]
    frame = pd.read_csv(out / "leaderboard.csv")
    assert frame["rank_low"].isna().tolist() == [False, False, True]
    assert frame["p_chance"].isna().tolist() == [False, False, True]


def test_rows_of_five_speakers_have_no_rank_and_a_note_says_so_once(report):
    text, _ = report(5)
    assert text.count("no test can tell rows apart with fewer than 6 groups") == 1
    assert [row[0] for row in lines(text)] == ["", "", ""]
    assert "**0." not in text
