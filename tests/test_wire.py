"""What crosses the boundary comes back as it was, and nothing that arrives can do harm."""

import json
import random
import socket
import threading
import time

import numpy as np
import pytest

from autograder.inside import wire


def test_messages_come_back_as_they_were():
    message = {"text": "é\n", "numbers": [1, 2.5, True, None, float("inf")], "empty": {},
               "arrays": [np.arange(6, dtype=np.int32).reshape(2, 3), {"deep": np.zeros((0, 4), np.float64)},
                          np.array(3.5, np.float32), np.array([True, False]), np.array(True), np.array([1j], np.complex64)]}
    back = wire.unpack(wire.pack(message))
    assert back["text"] == message["text"] and back["numbers"] == message["numbers"] and back["empty"] == {}
    sent = [message["arrays"][0], message["arrays"][1]["deep"], *message["arrays"][2:]]
    received = [back["arrays"][0], back["arrays"][1]["deep"], *back["arrays"][2:]]
    for right, got in zip(sent, received):
        assert right.dtype == got.dtype and right.shape == got.shape
        np.testing.assert_array_equal(right, got)


def test_a_transposed_array_keeps_its_shape_and_values():
    array = np.arange(6.0).reshape(2, 3).T
    np.testing.assert_array_equal(wire.unpack(wire.pack({"a": array}))["a"], array)


@pytest.mark.parametrize("value", [np.array([object()]), np.array(["a"]), object(), {1, 2}, np.datetime64("2026-01-01")])
def test_what_is_not_plain_data_is_refused(value):
    with pytest.raises((wire.WireError, TypeError)):
        wire.pack({"value": value})


def frame(data, arrays, body=b""):
    header = json.dumps({"data": data, "arrays": arrays}).encode()
    return wire.PREFIX.pack(len(header) + len(body), len(header)) + header + body


@pytest.mark.parametrize("bad", [
    b"", b"\0" * 5, wire.PREFIX.pack(10, 20) + b"x" * 10, wire.PREFIX.pack(2, 2) + b"[]", wire.PREFIX.pack(4, 4) + b"\xff\xfe{}",
    frame(None, [["object", [1]]], b"x" * 8), frame(None, [["float32", [-1]]]), frame(None, [["float32", [10**9, 10**9]]]),
    frame(None, [["float64", [2]]], b"x" * 8), frame(None, [], b"left over"), frame({"$array": 3}, []), frame({"$array": "0"}, []),
    frame({"$array": True}, [["int8", [1]]], b"x"), frame(None, [["V8", [1]]], b"x" * 8), frame(None, [[["float32"], [1]]], b"xxxx"),
    frame(None, [["float32", [True]]], b"xxxx"), frame(None, [["float32", [1] * 40]], b"xxxx"), frame(None, 3),
    wire.PREFIX.pack(200_000, 200_000) + b"[" * 200_000,
])
def test_malformed_frames_raise_wire_errors_only(bad):
    with pytest.raises(wire.WireError):
        wire.unpack(bad)


def test_a_message_nested_without_end_is_refused():
    deep = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(wire.WireError):
        wire.pack(deep)
    with pytest.raises(wire.WireError):
        wire.unpack(frame(deep, []))


def test_random_damage_never_raises_anything_else():
    good = wire.pack({"a": np.arange(12.0).reshape(3, 4), "b": [1, "x", {"c": np.zeros(2, np.int8)}]})
    rng = random.Random(0)
    refused = 0
    for _ in range(3000):
        damaged = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            wire.unpack(bytes(damaged[:rng.choice([len(good), rng.randrange(len(good))])]))
        except wire.WireError:
            refused += 1
    assert refused > 1000


def test_a_trickling_sender_gains_no_time_and_a_huge_announcement_allocates_nothing():
    ours, theirs = socket.socketpair()
    stop = threading.Event()

    def trickle():
        payload = wire.pack({"a": np.zeros(100)})
        for byte in payload:
            if stop.wait(0.05):
                return
            theirs.send(bytes([byte]))

    thread = threading.Thread(target=trickle)
    thread.start()
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        wire.receive(ours, 0.3)
    stop.set()
    thread.join()
    assert time.monotonic() - start < 5
    ours.close()
    theirs.close()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(wire.PREFIX.pack(2**60, 10))
        with pytest.raises(wire.WireError):
            wire.receive(ours, 5)


def test_a_closed_channel_is_an_end_of_file():
    ours, theirs = socket.socketpair()
    theirs.close()
    with pytest.raises(EOFError):
        wire.receive(ours, 5)
