"""What a lesson is called, in which of its sections a question stands, and where that can be read: from its notebook's cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

LONGEST = 120  # characters of a heading: a notebook may be a stranger's
HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*)", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Outline:
    """A lesson from afar.

    Attributes:
        title: its first heading; the assignment's id where it has none.
        sections: by question, the heading that it stands under.
        address: of the notebook as a page that a reader can open; "" where nobody has said.
    """

    assignment: str
    title: str
    sections: Mapping[str, str] = field(default_factory=dict)
    address: str = ""

    def link(self, question: str) -> str:
        """The address of a question's section, as Jupyter, nbviewer and GitHub name headings; "" without one."""
        heading = self.sections.get(question, "").replace("`", "").replace(" ", "-")
        return f"{self.address}#{quote(heading)}" if self.address and heading else ""


def outline(assignment: str, cells: Iterable[Mapping], address: str = "") -> Outline:
    """The outline of a notebook.

    Args:
        cells: as nbformat has them, or `submission.read_cells`.
    """
    title, heading, sections = "", "", {}
    for cell in cells:
        if cell["cell_type"] == "markdown":
            for text in HEADING.findall(FENCED.sub("", cell["source"])):
                heading = text.strip()[:LONGEST]
                title = title or heading
        sections[cell.get("grade_id") or cell.get("id") or ""] = heading
    return Outline(assignment, title or assignment, sections, address)
