"""Defaults: the pooling of extractors of one vector per clip, and the number of permutations."""

import click
import pytest
from click.testing import CliRunner

from bench import catalog
from bench.catalog import learners
from bench.cli import options as cli_options
from bench.embed import pooling
from bench.request import Request, options


def test_an_extractor_of_one_vector_per_clip_is_pooled_by_its_mean():
    names = ("egemaps", "egemaps@pool=max", "compare16", "mfcc-13")
    points = learners.extractors(Request(extractors=names), catalog.load(), pooling.parse)
    assert [view.pool for _, view in points] == ["mean", "max", "mean", "mean+std"]


@pytest.mark.parametrize(
    ("words", "draws"), [([], 0), (["--permute-labels"], 20), (["--permute-labels", "99"], 99)]
)
def test_permutations_have_a_number_of_their_own(words: list[str], draws: int):
    @click.command()
    @cli_options.declared([options(Request)["permute_labels"]])
    def command(permute_labels: int) -> None:
        click.echo(Request(permute_labels=permute_labels).n_permutations)

    assert CliRunner().invoke(command, words).output == f"{draws}\n"


def test_the_form_of_earlier_releases_asks_for_the_default_number():
    assert Request(permute_labels=True).n_permutations == 20
