"""What a student sees of a lost visible case: its inputs, and what was expected beside what was received.

Entries that differ are marked; what is as expected is named, and shown on demand. Axes of length 1 are left out of arrays of more
than two, so that an image is a matrix. Nothing of a hidden case comes here: the examples that students have hold none.
"""

from __future__ import annotations

import dataclasses
import html
import itertools
import math
import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.grading.compare import difference
from autograder.grading.key import CaseKey
from autograder.inside.protocol import Observation
from autograder.report.shown import TONES

MOST_ENTRIES = 64  # of an array whose entries are shown
MOST_CHARACTERS = 600
MOST_WIDE = 100  # characters of a line of text that has two values side by side
ENDS = "\0"  # of an entry, while NumPy aligns them; in no number


@dataclass(frozen=True)
class Value:
    """A value ready to be shown: entries as aligned texts in their places, or some words.

    Attributes:
        entries: str array, or str.
        wrong: bool array, like `entries`: which of them differ from what they should be; None marks none.
        shape: when `entries` have fewer axes than the array itself.
    """

    entries: np.ndarray | str
    wrong: np.ndarray | None = None
    shape: tuple[int, ...] | None = None

    def text(self) -> str:
        """As lines of text; an asterisk follows each entry that differs."""
        marks = None if self.wrong is None else np.where(self.wrong, "*", " ")
        return self._laid_out(self.entries if marks is None else np.char.add(self.entries, marks))

    def html(self, tone: str) -> str:
        """As HTML; entries that differ stand on a tone of `TONES`."""
        if isinstance(self.entries, str):
            return html.escape(self.text())
        mark = f"<b style='background:{TONES[tone]};color:#fff;border-radius:.2em'>"
        shown = [f"{mark}{entry}</b>" if wrong else entry for entry, wrong in zip(
            map(html.escape, self.entries.flat), itertools.repeat(False) if self.wrong is None else self.wrong.flat)]
        return self._laid_out(np.array(shown, object).reshape(self.entries.shape))

    def _laid_out(self, entries) -> str:
        return _nested(entries) + (f"\nshape {self.shape}" if self.shape else "")


@dataclass(frozen=True)
class Pair:
    """An observation of a case: what it should be and what it was; `received` is None where there was none."""

    name: str
    expected: Value
    received: Value | None
    same: bool


def inputs(case: CaseKey, names: list[str]) -> list[tuple[str, Value]]:
    """The inputs that are small enough to be read, with labels.

    Args:
        names: of the answer's own parameters; it may have further ones, with defaults.
    """
    if not isinstance(case.inputs, list):  # a probe's own instructions
        return []
    count = len(case.inputs)
    labels = [f"input {name}" for name in names[:count]] if len(names) >= count > 1 else ["input"] * count
    shown = [(label, _value(value)) for label, value in zip(labels, case.inputs)]
    return [(label, value) for label, value in shown if len(value.text()) <= MOST_CHARACTERS]


def pairs(case: CaseKey, received: Observation | None) -> list[Pair]:
    """What a case expects beside what an answer gave, in the order of what is expected, and what else it gave."""
    found = []
    for name, right in case.expected.items():
        got = (received or {}).get(name)
        if got is None:
            found.append(Pair(name, _value(right, name), None, False))
            continue
        digits = max(_digits(right), _digits(got))
        same = difference({name: right}, {name: got}, case.rtol, case.atol) is None
        expected, value = _value(right, name, digits), _value(got, name, digits)
        wrong = None if same else _wrong(right, got, case)
        if wrong is not None:
            expected, value = (dataclasses.replace(it, wrong=wrong.reshape(np.shape(it.entries))) for it in (expected, value))
        found.append(Pair(name, expected, value, same))
    return found


def as_text(given: list[tuple[str, Value]], seen: list[Pair]) -> list[str]:
    """Lines of text: inputs, what differs with both values side by side where they fit, names of what does not."""
    blocks = [(f"{label}:", value.text()) for label, value in given]
    for pair in seen:
        if pair.received is None:
            blocks.append((f"{_label(pair.name, 'expected')}:", pair.expected.text()))
        elif not pair.same:
            blocks += _beside(pair.name, pair.expected.text(), pair.received.text())
    margin = max([len(label) for label, _ in blocks], default=0) + 1
    lines = "\n".join(label.ljust(margin) + textwrap.indent(text, " " * margin)[margin:] for label, text in blocks).splitlines()
    if any(pair.received is not None and pair.received.wrong is not None for pair in seen):
        lines.append("(* differs)")
    if same := [pair.name for pair in seen if pair.same]:
        lines.append(f"as expected: {', '.join(same)}")
    return lines


def as_html(given: list[tuple[str, Value]], seen: list[Pair]) -> str:
    """The same as a table, with what is as expected folded below it."""
    rows = [_row(label, f"<td colspan='2' {CELL}>{_code(value.html('bad'))}</td>") for label, value in given]
    wrong, same = [pair for pair in seen if not pair.same], [pair for pair in seen if pair.same]
    if wrong:
        both = any(pair.received is not None for pair in wrong)
        rows.append(_row("", f"<td {CELL}><b>expected</b></td>" + (f"<td {CELL}><b>received</b></td>" if both else "")))
        rows += map(_pair, wrong)
    folded = ""
    if same:
        names = html.escape(", ".join(pair.name for pair in same))
        folded = f"<details style='margin-left:{INDENT}'><summary style='cursor:pointer'>" \
                 f"{len(same)} as expected: {names}</summary>{_table(list(map(_pair, same)))}</details>"
    return (_table(rows) if rows else "") + folded


def _label(name: str, word: str) -> str:
    return word if name == "output" else f"{word} {name}"


def _beside(name: str, expected: str, received: str) -> list[tuple[str, str]]:
    columns = ["expected", *expected.split("\n")], ["received", *received.split("\n")]
    width = max(map(len, columns[0]))
    if width + 3 + max(map(len, columns[1])) > MOST_WIDE:
        return [(f"{_label(name, 'expected')}:", expected), (f"{_label(name, 'received')}:", received)]
    lines = [f"{left:{width}}   {right}".rstrip() for left, right in itertools.zip_longest(*columns, fillvalue="")]
    return [(f"{name}:", "\n".join(lines))]


# A front end's own rules for tables (right-aligned, striped) do not fit matrices.
PLAIN = "border:none;background:none;color:inherit"
INDENT = "1.9em"  # the width of a badge and what follows it
CELL = "style='text-align:left;vertical-align:top;padding:.1em 1.2em .1em 0'"


def _table(rows: list[str]) -> str:
    style = f"margin:.2em 0 .2em {INDENT};font-size:92%;{PLAIN}"
    return f"<div style='overflow-x:auto'><table style='{style}'>{''.join(rows)}</table></div>"


def _row(label: str, cells: str) -> str:
    words = html.escape(label.replace("`", ""))
    return f"<tr style='background:none'><td {CELL}>{words}</td>{cells}</tr>"


def _pair(pair: Pair) -> str:
    values = [pair.expected.html("good")] + ([pair.received.html("bad")] if pair.received is not None else [])
    return _row(pair.name, "".join(f"<td {CELL}>{_code(value)}</td>" for value in values))


def _code(content: str) -> str:
    return f"<code style='white-space:pre;{PLAIN}'>{content}</code>"


# ---------------------------------------------------------------------------------------------------- values


def _value(value: Any, name: str = "", digits: int = 0) -> Value:
    """A value as its entries, or in a few words."""
    array = _as_array(value)
    if array is None:
        if isinstance(value, list):
            return Value("[" + ",\n ".join(textwrap.indent(_value(item).text(), " ").lstrip() for item in value) + "]")
        return Value(value if isinstance(value, str) and name else repr(value))
    if name.endswith("?") and array.dtype.kind == "b" and array.ndim == 0:
        return Value("yes" if array else "no")
    if array.size > MOST_ENTRIES or array.size == 0:
        return Value(f"{array.dtype} array of shape {array.shape}")
    few = array.squeeze() if array.ndim > 2 else array
    return Value(np.array(_aligned(few.reshape(-1), digits or _digits(array))).reshape(few.shape), None,
                 array.shape if few.shape != array.shape else None)


def _as_array(value: Any) -> np.ndarray | None:
    """Numbers and truth values in rows of one length, as an array; None for anything else."""
    if isinstance(value, (str, dict, type(None))):
        return None
    try:
        array = np.asarray(value)
    except ValueError:  # rows of several lengths
        return None
    return array if array.dtype.kind in "biufc" else None


def _digits(value: Any) -> int:
    """Decimals to show: four, or as many as show four digits of the largest number."""
    array = _as_array(value)
    if array is None or array.dtype.kind not in "fiu":
        return 4
    largest = np.max(np.abs(array[np.isfinite(array)]), initial=0)
    return 4 if not 0 < largest < 0.1 else min(3 - math.floor(math.log10(largest)), 9)


def _aligned(flat: np.ndarray, digits: int) -> list[str]:
    """The entries of a vector as texts of one width."""
    finite = flat[np.isfinite(flat)]
    largest = np.max(np.abs(finite), initial=0)
    plain = bool(largest == 0 or 1e-6 <= largest < 1e4)
    text = np.array2string(flat, precision=digits, suppress_small=plain, separator=ENDS, threshold=flat.size + 1,
                           max_line_width=10**6)
    return text[1:-1].split(ENDS) if flat.size > 1 else [text[1:-1].strip()]


def _nested(entries) -> str:
    """Entries in brackets, as NumPy writes them."""
    if isinstance(entries, str) or np.ndim(entries) == 0:
        return str(entries)
    if entries.ndim == 1:
        return f"[{', '.join(entries)}]"
    gap = "," + "\n" * (entries.ndim - 1)
    return "[" + gap.join(textwrap.indent(_nested(part), " ") for part in entries)[1:] + "]"


def _wrong(right: Any, got: Any, case: CaseKey) -> np.ndarray | None:
    """Which entries of an answer differ; None where that cannot be told, or all do."""
    right, got = _as_array(right), _as_array(got)
    if right is None or got is None or right.shape != got.shape or not 1 < right.size <= MOST_ENTRIES:
        return None
    wrong = np.array([difference({"": one}, {"": other}, case.rtol, case.atol) is not None
                      for one, other in zip(map(np.asarray, right.reshape(-1)), map(np.asarray, got.reshape(-1)))])
    return None if wrong.all() else wrong
