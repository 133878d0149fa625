"""Where hitpath keeps entries in Redis, and how to write one so that every process hears of it: src/codec/ENVELOPE.md.

The commands are lists of arguments, for `execute_command(*command)` of redis-py or any other client.
"""

import binascii

# KEYS: seq, gen, bus, entry, lease. ARGV: origin, name, field, ms to live, envelope; without the last a deletion.
WRITE = """
local time = redis.call('TIME')
local version = math.max((tonumber(redis.call('GET', KEYS[1]) or 0) or 0) + 1, time[1] * 1000000 + time[2])
local digits = string.format('%.0f', version)
redis.call('SET', KEYS[1], digits)
redis.call('HSET', KEYS[2], ARGV[3], digits)
redis.call('DEL', KEYS[5])
if ARGV[5] then
  redis.call('SET', KEYS[4], ARGV[5], 'PX', ARGV[4])
  redis.call('SETRANGE', KEYS[4], 24, struct.pack('<d', version))
else
  redis.call('UNLINK', KEYS[4])
end
local tail = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 10000, '*', 'k', ARGV[5] and 's' or 'd', 'n', ARGV[2], 'v', digits,
  'o', ARGV[1], 'p', tail[1] and tail[1][1] or '0-0')
return digits
"""


class Keys:
    """The keys of one namespace. `buckets`: 1, or what the stores of a Cluster were given (8)."""

    def __init__(self, namespace="default", prefix="hp", buckets=1):
        self.stem, self.buckets = f"{prefix}:{{{namespace}#", buckets
        self.epoch = f"{self.stem}0}}:epoch"

    def of(self, kind, name):
        """kind: 'e' entry, 'l' lease, 't' tag. The name of an entry is 's' and the string key, or 'n' and the number."""
        return f"{self._bucket(name)}{kind}:{name}"

    def put(self, name, envelope, ttl_ms, origin="python"):
        return self._write(name, [origin, name, field(name), int(ttl_ms), envelope])

    def delete(self, name, origin="python"):
        return self._write(name, [origin, name, field(name), 0])

    def _write(self, name, arguments):
        bucket = self._bucket(name)
        keys = [bucket + "seq", bucket + "gen", bucket + "bus", self.of("e", name), self.of("l", name)]
        return ["EVAL", WRITE, 5, *keys, *arguments]

    def _bucket(self, name):
        return f"{self.stem}{crc16(name) % self.buckets}}}:"


def believed(head, now_ms, epoch, tag_versions):
    """Whether an entry is still what it says. `epoch` and `tag_versions` (by name) as read from Redis now, None where missing."""
    if head.fresh_until < now_ms or head.epoch != (epoch or 0):
        return False
    # a tag that Redis has forgotten may have been invalidated
    return all(tag_versions.get(tag) is not None and tag_versions[tag] <= version
               for tag, version in head.tags.items())


def crc16(name):
    return binascii.crc_hqx(name.encode(), 0)


def field(name):
    return crc16(name) >> 4 & 1023
