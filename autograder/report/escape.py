"""Text from students, made harmless for the place it is shown in: one line, a workflow's log, Markdown.

A message may quote an exception, a line of code or the name of a cell, so whoever wrote the notebook chose it.
"""

from __future__ import annotations

import re

LONGEST = 400  # characters of one message


def one_line(text: str, limit: int = LONGEST) -> str:
    """Printable text on one line; what a terminal or log would obey becomes a space."""
    text = " ".join("".join(character if character.isprintable() else " " for character in str(text)).split())
    return text if len(text) <= limit else text[:limit - 1] + "…"


def log_line(text: str, limit: int = LONGEST) -> str:
    """One line that a GitHub runner takes for text: it obeys `::` at the start of a line, and `##[` anywhere in it."""
    text = one_line(text, limit).replace("##[", "## [")
    return f": :{text[2:]}" if text.startswith("::") else text


def workflow_command(name: str, message: str, **properties: str | int) -> str:
    """A command for a GitHub runner, such as `::error file=a.ipynb,line=3::…`.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    escape = lambda value: log_line(value).replace("%", "%25")  # noqa: E731
    listed = ",".join(f"{key}={escape(value).replace(':', '%3A').replace(',', '%2C')}" for key, value in properties.items())
    return f"::{name}{' ' * bool(listed)}{listed}::{escape(message)}"


def markdown(text: str, limit: int = LONGEST) -> str:
    """Text that Markdown and HTML leave as it is, in a table's cell too; its `backticked` parts are code."""
    # Entities, not backslashes: one rule for Markdown, HTML, tables, formulas, links and emoji.
    parts = re.split(r"`([^`]+)`", one_line(text, limit))
    literal = [re.sub(r"[!#$&*:<>@\[-`{-~]|(?<=www)\.", lambda found: f"&#{ord(found.group())};", part) for part in parts]
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(literal))
