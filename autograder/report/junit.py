"""Results as JUnit XML, which CI services and editors read: a suite for each student, a test for each case."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # characters that XML 1.0 cannot hold


def junit(results: dict[str, Any]) -> str:
    """The XML of results as `autograder.report.json` gives them. Lost cases fail; what we could not grade is an error."""
    root = ElementTree.Element("testsuites", name=_text(results["assignment"]))
    for submission in results["submissions"]:
        suite = ElementTree.SubElement(root, "testsuite", name=_text(submission["student"]), time=f"{submission['seconds']:.3f}")
        for question in submission["questions"]:
            for case in question["cases"] or [{"name": question["name"], "passed": False, "message": question["message"]}]:
                test = ElementTree.SubElement(suite, "testcase", name=_text(case["name"]), time="0",
                                              classname=_text(f"{results['assignment']}.{question['name']}"))
                if question["status"] in ("ungraded", "manual"):
                    kind = "error" if question["status"] == "ungraded" else "skipped"
                    ElementTree.SubElement(test, kind, message=_text(question["message"]))
                elif not case["passed"]:
                    failure = ElementTree.SubElement(test, "failure", message=_text(case["message"]), type=question["status"])
                    failure.text = _text(question["message"])
        if not submission["questions"]:  # not even the questions are known
            test = ElementTree.SubElement(suite, "testcase", name="notebook", time="0", classname=_text(results["assignment"]))
            ElementTree.SubElement(test, "error", message=_text(submission["error"] or "nothing was graded"))
        for plural, kind in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(plural, str(len(list(suite.iter(kind)))))
    for plural in ("tests", "failures", "errors", "skipped"):
        root.set(plural, str(sum(int(suite.get(plural, 0)) for suite in root)))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _text(value: str) -> str:
    return ILLEGAL.sub("?", str(value))
