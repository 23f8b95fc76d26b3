-- One sorted set holds the accepted requests of one identity: member = the request, score = its time in microseconds.
-- A request is inside a window of `span` while score > now - span, so the one at exactly now - span has left.
--
-- KEYS[1]  the set
-- ARGV     the member; the time to use ('' = this server's); then limit and span (microseconds) of each window
-- Answer   accepted, fresh, microseconds to wait; then for each window how many it holds and when the oldest of them leaves
local key, member = KEYS[1], ARGV[1]
local now = tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

-- A clock that was set back: a small step is waited out; after a large one what would lie in the future is forgotten.
redis.call('ZREMRANGEBYSCORE', key, string.format('(%.0f', now + 1000000), '+inf')
local newest = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2]
if newest then now = math.max(now, tonumber(newest)) end

local longest = 0
for i = 4, #ARGV, 2 do longest = math.max(longest, tonumber(ARGV[i])) end
redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now - longest))

-- A window is full while its limit-th newest request is still inside.
local wait = 0
for i = 3, #ARGV, 2 do
  local last = redis.call('ZREVRANGE', key, ARGV[i] - 1, ARGV[i] - 1, 'WITHSCORES')[2]
  if last then wait = math.max(wait, tonumber(last) + ARGV[i + 1] - now) end
end

-- The same member again is the same request: it is let through and costs nothing.
local known = redis.call('ZSCORE', key, member)
local fresh = not known and wait <= 0
if fresh then
  redis.call('ZADD', key, string.format('%.0f', now), member)
  redis.call('PEXPIRE', key, math.ceil(longest / 1000))
end

local answer = {(known or fresh) and 1 or 0, fresh and 1 or 0, (known or fresh) and 0 or wait}
for i = 4, #ARGV, 2 do
  local since = string.format('(%.0f', now - ARGV[i])
  local oldest = redis.call('ZRANGEBYSCORE', key, since, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  table.insert(answer, redis.call('ZCOUNT', key, since, '+inf'))
  table.insert(answer, oldest and tonumber(oldest) + ARGV[i] - now or 0)
end
return answer
