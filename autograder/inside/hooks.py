"""Functions of Python that say when they are entered, for Python 3.11: from 3.12 on, `sys.monitoring` tells.

A profile function hears of that too, and of every other call, which makes all that Keras does take twice as long. Here the
functions in question say it themselves: one call is put at the beginning of their own code, where it is heard under whatever
name, in whatever thread they are called. Nothing else about them changes, not even their lines.
"""

from __future__ import annotations

import opcode
import types
from collections.abc import Callable

UNIT = 2  # bytes of an instruction, and of each entry of the cache after it
NO_PLACE = 15  # of the kinds of entries in a table of lines: instructions that stand for no line
LONGEST = 8  # instructions and cache entries that one entry of the table of lines can cover


def hook(function: types.FunctionType, say: Callable[[], None]) -> None:
    """Have a function call `say` whenever it is entered, which finds it in the frame beneath its own."""
    function.__code__ = _saying(function.__code__, say)


def _saying(code: types.CodeType, say: Callable[[], None]) -> types.CodeType:
    names = opcode.opmap
    place = next(i for i in range(0, len(code.co_code), UNIT) if code.co_code[i] == names["RESUME"]) // UNIT + 1
    number = len(code.co_consts)
    wide = [("EXTENDED_ARG", part) for part in number.to_bytes(4, "big").lstrip(b"\0")[:-1]]
    caches = opcode._inline_cache_entries  # type: ignore[attr-defined]  # of Python 3.11, which is where this is needed
    added = b"".join(bytes([names[name], argument]) + bytes(UNIT * caches[names[name]]) for name, argument
                     in [("PUSH_NULL", 0), *wide, ("LOAD_CONST", number & 0xFF), ("PRECALL", 0), ("CALL", 0), ("POP_TOP", 0)])
    size = len(added) // UNIT
    return code.replace(
        co_code=code.co_code[:UNIT * place] + added + code.co_code[UNIT * place:],  # jumps are relative, and none goes over this
        co_consts=(*code.co_consts, say), co_stacksize=code.co_stacksize + 2,
        co_linetable=_lines(code.co_linetable, place, size), co_exceptiontable=_handlers(code.co_exceptiontable, place, size))


def _lines(table: bytes, place: int, size: int) -> bytes:
    """The table of lines with `size` instructions without a line at `place`; its format is CPython's Objects/locations.md."""
    covered = i = 0
    while covered < place:
        covered += (table[i] & 7) + 1
        i += 1
        while i < len(table) and not table[i] & 0x80:  # an entry's first byte has this bit, its others do not
            i += 1
    parts = [min(LONGEST, size - done) for done in range(0, size, LONGEST)]
    return table[:i] + bytes(0x80 | NO_PLACE << 3 | part - 1 for part in parts) + table[i:]


def _handlers(table: bytes, place: int, size: int) -> bytes:
    """The table of exception handlers with `size` instructions more at `place`; its format is CPython's
    Objects/exception_handling_notes.txt."""
    numbers, value = [], 0
    for byte in table:
        value = value << 6 | byte & 0x3F
        if not byte & 0x40:  # the last byte of a number
            numbers.append(value)
            value = 0
    made = bytearray()
    for start, length, target, rest in zip(*[iter(numbers)] * 4):
        if start < place < start + length:
            length += size
        moved = [start + size * (start >= place), length, target + size * (target >= place), rest]
        for n, value in enumerate(moved):
            parts = [value >> 6 * i & 0x3F for i in reversed(range(max(1, -(-value.bit_length() // 6))))]
            made += bytes([part | 0x40 for part in parts[:-1]] + parts[-1:])
            if n == 0:
                made[-len(parts)] |= 0x80  # where an entry begins
    return bytes(made)
