/**
 * The scripts that write. Each does its write, its version, its generation and its message at once, in the slot of one bucket.
 *
 * Always true: versions of a bucket only grow, max(last + 1, the server's clock in µs), so a lost counter restarts above every value
 * that was used; a generation is never given twice, so a lost one breaks fences and never mends one; whatever changes an entry is
 * announced in the same script, with the id of the message before.
 *
 * A generation is the version of the last change, with `/` and the time of that change when it was made earlier than it arrived; one
 * that was put there for a fence to stand on begins with `-`. KEYS 1 to 3 are the sequence, the generations, the bus; ARGV 1 and 2
 * the origin and the length of the bus. Only commands of Redis 6.2.
 */
import { createHash } from 'node:crypto'
import { LATE_WRITES } from './late-writes.js'

export interface Script {
  readonly lua: string
  readonly sha: string
}

/** Arguments of one write in `SET`: kind, name, field, ttl ms, generation, lease, not after, 'own' first or only if 'absent', bytes. */
export const SET_WORDS = 9

const CLOCK = `
local seq = tonumber(redis.call('GET', KEYS[1]) or 0) or 0
local time = redis.call('TIME')
local clock = time[1] * 1000000 + time[2]
local function digits(number) return string.format('%.0f', number) end
local function tick()
  seq = math.max(seq + 1, clock)
  return seq
end
local function keep() redis.call('SET', KEYS[1], digits(seq)) end
`

/** Nothing happens after the time in µs that ARGV[3] says, if it says one: the caller has given the call up. */
const BEFORE = `
if ARGV[3] ~= '' and clock >= tonumber(ARGV[3]) then return redis.error_reply('LATE its caller has given it up') end
`

/** Even versions. A change that comes late, made between ARGV[4] and ARGV[5], raises a version to the first; undefined for what is there already. */
const RAISED = `
local from, to = tonumber(ARGV[4]), tonumber(ARGV[5])
local function raised(stored)
  if not from then
    tick()
    return seq % 2 == 0 and seq or tick()
  end
  if stored > to or stored == from then return nil end
  local version = math.max(stored + 1, from)
  version = version + version % 2
  seq = math.max(seq, version)
  return version
end
`

const BUS = `
local last
local function announce(kind, name, version)
  if not last then
    local tail = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)
    last = tail[1] and tail[1][1] or '0-0'
  end
  last = redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[2], '*',
    'k', kind, 'n', name, 'v', digits(version), 'o', ARGV[1], 'p', last)
end
`

const VERSION_OF = `
local function version_of(key)
  local head = redis.call('GETRANGE', key, 0, 31)
  if #head < 32 or string.sub(head, 1, 2) ~= '\\193h' then return 0 end
  local version = struct.unpack('<d', string.sub(head, 25, 32))
  return version == version and version or 0
end
`

function script(...parts: readonly string[]): Script {
  const lua = parts.join('').trim()
  let sha: string | undefined
  return {
    lua,
    // with the first call: an import alone needs no hash
    get sha(): string {
      sha ??= createHash('sha1').update(lua).digest('hex')
      return sha
    },
  }
}

/**
 * KEYS 4..: entry and lease of each write. ARGV 3: the time in µs from which on nothing may happen, or ''; 4..: the writes. Replies with
 * each version, nil for what a fence or a newer change kept out, 0 for what was deleted because that cannot be told.
 *
 * All conditions are judged before anything is written: names of one batch that share a field do not break each other's fences. A write
 * that comes late and finds that something of its field is newer asks the bus what it was (late-writes.ts).
 */
export const SET = script(
  CLOCK,
  BUS,
  VERSION_OF,
  BEFORE,
  LATE_WRITES,
  `
local function event(generation)
  if not generation or string.sub(generation, 1, 1) == '-' then return 0 end
  return tonumber(string.match(generation, '(%d+)$')) or 0
end
local count = (#KEYS - 3) / 2
local verdicts, olds, events, oldest = {}, {}, {}, math.huge
for i = 1, count do
  local stamp = ARGV[3 + (i - 1) * 9 + 7]
  if stamp ~= '' then oldest = math.min(oldest, tonumber(stamp)) end
end
for i = 1, count do
  local at = 3 + (i - 1) * 9
  local field, generation, lease, stamp = ARGV[at + 3], ARGV[at + 5], ARGV[at + 6], ARGV[at + 7]
  local verdict = 'write'
  if generation ~= '' then
    local now = redis.call('HMGET', KEYS[2], field, '*')
    if not now[1] or not now[2] or now[1] .. '.' .. now[2] ~= generation then verdict = 'refuse' end
  end
  if lease ~= '' and redis.call('GET', KEYS[3 + 2 * i]) ~= lease then verdict = 'refuse' end
  if stamp ~= '' and verdict == 'write' then
    local now = redis.call('HMGET', KEYS[2], field, '*')
    events[i] = math.max(event(now[1]), event(now[2]))
    olds[i] = version_of(KEYS[2 + 2 * i])
    if olds[i] > tonumber(stamp) or events[i] > tonumber(stamp) then
      verdict = late(ARGV[at + 1], ARGV[at + 2], tonumber(stamp), ARGV[at + 8] == 'own', olds[i], oldest)
    end
    if ARGV[at + 8] == 'absent' and redis.call('EXISTS', KEYS[2 + 2 * i]) == 1 then verdict = 'refuse' end
  end
  verdicts[i] = verdict
end
local replies = {}
for i = 1, count do
  local at = 3 + (i - 1) * 9
  local entry, lease = KEYS[2 + 2 * i], KEYS[3 + 2 * i]
  local kind, name, field, ttl, stamp = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], tonumber(ARGV[at + 7])
  replies[i] = false
  if verdicts[i] ~= 'refuse' then
    local version = tick()
    local generation = digits(version)
    if stamp then generation = generation .. '/' .. digits(math.max(events[i], stamp)) end
    if verdicts[i] == 'delete' then
      redis.call('UNLINK', entry)
      announce(kind == 's' and 'd' or kind, name, version)
      replies[i] = 0
    else
      if stamp then version = math.max(olds[i] + 1, stamp) end
      if ttl == '' then redis.call('SET', entry, ARGV[at + 9]) else redis.call('SET', entry, ARGV[at + 9], 'PX', ttl) end
      redis.call('SETRANGE', entry, 24, struct.pack('<d', version))
      announce(kind, name, version)
      replies[i] = version
    end
    redis.call('DEL', lease)
    redis.call('HSET', KEYS[2], field, generation)
  end
end
keep()
return replies
`,
)

/**
 * KEYS 4..: entry and lease of each name; ARGV 3: not from this time on, 4..: kind, name, field of each, and the version up to which
 * it is deleted, or ''. Replies with existed and version of each.
 */
export const DELETE = script(
  CLOCK,
  BUS,
  VERSION_OF,
  BEFORE,
  `
local replies = {}
for i = 1, (#KEYS - 3) / 2 do
  local at = 4 + (i - 1) * 4
  local to = tonumber(ARGV[at + 3])
  local version = tick()
  replies[2 * i - 1] = 0
  replies[2 * i] = to or version
  if not to or version_of(KEYS[2 + 2 * i]) <= to then
    replies[2 * i - 1] = redis.call('UNLINK', KEYS[2 + 2 * i])
    redis.call('DEL', KEYS[3 + 2 * i])
    redis.call('HSET', KEYS[2], ARGV[at + 2], digits(version) .. (to and '/' .. digits(to) or ''))
    announce(ARGV[at], ARGV[at + 1], to or version)
  end
end
keep()
return replies
`,
)

/** KEYS 3..: leases; ARGV 1: ms of a lease or '', 2..: field and token of each. Replies with the version, then generation and lease of each. */
export const FENCES = script(
  CLOCK,
  `
local version = tick()
local function generation(field)
  local now = redis.call('HGET', KEYS[2], field)
  if now then return now end
  redis.call('HSET', KEYS[2], field, '-' .. digits(version))
  return '-' .. digits(version)
end
local all = generation('*')
local replies = { version }
for i = 1, (#ARGV - 1) / 2 do
  replies[2 * i] = generation(ARGV[2 * i]) .. '.' .. all
  replies[2 * i + 1] = 0
  if ARGV[1] ~= '' and redis.call('SET', KEYS[2 + i], ARGV[2 * i + 1], 'NX', 'PX', ARGV[1]) then replies[2 * i + 1] = 1 end
end
keep()
return replies
`,
)

/** KEYS 1: a lease; ARGV 1: its token. */
export const RELEASE = script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`)

/** KEYS 2..: tags; ARGV 1: ms that they must live, or ''. Replies with their versions; one that is given here is odd. */
export const TAGS = script(
  CLOCK,
  `
local ttl = tonumber(ARGV[1])
local replies, given = {}, false
for i = 2, #KEYS do
  local version = tonumber(redis.call('GET', KEYS[i]) or '')
  if not version then
    tick()
    version = seq % 2 == 1 and seq or tick()
    given = true
    redis.call('SET', KEYS[i], digits(version))
    if ttl then redis.call('PEXPIRE', KEYS[i], ttl) end
  else
    local left = redis.call('PTTL', KEYS[i])
    if left >= 0 then
      if not ttl then redis.call('PERSIST', KEYS[i])
      elseif left < ttl then redis.call('PEXPIRE', KEYS[i], digits(ttl + math.floor(ttl / 2))) end
    end
  end
  replies[i - 1] = version
end
if given then keep() end
return replies
`,
)

/**
 * KEYS 4: the tag; ARGV 3: not from this time on, 4 and 5: when it was made, if it comes late, 6: its name, 7: ms that a tag unknown
 * until now is remembered. Replies with its version.
 */
export const INVALIDATE_TAG = script(
  CLOCK,
  BUS,
  BEFORE,
  RAISED,
  `
local stored = tonumber(redis.call('GET', KEYS[4]) or 0) or 0
local version = raised(stored)
if not version then return stored end
if not redis.call('SET', KEYS[4], digits(version), 'XX', 'KEEPTTL') then
  redis.call('SET', KEYS[4], digits(version), 'PX', ARGV[7])
end
announce('t', ARGV[6], version)
keep()
return version
`,
)

/**
 * Breaks all fences of a bucket. ARGV 3: not from this time on, 4 and 5: kind and name of the message, 6: the version that it speaks
 * of, '' for the one that it is given here. Replies with the version given.
 */
export const BREAK_ALL = script(
  CLOCK,
  BUS,
  BEFORE,
  `
local said = tonumber(ARGV[6])
if said and ARGV[4] == 'c' then seq = math.max(seq, said) end
local version = tick()
redis.call('HSET', KEYS[2], '*', digits(version) .. (said and '/' .. digits(said) or ''))
announce(ARGV[4], ARGV[5], said or version)
keep()
return version
`,
)

/**
 * KEYS 4: the epoch. ARGV 3: not from this time on, 4 and 5: when it was made, if it comes late, 6: 'new', or 'known' to make one only
 * if there is none. Replies with the epoch.
 */
export const EPOCH = script(
  CLOCK,
  BUS,
  BEFORE,
  RAISED,
  `
local stored = tonumber(redis.call('GET', KEYS[4]) or 0) or 0
if ARGV[6] == 'known' and stored > 0 then return stored end
local epoch = raised(stored)
if not epoch then return stored end
redis.call('SET', KEYS[4], digits(epoch))
redis.call('HSET', KEYS[2], '*', digits(from and tick() or epoch) .. '/' .. digits(epoch))
announce('c', '', epoch)
keep()
return epoch
`,
)

/** KEYS: entries; ARGV 1: a version. Removes those that are not newer, and replies how many. */
export const REMOVE = script(
  VERSION_OF,
  `
local old = {}
for i = 1, #KEYS do
  if version_of(KEYS[i]) <= tonumber(ARGV[1]) then old[#old + 1] = KEYS[i] end
end
if #old == 0 then return 0 end
return redis.call('UNLINK', unpack(old))
`,
)

/** KEYS: entries; ARGV 1: an epoch. Removes those that were made under an older one, or are no envelopes, and replies how many. */
export const SWEEP = script(`
local old = {}
for i = 1, #KEYS do
  local head = redis.call('GETRANGE', KEYS[i], 0, 47)
  local epoch = 0
  if #head == 48 and string.sub(head, 1, 2) == '\\193h' then epoch = struct.unpack('<d', string.sub(head, 41, 48)) end
  if epoch < tonumber(ARGV[1]) then old[#old + 1] = KEYS[i] end
end
if #old == 0 then return 0 end
return redis.call('UNLINK', unpack(old))
`)

/** KEYS 1: any key of the node that is asked. Replies with seconds and microseconds. */
export const TIME = script(`return redis.call('TIME')`)
