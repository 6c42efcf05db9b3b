"""`bench compare`: hold a run against its baseline."""

import os
import sys
from collections import Counter
from pathlib import Path

import click

from bench.cli.options import listed
from bench.errors import UsageError


@click.command("compare")
@click.argument("baseline", type=Path)
@click.argument("out", type=Path)
@listed(
    "--fail-on",
    metavar="A:0.02,B:1.5x",
    help="How much worse metrics and costs may get.  [default: 0.02 of what each task ranks by]",
)
@click.option(
    "--few-groups",
    type=click.Choice(["fail", "warn"]),
    default="fail",
    show_default=True,
    help="What a loss above the limit does where groups are too few for a test.",
)
@click.option("--markdown", "markdown_file", metavar="FILE", type=Path, help="Write the verdict there too.")
@click.option("--junit", metavar="FILE", type=Path, help="Write it as JUnit XML.")
@click.option("--update", is_flag=True, help="Make OUT the new baseline, and exit with 0.")
def command(  # a parameter per option
    baseline: Path,
    out: Path,
    fail_on: tuple[str, ...],
    few_groups: str,
    markdown_file: Path | None,
    junit: Path | None,
    update: bool,
) -> None:
    """Give a verdict on every cell of BASELINE; exit with 1 if one is worse, vanished or not comparable.

    With fewer than six groups no loss can be significant: the gate "cannot tell" a loss above the limit from
    chance, and fails too, unless --few-groups is warn.

    BASELINE is a .jsonl file as --update and `bench report --publish` write it, or another run's folder.
    """
    from bench import gate as comparing
    from bench.gate import rendering
    from bench.store import baseline as baselines

    limits = [comparing.Limit.parse(text) for text in fail_on]
    for name, count in Counter(limit.name for limit in limits).items():
        if count > 1:
            raise UsageError(f"--fail-on {','.join(fail_on)}: gives {count} limits for {name}; expected one")
    now = baselines.side(out)
    if update and not baseline.exists():
        baselines.write(now, baseline)
        click.echo(f"wrote {baseline}")
        return
    judged = comparing.compare(baselines.side(baseline), now, limits)
    if not update:
        comparing.check_compared(judged, baseline, out)
    failing = comparing.FAILING - ({comparing.Verdict.UNTESTABLE} if few_groups == "warn" else set())
    text = rendering.as_markdown(judged, failing)
    click.echo(text)
    if markdown_file:
        markdown_file.write_text(text, encoding="utf-8")
    if junit:
        junit.write_text(rendering.as_junit(judged, failing), encoding="utf-8")
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in rendering.annotations(judged, failing):
            click.echo(line)
        if shown := os.environ.get("GITHUB_STEP_SUMMARY"):
            with Path(shown).open("a", encoding="utf-8") as file:
                file.write(text)
    if update:
        baselines.write(now, baseline)
        click.echo(f"wrote {baseline}")
        return
    sys.exit(1 if rendering.fails(judged, failing) else 0)
