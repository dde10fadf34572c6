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
from autograder.sandbox.meter import Usage
from autograder.sandbox.sandbox import Died, End, Limits, Room, Spent


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

    def fork(self, spent):
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
        run.close()
    assert len(run.deadly) == 4


@pytest.mark.parametrize("looks, end", [
    # (seconds on the clock, processor seconds, seconds of waiting for a processor); 5 s are allowed, 12 for everything
    ([(0, 0.1, 0), (100, 4, 96.1), (200, 5, 195)], None),  # a busy machine
    ([(0, 0.1, 0), (4, 4, 0), (6, 5.2, 1)], End.SLOW), ([(0, 0.1, 0), (2, 6, 0)], End.SLOW),  # four threads
    ([(0, 0.1, 0), (4, 0.1, 0), (6, 0.2, 0)], End.STILL), ([(0, 0.1, 0), (8, 1, 0.9)], End.STILL),
    ([(0, 0.1, 0), (4, 0.1, 0), (8, 3, 1), (9, 4, 1)], None), ([(0, 9, 0), (4, 12.1, 0)], End.LATE)])
def test_time_is_what_a_submission_runs_or_stands_still_and_not_what_others_run(monkeypatch, looks, end):
    child = SimpleNamespace(sandbox=SimpleNamespace(limits=Limits(submission_seconds=12)), spent=Spent(), _cpu=0.0)
    clock = sandboxes._Clock(child, 5)

    def look(now, cpu, waited):
        monkeypatch.setattr(sandboxes.time, "monotonic", lambda: now)
        clock.look(Usage(1, cpu, 0.0, True, waited))

    for seconds in looks[:-1]:
        look(*seconds)
    if end is None:
        look(*looks[-1])
        return
    with pytest.raises(Died) as caught:
        look(*looks[-1])
    assert (caught.value.end, caught.value.status) == (end, "timeout")


def test_a_submission_that_has_used_its_time_begins_nothing_more():
    limits = SimpleNamespace(limits=Limits(submission_seconds=12))
    for spent, words in ((Spent(cpu=12.5), "used more than 12 s of processor time"), (Spent(still=12.5), "stood still for 12 s")):
        with pytest.raises(Died, match=words):
            sandboxes._Clock(SimpleNamespace(sandbox=limits, spent=spent, _cpu=0.0), 5)
