"""The report in a folder, rendered again from its results and compared."""

from collections.abc import Iterator

from bench.errors import readable
from bench.report.writers import FORMATS
from bench.report.writing import changed_files, compose
from bench.store import ReportRecord, Store

PAGE = "html"
"""Format that holds more than a text of the results: of it, as of figures, the digest is compared."""


def differences(store: Store) -> list[str]:
    """Return how the files of a folder's report differ from the same report made now, a line each.

    Texts are rendered again from results and predictions; the digests of all files are compared.

    Raises
    ------
    UsageError
        If the results cannot be reported.
    """
    record = store.report()
    if record is None:
        return [f"{store.report_path}: is missing, or not as it was written; run `bench report {store.out}`"]
    changed = [f"{store.out / path}: is not the file of the report" for path in changed_files(store, record)]
    return [*changed, *_rendered_again(store, record)]


def unchecked(store: Store) -> list[str]:
    """Return the texts in a folder that `differences` does not render again, a line each."""
    record = store.report()
    if record is None:
        return []
    fix = f"run `bench report {store.out}`"
    if record.n_runs > 1:
        return [f"the report: not rendered again, since it shows {record.n_runs} runs; {fix}"]
    others = [FORMATS[name].file for name in FORMATS if name not in {*record.formats, PAGE}]
    return [
        f"{store.out / file}: not rendered again, since it is of an earlier report; {fix}"
        for file in others
        if (store.out / file).is_file()
    ]


def _rendered_again(store: Store, record: ReportRecord) -> Iterator[str]:
    """Yield the texts of a report that its results do not give."""
    if record.n_runs > 1:
        return
    names = [name for name in record.formats if name in FORMATS and name != PAGE]
    composition = compose(
        Store(store.out, record.out),
        by=record.by,
        metrics=record.metrics,
        formats=names,
        bayes=record.bayes,
    )
    if composition.terminal != record.text:
        yield f"{store.report_path}: text is not what the results give"
    for name in names:
        path = store.out / composition.files[name]
        expected = readable(composition.text(name)).encode()
        if path.is_file() and path.read_bytes() != expected:
            yield f"{path}: is not what the results give"
