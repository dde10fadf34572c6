"""Named arrays to bytes and back, without pickle: the only form in which data crosses the sandbox's boundary.

A message is plain data (dict, list, str, int, float, bool, None) with NumPy arrays anywhere in it. A frame is the length
of the whole, the length of a JSON header, the header, and the arrays' raw bytes. `unpack` trusts nothing: dtypes are
on a white list, sizes are checked before anything is allocated.
"""

from __future__ import annotations

import json
import math
import re
import select
import socket
import struct
import time
from typing import Any

import numpy as np

DTYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
          "float16", "float32", "float64", "complex64", "complex128")
MAX_FRAME = 128 * 2**20  # bytes
MAX_HEADER = 4 * 2**20  # bytes
MAX_ITEMS = 100_000  # in a header: a list of nothing takes 3 bytes there and 100 in memory
MAX_DEPTH = 50
ARRAY = "$array"  # {"$array": 3} in the header stands for the fourth array
PREFIX = struct.Struct("<QI")
STRING = re.compile(rb'(?s)"(?:[^"\\]|\\.)*+"?')  # linear, whatever it is given


class WireError(ValueError):
    """A frame that does not follow the protocol."""


def flatten(message: Any) -> tuple[Any, list[np.ndarray]]:
    """Split a message into JSON-able data and the arrays it refers to."""
    arrays: list[np.ndarray] = []

    def visit(value, depth):
        if depth > MAX_DEPTH:
            raise WireError(f"a message may be nested {MAX_DEPTH} deep at most")
        if isinstance(value, np.ndarray):
            if value.dtype.name not in DTYPES:
                raise WireError(f"cannot send an array of dtype {value.dtype}")
            arrays.append(np.ascontiguousarray(value).reshape(value.shape))
            return {ARRAY: len(arrays) - 1}
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, dict):
            return {str(key): visit(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [visit(item, depth + 1) for item in value]
        if value is None or isinstance(value, (str, int, float, bool)):
            return value
        raise WireError(f"cannot send a {type(value).__name__}")

    return visit(message, 0), arrays


def restore(data: Any, arrays: list[np.ndarray]) -> Any:
    """The inverse of `flatten`; tuples come back as lists."""

    def visit(value, depth):
        if depth > MAX_DEPTH:
            raise WireError(f"a message may be nested {MAX_DEPTH} deep at most")
        if isinstance(value, dict):
            if set(value) == {ARRAY}:
                index = value[ARRAY]
                if type(index) is not int or not 0 <= index < len(arrays):
                    raise WireError("a message refers to an array it does not hold")
                return arrays[index]
            return {key: visit(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [visit(item, depth + 1) for item in value]
        return value

    return visit(data, 0)


def pack(message: Any) -> bytes:
    """A message as the body of a frame."""
    data, arrays = flatten(message)
    header = json.dumps({"data": data, "arrays": [[array.dtype.name, list(array.shape)] for array in arrays]},
                        sort_keys=True, separators=(",", ":")).encode()
    body = b"".join([header, *(array.tobytes() for array in arrays)])
    if len(header) > MAX_HEADER or len(body) > MAX_FRAME:
        raise WireError(f"a message may hold {MAX_FRAME // 2**20} MB at most")
    return PREFIX.pack(len(body), len(header)) + body


def unpack(frame: bytes | memoryview) -> Any:
    """The message in a frame.

    Raises:
        WireError: whatever is wrong with it.
    """
    if len(frame) < PREFIX.size:
        raise WireError("a frame is cut short")
    size, header_size = PREFIX.unpack_from(frame)
    if size != len(frame) - PREFIX.size or header_size > min(size, MAX_HEADER):
        raise WireError("a frame's lengths contradict each other")
    try:
        text = bytes(frame[PREFIX.size:PREFIX.size + header_size])
        if _items(text) > MAX_ITEMS:
            raise WireError(f"a message may hold {MAX_ITEMS:,} items at most")
        header = json.loads(text)
        data, specs = header["data"], header["arrays"]
        arrays, offset = [], PREFIX.size + header_size
        for name, shape in specs:
            if name not in DTYPES or len(shape) > 32 or any(type(n) is not int or n < 0 for n in shape):
                raise WireError(f"a frame holds an array that cannot be: {str(name)[:20]}")
            dtype, count = np.dtype(name), math.prod(shape)
            if count * dtype.itemsize > len(frame) - offset:
                raise WireError("a frame promises more bytes than it holds")
            array = np.frombuffer(frame, dtype, count, offset).reshape(shape)
            if dtype == np.bool_:  # any other byte in a bool is undefined behaviour
                array = np.asarray(np.frombuffer(frame, np.uint8, count, offset).reshape(shape) != 0)  # of one entry, too
            arrays.append(array)
            offset += count * dtype.itemsize
    except WireError:
        raise
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise WireError(f"a frame cannot be read ({type(error).__name__})") from None
    if offset != len(frame):
        raise WireError("a frame holds more bytes than it promises")
    return restore(data, arrays)


def _items(header: bytes) -> int:
    """At least as many values as the header holds: counted, not parsed."""
    if len(header) <= MAX_ITEMS:
        return 0
    outside = STRING.sub(b"", header)
    return outside.count(b",") + outside.count(b"[") + outside.count(b"{")


def send(channel: socket.socket, message: Any) -> None:
    """Send one message, whole."""
    channel.sendall(pack(message))


def receive(channel: socket.socket, seconds: float | None = None, limit: int = MAX_FRAME) -> Any:
    """Wait for one message, for `seconds` in all: a sender that trickles bytes gains no time.

    Raises:
        TimeoutError: it did not arrive in time.
        EOFError: the other side is gone.
        WireError: what arrived is no message, or is larger than `limit` bytes.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    prefix = bytearray(PREFIX.size)
    _fill(memoryview(prefix), channel, deadline)
    size, _ = PREFIX.unpack(prefix)
    if size > limit:
        raise WireError(f"a reply is larger than {limit / 2**20:.0f} MB")
    frame = bytearray(PREFIX.size + size)  # the one place where a reply is: its arrays look into it
    frame[:PREFIX.size] = prefix
    _fill(memoryview(frame)[PREFIX.size:], channel, deadline)
    return unpack(memoryview(frame).toreadonly())


def readable(channel: socket.socket, seconds: float) -> bool:
    """Has something arrived, or ended, within `seconds`?"""
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _fill(buffer: memoryview, channel: socket.socket, deadline: float | None) -> None:
    while buffer:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            channel.settimeout(left)
        else:
            channel.settimeout(None)
        try:
            count = channel.recv_into(buffer)
        except ConnectionError:
            count = 0
        if not count:
            raise EOFError
        buffer = buffer[count:]
