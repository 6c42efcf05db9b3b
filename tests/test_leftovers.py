"""Files beside a data set are looked at when its index is made, and by `bench data check`."""

from pathlib import Path

import pytest

from bench.datasets import leftovers
from bench.store import Store


def test_a_run_looks_beside_its_table_once(digits: Path, bench, monkeypatch: pytest.MonkeyPatch, caplog):
    walks = []
    look = leftovers._audio_beside
    monkeypatch.setattr(
        leftovers,
        "_audio_beside",
        lambda path, files: walks.append(path) or [*look(path, files), "/else/a.wav"],
    )
    words = ["run", "--datasets", digits, "--tasks", "gender", "--extractors", "mfcc-13", "--heads", "lda"]
    first = bench(*words)
    assert "digits: Audio files left out: " in caplog.text
    caplog.clear()
    second, dry = bench(*words), bench(*words, "--dry-run")
    assert [len(walks), first.exit_code, second.exit_code] == [1, 0, 0]
    assert "left out" not in caplog.text + second.stderr + dry.output
    assert first.stdout.count("Audio files left out") == second.stdout.count("Audio files left out") == 1
    [note] = Store(Path("bench-out")).run().datasets["digits"].notes
    assert note.kind == "left out"
    for _ in range(2):
        assert "Audio files left out: " in bench("data", "check", digits).stdout
    assert len(walks) == 3


def test_tables_in_two_folders_that_share_their_files_have_notes_of_their_own(tone, bench, tmp_path: Path):
    rows = [
        f"{tone(f'audio/{name}.wav', pitch=200 + 40 * number)},{name[0]}"
        for number, name in enumerate(("a1", "a2", "a3", "b1", "b2", "b3"))
    ]
    for folder in ("x", "x/y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "t.csv").write_text("\n".join(["path,class", *rows]))
    tone("audio/c.wav")
    notes = []
    for number, table in enumerate(("x/t.csv", "x/y/t.csv")):
        words = [
            "run",
            "--datasets",
            table,
            "--task-target",
            "class",
            "--extractors",
            "mfcc-13",
            "--heads",
            "lda",
        ]
        assert bench(*words, "--out", f"out{number}").exit_code == 0
        notes += Store(Path(f"out{number}")).run().datasets["t"].notes
    assert len(notes) == 2
