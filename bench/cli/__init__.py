"""The command line: parse, one call, print, exit code.

Every verb has a file of its own and imports what it calls, so that `bench --help` loads no numerical library.
"""

import click

from bench import paths
from bench._version import __version__
from bench.cli import (
    ask,
    audit,
    cache,
    check,
    compare,
    data,
    describe,
    embed,
    explore,
    export,
    fetch,
    index,
    new,
    predict,
    report,
    rerun,
    run,
    search,
    serve,
)
from bench.cli import list as list_
from bench.cli.errors import Group


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bench")
def main() -> None:
    """Compare audio embeddings and classifiers, on splits that cannot leak."""
    paths.redirect_library_caches()


VERBS = (
    *(run, rerun, audit, report, compare, export, predict, serve, list_, fetch, embed, explore),
    *(index, search, describe, ask),
    *(cache, data, check, new),
)

for module in VERBS:
    main.add_command(module.command)
