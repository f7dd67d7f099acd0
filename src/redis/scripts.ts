/**
 * What Redis does in one atomic step each. Times are Redis's own, in milliseconds; an epoch has 16
 * characters. An entry of a stream has the ID "offset-time".
 *
 * A topic's meta hash has its epoch `e`, its last offset `o` and which Redis it was written by last, `r`. Another
 * Redis, or the same one started again, may not have the last publications that subscribers have seen: a
 * replica lags behind, and a disk too. It leaves out so many offsets that none of theirs is given again.
 * Whoever has seen all up to `b` has seen all up to `a`, after which the next offsets begin.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** A script, and the name that Redis gives it. */
export interface Script {
  readonly source: string;
  readonly sha: string;
}

function script(source: string): Script {
  return { source, sha: createHash("sha1").update(source).digest("hex") };
}

const NOW = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
`;

/**
 * Offsets that are left out are a multiple of this: more than a Redis can give a topic while nobody notices that
 * another one has its place. How many times as many is left to chance, since two may follow the same one.
 */
const JUMP = 1e6;

/**
 * "meta" gives a topic's epoch and last offset, and begins them where nothing is known. "fresh" is the epoch to
 * begin with, and then which Redis this is, or "*" where only Redis knows that. "jumped" gives the offset that
 * now stands for one that was seen, and whether what was seen there is lost.
 */
const META = `
local function begin(key, fresh, run)
  redis.call('DEL', key)
  redis.call('HSET', key, 'e', string.sub(fresh, 1, 16), 'o', 0, 'r', run)
  return string.sub(fresh, 1, 16), 0, run
end
local function meta(key, fresh, ttl)
  local m = redis.call('HMGET', key, 'e', 'o', 'r')
  local epoch, last, run = m[1], tonumber(m[2]), string.sub(fresh, 17)
  if run == '*' then run = string.sub(string.match(redis.call('INFO', 'server'), 'run_id:(%x+)'), 1, 16) end
  if not epoch or not last then
    epoch, last = begin(key, fresh, run)
  elseif m[3] ~= run then
    local before = redis.call('HMGET', key, 'b', 'a')
    local quiet = tonumber(before[2] or '') == last
    local at = last + ${JUMP} * (1 + tonumber(string.sub(redis.sha1hex(fresh), 1, 4), 16))
    redis.call('HSET', key, 'o', at, 'r', run, 'b', quiet and before[1] or last, 'a', at)
    last = at
  end
  redis.pcall('PEXPIRE', key, ttl)
  return epoch, last, run
end
local function jumped(key, seen)
  local m = redis.call('HMGET', key, 'b', 'a')
  local before, at = tonumber(m[1] or ''), tonumber(m[2] or '')
  if not before or seen < before or seen > at then return seen, false end
  if (seen - before) % ${JUMP} == 0 then return at, false end
  return seen, true
end
`;

/**
 * Takes offsets, appends, announces. KEYS meta, stream, idempotency key. ARGV 1 "fresh", 2 meta's time to live,
 * 3 channel, 4 count, 5 age, 6 epoch seen, 7 offset seen, 8 idempotency key's time to live or 0,
 * 9.. payloads. Answers epoch, last offset, whether it is a repeat.
 */
export const PUBLISH: Script = script(`
if ARGV[8] ~= '0' then
  local was = redis.call('GET', KEYS[3])
  if was then return {string.sub(was, 1, 16), tonumber(string.sub(was, 17)), 1} end
end
${NOW}${META}
local n = #ARGV - 8
local epoch, last, run = meta(KEYS[1], ARGV[1], ARGV[2])
local function again()
  redis.call('DEL', KEYS[2])
  epoch, last = begin(KEYS[1], ARGV[1], run)
end
-- Somebody has seen offsets that are gone.
local seen = tonumber(ARGV[7])
if ARGV[6] == epoch then
  local _, lost = false, seen > last
  if seen < last and last >= ${JUMP} then _, lost = jumped(KEYS[1], seen) end
  if lost then again() end
end
local parts = { '' }
for i = 1, n do
  local d = ARGV[i + 8]
  local added = redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], string.format('%.0f-%.0f', last + i, now), 'd', d)
  if type(added) == 'table' and added.err then
    -- The stream is ahead of its meta hash, which was lost. This happens at the first one or not at all.
    again()
    redis.call('XADD', KEYS[2], string.format('%.0f-%.0f', last + i, now), 'd', d)
  end
  parts[i + 1] = struct.pack('>I4', #d) .. d
end
parts[1] = struct.pack('>BI6I6', 1, last + 1, now) .. epoch
redis.call('HSET', KEYS[1], 'o', last + n)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
redis.call('PUBLISH', ARGV[3], table.concat(parts))
if ARGV[8] ~= '0' then redis.call('SET', KEYS[3], epoch .. string.format('%.0f', last + n), 'PX', ARGV[8]) end
return {epoch, last + n, 0}
`);

/**
 * Announces publications that are not kept. KEYS a key of the topic, idempotency key. ARGV 1 channel,
 * 2 idempotency key's time to live or 0, 3.. payloads. Answers whether it is a repeat.
 */
export const TELL: Script = script(`
if ARGV[2] ~= '0' and not redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[2]) then return 1 end
${NOW}
local parts = { struct.pack('>BI6', 2, now) }
for i = 3, #ARGV do parts[i - 1] = struct.pack('>I4', #ARGV[i]) .. ARGV[i] end
redis.call('PUBLISH', ARGV[1], table.concat(parts))
return 0
`);

/** Announces anything else. KEYS a key on the node that is to do it. ARGV 1 channel, 2 message. */
export const SEND: Script = script(`return redis.call('PUBLISH', ARGV[1], ARGV[2])`);

/**
 * Reads. KEYS meta, stream. ARGV 1 "fresh", 2 meta's time to live, 3 age, 4 epoch asked for or '',
 * 5 offset or '', 6 limit, 7 bytes or -1, 8 'r' for newest first. Answers epoch, last offset, time, 1 for
 * whole, 0 for not, 2 where what comes up to the offset is lost, then offset and time as text, and payload, of each.
 */
export const READ: Script = script(`
${NOW}${META}
local epoch, last = meta(KEYS[1], ARGV[1], ARGV[2])
local after, limit, bytes, reverse = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8] == 'r'
local oldest = now - ARGV[3]
local out = { epoch, last, now, 1 }
local function parse(id) local o, t = string.match(id, '^(%d+)-(%d+)$') return tonumber(o), tonumber(t) end
if ARGV[4] ~= '' and ARGV[4] ~= epoch then out[4] = 0 return out end
local lost = false
if after and not reverse and after ~= last then after, lost = jumped(KEYS[1], after) end
if lost then out[4] = 2 return out end
if after and not reverse and after ~= last then
  local first = after < last and redis.call('XRANGE', KEYS[2], string.format('%.0f', after + 1), string.format('%.0f', after + 1))[1]
  local _, time = parse(first and first[1] or '')
  if not time or time <= oldest then out[4] = 0 return out end
end
local from = reverse and (after and string.format('(%.0f-0', after) or '+') or string.format('%.0f', (after or 0) + 1)
local size, read = 0, 0
while read < limit and (bytes < 0 or size < bytes) do
  local entries = reverse and redis.call('XREVRANGE', KEYS[2], from, '-', 'COUNT', math.min(16, limit - read))
    or redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', math.min(16, limit - read))
  if #entries == 0 then break end
  for _, entry in ipairs(entries) do
    if bytes >= 0 and size >= bytes then break end
    local offset, time = parse(entry[1])
    if time > oldest then
      out[#out + 1] = entry[1]
      out[#out + 1] = entry[2][2]
      read, size = read + 1, size + #entry[2][2]
    elseif reverse then
      return out
    end
  end
  from = '(' .. entries[#entries][1]
end
return out
`);

/**
 * Tells where topics stand. KEYS their meta hashes. ARGV 1 "fresh", 2.. time to live of each and the offset seen.
 * Answers epoch and offset of each: the one seen, where nothing was published since.
 */
export const POSITIONS: Script = script(`
${META}
local out = {}
for i, key in ipairs(KEYS) do
  local epoch, last = meta(key, ARGV[1], ARGV[2 * i])
  local seen = tonumber(ARGV[2 * i + 1])
  out[2 * i - 1], out[2 * i] = epoch, seen ~= last and jumped(key, seen) == last and seen or last
end
return out
`);

/** Begins a new epoch. KEYS meta, stream. ARGV 1 "fresh", 2 meta's time to live, 3 epoch to end. Answers epoch and offset. */
export const RENEW: Script = script(`
${META}
local epoch, last, run = meta(KEYS[1], ARGV[1], ARGV[2])
if epoch == ARGV[3] then
  epoch, last = begin(KEYS[1], ARGV[1], run)
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  redis.call('DEL', KEYS[2])
end
return { epoch, last }
`);

/**
 * Looks for publications of which no answer came. KEYS meta, stream. ARGV 1 time before
 * which they were not sent, 2.. their names. Answers the epoch, whether what is not found
 * is certainly not there, and the offset of each or 0.
 */
export const FIND: Script = script(`
local epoch = redis.call('HGET', KEYS[1], 'e') or ''
local wanted, found = {}, {}
for i = 2, #ARGV do wanted[ARGV[i]] = i; found[i] = 0 end
local missing, sure, from = #ARGV - 1, 0, '+'
local since = tonumber(ARGV[1])
for _ = 1, 100 do
  local entries = redis.call('XREVRANGE', KEYS[2], from, '-', 'COUNT', 100)
  if missing == 0 or #entries == 0 then break end
  for _, entry in ipairs(entries) do
    local offset, time = string.match(entry[1], '^(%d+)-(%d+)$')
    local d = entry[2][2]
    local i = wanted[string.sub(d, 4, 3 + struct.unpack('>I2', d, 2))]
    if i then found[i] = tonumber(offset); missing = missing - 1 end
    if tonumber(time) < since or offset == '1' then sure = 1 end
  end
  if sure == 1 then break end
  from = '(' .. entries[#entries][1]
end
local out = { epoch, sure }
for i = 2, #ARGV do out[i + 1] = found[i] end
return out
`);

const DEAD = `
${NOW}
local function forget(members, infos)
  local dead = redis.call('ZRANGEBYSCORE', members, '-inf', now)
  for i = 1, #dead, 500 do
    redis.call('ZREM', members, unpack(dead, i, math.min(i + 499, #dead)))
    redis.call('HDEL', infos, unpack(dead, i, math.min(i + 499, #dead)))
  end
end
`;

/**
 * Writes members. KEYS members and infos of each topic. ARGV 1 time to live, 2.. which topic, name and info
 * of each member.
 */
export const ENTER: Script = script(`
${DEAD}
for i = 1, #KEYS, 2 do forget(KEYS[i], KEYS[i + 1]) end
for i = 2, #ARGV, 3 do
  local k = 2 * ARGV[i] + 1
  redis.call('ZADD', KEYS[k], now + ARGV[1], ARGV[i + 1])
  redis.call('HSET', KEYS[k + 1], ARGV[i + 1], ARGV[i + 2])
end
for i = 1, #KEYS do redis.call('PEXPIRE', KEYS[i], 2 * ARGV[1]) end
return #KEYS
`);

/** Takes members out. KEYS members and infos of each topic. ARGV which topic, and name, of each member. */
export const LEAVE: Script = script(`
for i = 1, #ARGV, 2 do
  local k = 2 * ARGV[i] + 1
  redis.call('ZREM', KEYS[k], ARGV[i + 1])
  redis.call('HDEL', KEYS[k + 1], ARGV[i + 1])
end
return #KEYS
`);

/** Lists members. KEYS members, infos. ARGV 1 limit. Answers name and info of each. */
export const MEMBERS: Script = script(`
${NOW}
local out = {}
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', now), '+inf', 'LIMIT', 0, ARGV[1])
for i, id in ipairs(ids) do
  out[2 * i - 1] = id
  out[2 * i] = redis.call('HGET', KEYS[2], id) or ''
end
return out
`);

/** Counts members. KEYS members, infos. Answers connections and users. */
export const COUNT: Script = script(`
${DEAD}
forget(KEYS[1], KEYS[2])
local users, seen = 0, {}
local infos = redis.call('HVALS', KEYS[2])
for _, info in ipairs(infos) do
  local user = string.sub(info, 5, 4 + struct.unpack('>I4', info))
  if not seen[user] then seen[user] = true; users = users + 1 end
end
return { #infos, users }
`);
