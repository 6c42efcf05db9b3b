"""JUnit XML, in which CI services show what passed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

from bench import display
from bench.report import words
from bench.report.rows import Table
from bench.report.sections import Content
from bench.types import Result, Status

NOT_IN_XML = dict.fromkeys([*range(32), 0xFFFE, 0xFFFF])
"""Characters that are removed: those that no XML may hold, line breaks and tabs."""

Outcome = Literal["passed", "failure", "skipped"]

OUTCOMES: Mapping[Status, Outcome] = {
    Status.OK: "passed",
    Status.FAILED: "failure",
    Status.SKIPPED: "skipped",
}


@dataclass(frozen=True, slots=True)
class Case:
    """A test that passed, failed or was skipped, and the reason."""

    classname: str
    name: str
    outcome: Outcome = "passed"
    reason: str = ""

    @classmethod
    def of(cls, result: Result, outcome: Outcome, reason: str) -> "Case":
        """Return the case of a cell."""
        name = display.system(result.system, result.seed, result.repeat)
        return cls(f"{result.dataset}.{result.task.name}", name, outcome, reason)


def write(content: Content) -> str:
    """Return a suite per table, with a case per cell."""
    return xml([(words.title(table), _cases(table)) for table in content.tables])


def _cases(table: Table) -> list[Case]:
    computed = [result for row in (*table.lines, *table.smaller) for result in row.results]
    results = (*computed, *table.others)
    return [Case.of(result, OUTCOMES[result.status], display.cause(result)) for result in results]


def xml(suites: Iterable[tuple[str, Sequence[Case]]]) -> str:
    """Return the XML of suites, each a title and its cases."""
    root = ElementTree.Element("testsuites", name="bench")
    for title, cases in suites:
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=_safe(title),
            tests=str(len(cases)),
            failures=_count(cases, "failure"),
            skipped=_count(cases, "skipped"),
        )
        for case in cases:
            names = {"classname": _safe(case.classname), "name": _safe(case.name)}
            element = ElementTree.SubElement(suite, "testcase", names)
            if case.outcome != "passed":
                ElementTree.SubElement(element, case.outcome, message=_safe(case.reason))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _count(cases: Iterable[Case], outcome: Outcome) -> str:
    return str(sum(case.outcome == outcome for case in cases))


def _safe(text: str) -> str:
    return text.translate(NOT_IN_XML)
