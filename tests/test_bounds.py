"""What a submission can make the grader hold: counted before it is parsed, let go before it is judged."""

import json
import struct
from types import SimpleNamespace

import numpy as np
import pytest

from autograder.grading.compare import difference
from autograder.grading.grade import MAX_KEPT, _Run, kept
from autograder.grading.submission import RunCell, Submission
from autograder.inside import wire
from autograder.inside.protocol import CellDone, Outcome
from autograder.inside.worker import MAX_FIGURES, MOST_OUTPUTS, Outputs
from autograder.sandbox import sandbox as sandboxes
from autograder.sandbox.sandbox import Died, End, Limits, Room


def frame(header: bytes) -> bytes:
    return struct.pack("<QI", len(header), len(header)) + header


@pytest.mark.parametrize("data", [b"[" + b"[]," * 500_000 + b"[]]", b"[" + b"{}," * 500_000 + b"{}]", b"[" + b"1," * 1_000_000 + b"1]",
                                  b'["\\"",' + b"[]," * 500_000 + b"1]"])
def test_a_reply_of_many_tiny_things_is_refused_before_it_is_parsed(monkeypatch, data):
    monkeypatch.setattr(wire.json, "loads", lambda text: pytest.fail("it was parsed"))
    with pytest.raises(wire.WireError, match="items at most"):
        wire.unpack(frame(b'{"data":' + data + b',"arrays":[]}'))


@pytest.mark.parametrize("text", ["[,{" * 300_000, '\\",[{' * 200_000, "\\" * 400_001])
def test_what_a_text_holds_is_no_item(text):
    assert wire.unpack(wire.pack({"source": text})) == {"source": text}


def test_counting_takes_no_longer_for_a_text_that_never_ends():
    with pytest.raises(wire.WireError, match="cannot be read"):
        wire.unpack(frame(b'{"data":"' + b'\\"' * 1_900_000))


def test_of_what_is_far_too_large_only_the_shape_waits_for_judgement():
    case = SimpleNamespace(expected={"output": np.ones(3, np.float32)})
    reply = np.ones((2000, 2000), np.float32)
    got = kept(Outcome({"output": reply}), case).observation
    assert got["output"].shape == (2000, 2000) and got["output"].base.nbytes < 100
    assert difference(case.expected, got, 0, 0) == difference(case.expected, {"output": reply}, 0, 0) is not None
    many = kept(Outcome({f"{number}": reply[:100] for number in range(1000)}), case).observation
    assert sum(value.nbytes for value in many.values() if value.strides[0]) <= MAX_KEPT and len(many) < 200


def test_what_is_expected_is_kept_whole_and_does_not_hold_its_reply():
    large = np.random.default_rng(0).normal(size=(700, 1000))
    case = SimpleNamespace(expected={"output": large.astype(np.float32), "more": np.ones(4)})
    reply = np.concatenate([large.ravel(), np.ones(4)])
    got = kept(Outcome({"output": reply[:-4].reshape(large.shape), "more": reply[-4:]}), case).observation
    assert np.array_equal(got["output"], large) and difference(case.expected, got, 1e-4, 1e-5) is None
    assert all(value.base is None for value in got.values())


def test_a_cell_keeps_so_many_outputs_and_counts_the_rest():
    outputs = Outputs(10_000)
    for _ in range(MOST_OUTPUTS):
        outputs.stream("stdout", "a")
        outputs.stream("stderr", "b")
    assert len(outputs.items) == MOST_OUTPUTS and outputs.dropped == MOST_OUTPUTS // 2
    outputs = Outputs(10)
    for _ in range(5):
        outputs.display("display_data", {"image/png": "x" * (MAX_FIGURES // 2)})
    assert len(outputs.items) == 2 and outputs.undrawn == 3
    wire.pack({"outputs": outputs.listed()})  # fits


def test_a_submission_has_room_for_so_much():
    room = Room()
    item = {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo="}}
    for _ in range(3):
        sandboxes._outputs([item] * 50, room)
    assert room.dropped_pictures == 50
    assert len(room.text("x" * 2 * sandboxes.MAX_OUTPUTS)) < sandboxes.MAX_OUTPUTS < room.dropped_characters


class Turns:
    """A sandbox whose processes show much in one cell each, which ends the process that comes after."""

    limits, turn = Limits(), -1

    def fork(self, deadline):
        self.turn += 1
        cell, dies = str(self.turn // 2), self.turn % 2

        def run_cell(source, name, question):
            if name == cell and dies:
                raise Died(End.EXITED, "It ended.")
            return CellDone([{"output_type": "stream", "name": "stdout", "text": "x" * 1000}] if name == cell else [], 0)

        return SimpleNamespace(run_cell=run_cell, close=lambda: None, room=Room())


def test_outputs_are_those_of_one_process_however_many_there_were():
    cells = tuple(RunCell(f"{number}", "") for number in range(10))
    run = _Run(Submission("ada", cells, ()), Turns(), None)
    for _ in range(5):
        run.run_cells()
        assert len(json.dumps(run.outputs)) < 2000
        run._close()
    assert len(run.deadly) == 4
