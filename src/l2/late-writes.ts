/**
 * What a write that comes late asks of the bus: was this very name changed since the write was made?
 *
 * The generations of a bucket are hashed, so they say only that some name of a field changed. The bus says which: it is read once a
 * script, from the time of the oldest write on, a millisecond for about a thousand messages. Always true: a write is let through only
 * if the bus reaches back beyond the write; of a pattern what stands before its first special character decides, and when that
 * is not enough it counts as a match.
 *
 * `late(kind, name, stamp, own, old, oldest)`: 'write', 'refuse', or 'delete' when it cannot be told. `own`: messages of ARGV[1] do not
 * count. `old`: version of the entry there; newer than the write and not announced by the same origin, it stays.
 */
export const LATE_WRITES = `
local named, wide, reaches
local function look(oldest)
  named, wide = {}, {}
  local from = math.floor(oldest / 1000)
  local first = redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1)[1]
  reaches = first ~= nil and tonumber(string.match(first[1], '^%d+')) < from
  local cursor = string.format('%.0f', from)
  repeat
    local page = redis.call('XRANGE', KEYS[3], cursor, '+', 'COUNT', 1000)
    for _, entry in ipairs(page) do
      local said, fields = {}, entry[2]
      for j = 1, #fields, 2 do said[fields[j]] = fields[j + 1] end
      local message = { kind = said.k, version = tonumber(said.v) or math.huge, origin = said.o, name = said.n }
      if said.k == 's' or said.k == 'd' then
        local list = named[said.n] or {}
        named[said.n] = list
        list[#list + 1] = message
      elseif said.k == 'p' or said.k == 'c' then wide[#wide + 1] = message end
      cursor = '(' .. entry[1]
    end
  until #page < 1000
end
local function matches(message, name)
  if message.kind == 'c' then return true end
  if string.sub(name, 1, 1) ~= 's' then return false end
  local literal, rest = string.match(message.name, '^([^%*%?%[\\\\]*)(.*)$')
  if rest == '' then return name == 's' .. literal end
  return string.sub(name, 2, #literal + 1) == literal
end
local function late(kind, name, stamp, own, old, oldest)
  if kind ~= 's' then return 'delete' end
  if not named then look(oldest) end
  local mine = old <= stamp
  local function newer(message) return message.version > stamp and not (own and message.origin == ARGV[1]) end
  for _, message in ipairs(named[name] or {}) do
    if newer(message) then return 'refuse' end
    if message.kind == 's' and message.version == old then mine = true end
  end
  if not mine then return 'refuse' end
  for _, message in ipairs(wide) do
    if newer(message) and matches(message, name) then return 'refuse' end
  end
  return reaches and 'write' or 'delete'
end
`
