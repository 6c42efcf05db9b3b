"""JUnit XML: the form in which CI services show what passed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

NO_XML = dict.fromkeys([*range(32), 0xFFFE, 0xFFFF])
"""Characters that no XML may hold; line breaks and tabs among them, since all is told in one line."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that passed, failed or was skipped, and why."""

    classname: str
    name: str
    outcome: Literal["passed", "failure", "skipped"] = "passed"
    reason: str = ""


def text(suites: Mapping[str, Sequence[Case]]) -> str:
    """Return the XML of the cases of every suite."""
    root = ElementTree.Element("testsuites", name="bench")
    for title, cases in suites.items():
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=_safe(title),
            tests=str(len(cases)),
            failures=_count(cases, "failure"),
            skipped=_count(cases, "skipped"),
        )
        for case in cases:
            element = ElementTree.SubElement(
                suite, "testcase", classname=_safe(case.classname), name=_safe(case.name)
            )
            if case.outcome != "passed":
                ElementTree.SubElement(element, case.outcome, message=_safe(case.reason))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _count(cases: Iterable[Case], outcome: str) -> str:
    return str(sum(case.outcome == outcome for case in cases))


def _safe(text: str) -> str:
    return text.translate(NO_XML)
