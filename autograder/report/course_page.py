"""The course so far as pages: one of the class, and one of each student."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograder.report import charts
from autograder.report.html import tables_page


def course_page(course: str, view: dict[str, Any], page: Callable[[str], str], class_page: Callable[[str], str],
                anonymous: bool = False) -> str:
    """A self-contained HTML page.

    Args:
        course: its name.
        view: as `course_so_far` gives it.
        page, class_page: the addresses of a student's page, and of an assignment's; "" where there is none.
        anonymous: leave out the part that is about students.
    """
    assignments = view["assignments"]
    names = [one["assignment"] for one in assignments]
    chart = charts.progress(names, [one["median"] for one in assignments], [one["quartiles"] for one in assignments])
    return tables_page("course.html.jinja", page, course=course, view=view, class_page=class_page, chart=chart,
                       anonymous=anonymous, columns=[f"#{name.split('_')[0]}" for name in names])


def course_student_page(course: str, view: dict[str, Any], student: dict[str, Any], page: Callable[[str], str]) -> str:
    """A self-contained HTML page of one of the view's students, for the instructor.

    Args:
        page: from an assignment to the address of what the student got for it.
    """
    return tables_page("course_student.html.jinja", page, course=course, one=student,
                       medians=[one["median"] for one in view["assignments"]])
