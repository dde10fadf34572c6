"""Functions that say that they are entered are otherwise what they were (Python 3.11; later ones are asked another way)."""

import dis
import inspect
import sys
import types

import keras
import pytest
import tensorflow as tf

from autograder.inside import hooks

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 12), reason="nothing is hooked there")
MODULES = ("asyncio", "inspect", "tensorflow.python.ops.nn", "keras.src.optimizers")


def functions():
    for name, module in list(sys.modules.items()):
        if isinstance(module, types.ModuleType) and name.startswith(MODULES):
            for thing in list(vars(module).values()):
                yield from [item for item in (thing, *(vars(thing).values() if isinstance(thing, type) else ()))
                            if isinstance(item, types.FunctionType)]


def test_jumps_handlers_and_lines_of_many_functions_move_together():
    """The standard library reads what we wrote: `dis` for jumps and handlers, the interpreter itself for positions."""
    codes = {function.__code__ for function in functions()}
    assert len(codes) > 800 and tf.nn.softmax and keras.layers.Dense
    for code in codes:
        made = hooks._saying(code, print)
        place = next(item.offset for item in dis.get_instructions(code) if item.opname == "RESUME") + 2
        size = len(made.co_code) - len(code.co_code)

        def moved(offset, place=place, size=size):
            return offset + size * (offset >= place)

        def jumps(code):
            return [(item.offset, item.argval) for item in dis.get_instructions(code) if item.opcode in (*dis.hasjrel, *dis.hasjabs)]

        positions, now = list(code.co_positions()), list(made.co_positions())
        assert now == positions[:place // 2] + [(None,) * 4] * (size // 2) + positions[place // 2:]
        assert jumps(made) == [(moved(start), moved(end)) for start, end in jumps(code)]
        assert [(item.start, item.end, item.target, item.depth, item.lasti) for item in dis._parse_exception_table(made)] == [
            (moved(item.start), moved(item.end), moved(item.target), item.depth, item.lasti)
            for item in dis._parse_exception_table(code)], code


def test_a_hooked_function_does_what_it_did_and_says_so():
    said = []

    def say():
        said.append(sys._getframe(1).f_code.co_name)

    def counts(limit, *, wrong=3):
        try:
            for number in range(limit):
                if number == wrong:
                    raise ValueError
                yield number
        except ValueError:
            yield said

    class Base:
        def method(self, a, *more, c=1, **rest):
            return __class__, a, more, c, rest

    signature = inspect.signature(Base.method)
    for function in (counts, Base.method):
        hooks.hook(function, say)
    assert list(counts(9)) == [0, 1, 2, said] and said == ["counts"]
    assert Base().method(1, 2, d=3) == (Base, 1, (2,), 1, {"d": 3}) and said == ["counts", "method"]
    assert inspect.signature(Base.method) == signature


def test_a_function_with_many_constants_is_hooked_too():
    source = "def many():\n    return [" + ", ".join(f"{n}.5" for n in range(300)) + "][-1]"
    space, said = {}, []
    exec(source, space)
    space["many"].__code__ = space["many"].__code__.replace(co_consts=(*space["many"].__code__.co_consts, *map(str, range(70_000))))
    hooks.hook(space["many"], lambda: said.append(1))
    assert space["many"]() == 299.5 and said == [1]
