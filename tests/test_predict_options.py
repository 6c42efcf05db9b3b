"""Options and answers of `bench predict` as somebody who never saw it tries them."""

import csv
import io
import json

import pytest
from click.testing import CliRunner

from bench import cli
from bench.inference import writing


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("a.wav", "--resume"), "--resume: needs the folder of the answers before; add --out FOLDER"),
        (("a.wav", "--language", "de"), "--language: is that of the transcription; add --transcribe NAME"),
        (("a.wav", "--mic", "null"), "--mic: says where to record from; add --record SECONDS"),
        (("a.wav", "--explain", "occlusion"), "--explain: needs a folder for the pictures; add --out FOLDER"),
    ],
)
def test_an_option_without_the_one_that_it_needs_is_refused(words: tuple[str, ...], line: str):
    result = CliRunner().invoke(cli.main, ["predict", "nowhere", *words])
    assert (result.exit_code, result.stderr) == (2, f"Error: {line}\n")


def test_labels_with_spaces_and_commas_can_be_read_from_the_csv():
    labels = ["eins, zwei", 'drei "q"', "fünf'"]
    answers = [{"file": "a.wav", "set": labels}, {"file": "b.wav", "error": "no such file"}]
    first, second = csv.DictReader(io.StringIO(writing.table(answers)))
    assert json.loads(first["set"]) == labels
    assert second["set"] == ""
