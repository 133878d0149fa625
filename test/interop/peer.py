"""The Python side of interop.test.ts, over stdin and stdout: frames of a u32 length and as many bytes.

    peer.py echo    for each pair of frames, a name and an envelope: checks what it knows of the name, and writes the envelope anew
    peer.py write   writes pairs of frames of its own
    peer.py commands    for each pair of frames, a name and an epoch: writes the arguments of a put and a deletion, a count before each
    peer.py judge   for each triple of frames, an envelope, an epoch and the version of the tag 'btc': writes a yes or a no
"""

import struct
import sys
from datetime import datetime, timezone

import msgpack
import numpy
from hitpath_envelope import (
    FOREVER, INVALID_DATE, UNDEFINED, ArrayBuffer, BigInt, DataView, Error, Head, JsArray, Map, RegExp, Set,
    decode, encode, typed_array,
)
from hitpath_redis import Keys, believed

NAN = object()  # equal to what is not equal to itself

EXPECTED = {
    "0": 0, "-1": -1, "2^31": 2**31, "2^53": 2.0**53, "0.1": 0.1, "NaN": NAN, "Infinity": FOREVER,
    "an empty string": "", "an emoji": "x\U0001f600", "a lone surrogate": "a\ud800b", "a byte order mark": "\ufeffx",
    "false": False, "true": True, "null": None, "an empty array": [], "an empty dictionary": {},
    "undefined inside": [UNDEFINED, {"a": UNDEFINED}],
    "a dictionary": {"bid": 1.5, "ask": 2, "nested": {"list": [1, 2], "": 0}},
    "the key __proto__": {"__proto__": {"a": 1}, "b": -0.0},
    "a key that UTF-8 would lose": {"k\ud800": 1, "plain": 2},
    "1n": 1, "-(2^63)": -2**63, "2^64 - 1": 2**64 - 1, "a BigInt of many bits": -(3**200),
    "the epoch": msgpack.Timestamp(0), "a date with milliseconds": msgpack.Timestamp(1_700_000_000, 123_000_000),
    "before the epoch": msgpack.Timestamp(-1, 999_000_000), "an invalid date": INVALID_DATE,
    "a Set": Set([1, "1", None, [2], Set([])]),
    "an Error": Error("TypeError", "wrong", {"code": 5}), "a RegExp": RegExp("a\\/b\\d+", "giu"),
    "a Buffer": b"bytes", "an ArrayBuffer": ArrayBuffer(b"\1\2\3"), "a DataView": DataView(b"\1\2\3"),
}


def formula(dtype, size):
    """The elements that values.ts puts into its ndarrays."""
    i = numpy.arange(size)
    return {
        "int8": i - 3, "uint8": i, "uint8_clamped": i, "int16": 1000 * i - 3000, "uint16": 1000 * i,
        "int32": 10**8 * i - 3 * 10**8, "uint32": 10**8 * i, "int64": 10**17 * i - 1,
        "uint64": i.astype("u8") * numpy.uint64(10**18), "float16": (0x3C00 + i).astype("u2").view("f2"),
        "float32": i / 3, "float64": i / 3,
    }[dtype]


def check(name, value):
    dtype, _, shape = name.partition(" [")
    if name in EXPECTED:
        expected = EXPECTED[name]
        assert value != value if expected is NAN else value == expected and type(value) in (type(expected), BigInt)
    elif isinstance(value, numpy.ndarray) and shape:
        shape = tuple(int(length) for length in shape.rstrip("]").split(",") if length)
        assert value.shape == shape, value.shape
        expected = formula(dtype, int(numpy.prod(shape)))
        assert value.dtype == numpy.dtype(dtype.removesuffix("_clamped")), value.dtype
        assert numpy.array_equal(value, expected.astype(value.dtype).reshape(shape))
        assert not value.flags.owndata and not value.flags.writeable
    elif name == "a Float64Array":
        assert isinstance(value, JsArray) and str(value) == "[ 0.1 -0.   nan -inf]", value


def damage(data):
    """Whatever the bytes are, decode gives a value or None."""
    for at in range(0, len(data), max(1, len(data) // 50)):
        decode(data[:at])
        for byte in (0x00, 0x68, 0x91, 0xC1, 0xC9, 0xDF, 0xFF, data[at] ^ 1):
            decode(data[:at] + bytes([byte]) + data[at + 1:])


def echo():
    names = set()
    while (name := read()) is not None:
        name = name.decode()
        data = read()
        decoded = decode(data)
        assert decoded is not None, name
        damage(data)
        head, value = decoded
        check(name, value)
        names.add(name)
        write(encode(head, value, compress=head.tags.get("compressed") == 1))
    missing = EXPECTED.keys() - names
    assert not missing, missing


def write_own():
    square = numpy.arange(12, dtype="f4").reshape(3, 4)
    values = {
        "numpy float32": square,
        "Fortran order": numpy.asfortranarray(square),
        "a strided view": numpy.arange(24, dtype="i4").reshape(4, 6)[::2, ::3],
        "big endian": numpy.arange(3, dtype=">f8"),
        "bool": numpy.array([True, False]),
        "a typed array": typed_array([1, 2, 255], "u1", clamped=True),
        "a small BigInt": BigInt(1),
        "an int beyond 32 bits": 5_000_000_000,
        "numpy scalars": [numpy.float32(0.5), numpy.int64(7), numpy.bool_(True)],
        "a datetime": datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=timezone.utc),
        "a Map": Map([(1, "a"), ((1, 2), Set([None]))]),
        "zeros": {"a": numpy.zeros((100, 10)), "text": "x" * 1000},
    }
    for name, value in values.items():
        head = Head(1_700_000_060_000, FOREVER, 1_700_000_000_000_001, 12.5, 7, {"btc": 3, "\xfcn\xef": 4})
        write(name.encode())
        write(encode(head, value, compress=name == "zeros"))
    write(b"negative")
    write(encode(Head(5, 6, negative=True)))


def commands():
    keys = Keys("interop", buckets=8)
    while (name := read()) is not None:
        name, epoch = name.decode(), int(read())
        envelope = encode(Head(FOREVER, epoch=epoch), {"from": "python", "x": numpy.arange(3.0)})
        for command in keys.put(name, envelope, 60_000), keys.delete(name):
            write(str(len(command)).encode())
            for word in command:
                write(word if isinstance(word, bytes) else str(word).encode())


def judge():
    while (data := read()) is not None:
        epoch, version = (int(word) if word else None for word in (read(), read()))
        head, _ = decode(data)
        write(b"yes" if believed(head, 1000, epoch, {"btc": version}) else b"no")


def read():
    head = sys.stdin.buffer.read(4)
    return sys.stdin.buffer.read(struct.unpack("<I", head)[0]) if head else None


def write(frame):
    sys.stdout.buffer.write(struct.pack("<I", len(frame)) + frame)


{"echo": echo, "write": write_own, "commands": commands, "judge": judge}[sys.argv[1]]()
