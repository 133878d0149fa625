"""Envelopes of hitpath in Python: src/codec/ENVELOPE.md and src/codec/wire.ts, with msgpack and numpy.

    head, value = decode(data)      # None when the bytes are no envelope; value is None when head.negative
    data = encode(Head(fresh_until=ms), value)

JavaScript               Python
null, boolean, string    None, bool, str
undefined                UNDEFINED
number                   int within 32 bits, else float
BigInt                   int. Written as BigInt: an int beyond 32 bits, and BigInt(n)
Date, invalid Date       msgpack.Timestamp (a datetime with a time zone is written too), INVALID_DATE
Buffer                   bytes
ArrayBuffer, DataView    ArrayBuffer, DataView: both are bytes
NdArray                  numpy.ndarray, a read-only view of the data
typed array              JsArray of one dimension: a numpy.ndarray that is written as a typed array
array, dictionary        list (or tuple), dict with str keys
Map, Set                 Map(pairs), Set(items): keys and items may be of any type
Error, RegExp            Error(name, message, cause), RegExp(source, flags)
"""

import struct
import sys
import zlib
from dataclasses import dataclass, field

import msgpack
import numpy

MAGIC = b"\xc1h\x01"
COMPRESSED, NEGATIVE = 1, 2
HEAD = struct.Struct("<3sBIdddfHHd")  # 48 bytes, the epoch last
TAG = struct.Struct("<dH")
FOREVER = float("inf")


@dataclass
class Head:
    fresh_until: float  # wall clock of the Redis server, ms
    dead_at: float = None  # default: fresh_until
    version: int = 0  # time.time_ns() // 1000, unless a script of hitpath fills it in
    factory_ms: float = 0.0
    epoch: int = 0
    tags: dict = field(default_factory=dict)  # name: version
    negative: bool = False


def encode(head, value=None, compress=False):
    payload = b"" if head.negative else encode_value(value)
    flags, stored = (NEGATIVE, b"") if head.negative else (0, payload)
    if compress and not head.negative:
        deflate = zlib.compressobj(wbits=-15)
        smaller = deflate.compress(payload) + deflate.flush()
        if len(smaller) <= 0.9 * len(payload):
            flags, stored = COMPRESSED, smaller
    tags = b""
    for name, version in head.tags.items():
        encoded = name.encode()
        tags += TAG.pack(version, len(encoded)) + encoded
    tags += bytes(-len(tags) % 8)
    dead_at = head.fresh_until if head.dead_at is None else head.dead_at
    return HEAD.pack(MAGIC, flags, len(payload), head.fresh_until, dead_at, head.version,
                     head.factory_ms, len(head.tags), 8 + len(tags), head.epoch) + tags + stored


def decode(data, max_bytes=512 << 20):
    """(Head, value), or None when `data` is no envelope of this format or one that is damaged."""
    try:
        magic, flags, size, fresh, dead, version, factory_ms, count, section, epoch = HEAD.unpack_from(data)
        if magic != MAGIC or flags > NEGATIVE or size > max_bytes or section % 8 or not dead >= fresh >= 0:
            return None
        at, tags = HEAD.size, {}
        for _ in range(count):
            tag_version, length = TAG.unpack_from(data, at)
            at += TAG.size + length
            tags[bytes(data[at - length:at]).decode()] = tag_version
        start = 40 + section
        if not 0 <= start - at < 8 or start > len(data):
            return None
        head = Head(fresh, dead, version, factory_ms, epoch, tags, flags == NEGATIVE)
        stored = memoryview(data)[start:]
        if head.negative:
            return (head, None) if not size and not stored else None
        if flags == COMPRESSED:
            stored = zlib.decompressobj(wbits=-15).decompress(stored, size + 1)
        return (head, decode_value(stored)) if len(stored) == size else None
    except (ValueError, TypeError, LookupError, RecursionError, struct.error, zlib.error,
            msgpack.UnpackException):
        return None


# Values. What msgpack has no type for is an array that opens with extension 0x68, whose byte says what it is.

UNDEFINED_EXT, TAG_EXT, ARRAY_EXT = 0, 0x68, 0x6E
MAP, SET, DICT, ERROR, REGEXP, BIGINT, STRING, DATE, REFERENCE = range(9)
NDARRAY, TYPED_ARRAY, ARRAY_BUFFER, DATA_VIEW = range(4)
CLAMPED = 3
DTYPES = (None, "i1", "u1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")


class JsArray(numpy.ndarray):
    """A typed array of JavaScript, or an ndarray of clamped bytes, for which numpy has no type."""
    kind, clamped = NDARRAY, False


class ArrayBuffer(bytes):
    pass


class DataView(bytes):
    pass


class BigInt(int):
    pass


class Constant:
    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return self.name


UNDEFINED, INVALID_DATE = Constant("UNDEFINED"), Constant("INVALID_DATE")


@dataclass
class Map:
    pairs: list


@dataclass
class Set:
    items: list


@dataclass
class Error:
    name: str
    message: str
    cause: object = UNDEFINED


@dataclass
class RegExp:
    source: str
    flags: str


def typed_array(values, dtype, clamped=False):
    array = numpy.ascontiguousarray(values, dtype).reshape(-1).view(JsArray)
    array.kind, array.clamped = TYPED_ARRAY, clamped
    return array


def encode_value(value):
    return msgpack.packb(_lower(value, 0), datetime=True)


def decode_value(data):
    tree = msgpack.unpackb(data, ext_hook=_extension, strict_map_key=True)
    return _raise(tree, [])


def _tag(number):
    return msgpack.ExtType(TAG_EXT, bytes([number]))


def _lower(value, position=None):
    """What msgpack can write. `position` is that of the value in the message, where it is known."""
    if isinstance(value, str):
        return value if _plain(value) else [_tag(STRING), value.encode("utf-16-le", "surrogatepass")]
    if isinstance(value, bool) or value is None or isinstance(value, float):
        return value
    if isinstance(value, int):
        return value if type(value) is int and -2**63 <= value < 2**64 else [_tag(BIGINT), format(value, "x")]
    if isinstance(value, numpy.generic):
        return _lower(value.item())
    if isinstance(value, numpy.ndarray):
        clamped = getattr(value, "clamped", False)
        return _array(getattr(value, "kind", NDARRAY), value, clamped, position)
    if isinstance(value, (ArrayBuffer, DataView)):
        kind = ARRAY_BUFFER if isinstance(value, ArrayBuffer) else DATA_VIEW
        return msgpack.ExtType(ARRAY_EXT, bytes([kind, 0, 0, 0]) + value)
    if isinstance(value, (list, tuple)):
        return [_lower(item) for item in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("the keys of a dict must be str; Map(pairs) takes others")
        if all(map(_plain, value)):
            return {key: _lower(item) for key, item in value.items()}
        return [_tag(DICT), *(_lower(part) for pair in value.items() for part in pair)]
    if isinstance(value, Map):
        return [_tag(MAP), *(_lower(part) for pair in value.pairs for part in pair)]
    if isinstance(value, Set):
        return [_tag(SET), *map(_lower, value.items)]
    if isinstance(value, Error):
        cause = [] if value.cause is UNDEFINED else [_lower(value.cause)]
        return [_tag(ERROR), _lower(value.name), _lower(value.message), *cause]
    if isinstance(value, RegExp):
        return [_tag(REGEXP), _lower(value.source), value.flags]
    if value is UNDEFINED:
        return msgpack.ExtType(UNDEFINED_EXT, b"\0")
    if value is INVALID_DATE:
        return [_tag(DATE)]
    return value  # bytes, Timestamp, datetime; packb refuses the rest


def _plain(text):
    """Whether UTF-8 keeps it: no lone surrogate, no byte order mark in front."""
    return not text.startswith("\ufeff") and not any("\ud800" <= unit <= "\udfff" for unit in text)


def _array(kind, array, clamped, position):
    little = array.dtype.newbyteorder("<")
    name = little.str.lstrip("<|")
    names = [dtype and dtype.lstrip("<") for dtype in DTYPES]
    if name == "b1":
        name = "u1"
    if name not in names:
        raise TypeError(f"arrays of {array.dtype} have no stored form")
    code = CLAMPED if clamped else names.index(name)
    shape = array.shape if kind == NDARRAY else ()
    elements = array.astype(little, copy=False).tobytes("C")
    head = bytes([kind, code, len(shape)])
    axes = struct.pack(f"<{len(shape)}I", *shape)
    padding = 0 if position is None else _padding(position + 4 + len(axes), 4 + len(axes) + len(elements))
    return msgpack.ExtType(ARRAY_EXT, head + bytes([padding]) + axes + bytes(padding) + elements)


def _padding(at, size):
    """Bytes that bring the elements to a multiple of 8. Without them a reader copies; it reads all the same."""
    for padding in range(8):
        total = size + padding
        header = 2 if total in (1, 2, 4, 8, 16) else 3 if total < 256 else 4 if total < 65536 else 6
        if (at + header + padding) % 8 == 0:
            return padding
    return 0


class _Tag(int):
    pass


def _extension(code, data):
    if code == TAG_EXT and len(data) == 1:
        return _Tag(data[0])
    if code == UNDEFINED_EXT:
        return UNDEFINED
    if code != ARRAY_EXT:
        raise ValueError(f"extension {code} is none of hitpath's")
    kind, dtype, axes, padding = data[:4]
    start = 4 + 4 * axes + padding
    if kind in (ARRAY_BUFFER, DATA_VIEW):
        return (ArrayBuffer if kind == ARRAY_BUFFER else DataView)(data[start:])
    if kind > DATA_VIEW or DTYPES[dtype] is None:
        raise ValueError("an array of a kind or dtype that does not exist")
    # numpy reads wherever the bytes lie
    array = numpy.frombuffer(data, DTYPES[dtype], offset=start)
    if kind == NDARRAY:
        array = array.reshape(struct.unpack_from(f"<{axes}I", data, 4))
    if kind == TYPED_ARRAY or dtype == CLAMPED:
        array = array.view(JsArray)
        array.kind, array.clamped = kind, dtype == CLAMPED
    return array


def _raise(node, objects):
    """What the tree stands for. `objects` are those met so far, in the order in which they open."""
    if isinstance(node, _Tag):
        raise ValueError("a tag outside its array")
    if isinstance(node, list):
        if node and isinstance(node[0], _Tag):
            return _raise_tagged(node[0], node, objects)
        objects.append(node)
        node[:] = (_raise(item, objects) for item in node)
    elif isinstance(node, dict):
        objects.append(node)
        for key in node:
            node[key] = _raise(node[key], objects)
    elif isinstance(node, (bytes, msgpack.Timestamp, numpy.ndarray)):
        objects.append(node)
    return node


def _raise_tagged(tag, node, objects):
    if tag == BIGINT:
        return BigInt(node[1], 16)
    if tag == STRING:
        return node[1].decode("utf-16-le", "surrogatepass")
    if tag == REFERENCE:
        return objects[node[1]]
    at = len(objects)
    objects.append(None)
    if tag == MAP:
        value = objects[at] = Map([])
        for i in range(1, len(node), 2):
            value.pairs.append((_raise(node[i], objects), _raise(node[i + 1], objects)))
    elif tag == SET:
        value = objects[at] = Set([])
        value.items.extend(_raise(item, objects) for item in node[1:])
    elif tag == DICT:
        value = objects[at] = {}
        for i in range(1, len(node), 2):
            key = _raise(node[i], objects)
            value[key] = _raise(node[i + 1], objects)
    elif tag == ERROR:
        value = objects[at] = Error(_raise(node[1], objects), _raise(node[2], objects))
        if len(node) > 3:
            value.cause = _raise(node[3], objects)
    elif tag == REGEXP:
        value = objects[at] = RegExp(_raise(node[1], objects), _raise(node[2], objects))
    elif tag == DATE:
        value = objects[at] = INVALID_DATE
    else:
        raise ValueError(f"tag {int(tag)} of a later version")
    return value


if sys.byteorder != "little":
    raise ImportError("a machine that is not little endian would need numpy dtypes of its own")
