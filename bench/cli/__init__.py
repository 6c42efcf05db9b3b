"""The command line: parse, one call, print, exit code.

Each command imports what it calls, so that `bench --help` loads no numerical library.
"""

import click

from bench._version import __version__
from bench.cli import data, plugins, reports, runs, shared


@click.group(cls=shared.Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bench")
def main() -> None:
    """Compare audio embeddings and classifiers, on splits that cannot leak."""


for command in (*runs.COMMANDS, *reports.COMMANDS, *data.COMMANDS, *plugins.COMMANDS):
    main.add_command(command)
