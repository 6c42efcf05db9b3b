"""Options of `bench predict` that do nothing without another one are refused, before a model is loaded."""

import pytest
from click.testing import CliRunner

from bench import cli


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
