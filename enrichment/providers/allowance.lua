-- What one address may ask of a venue: weights by the second they were spent in, none of which is older than a minute.
-- KEYS: spent, held    ARGV: weight, limit    Returns milliseconds to wait, 0 when taken; negative when the venue has asked us to wait.
local held = redis.call('PTTL', KEYS[2])
if held > 0 then return -held end
local weight, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1])
local spent, used, seconds = redis.call('HGETALL', KEYS[1]), 0, {}
for i = 1, #spent, 2 do
  local second, sum = tonumber(spent[i]), tonumber(spent[i + 1])
  if second + 60 < now then
    redis.call('HDEL', KEYS[1], spent[i])
  else
    used = used + sum
    seconds[#seconds + 1] = {second, sum}
  end
end
if used + weight > limit then
  table.sort(seconds, function(a, b) return a[1] < b[1] end)
  local left, last = used, now
  for _, each in ipairs(seconds) do
    left, last = left - each[2], each[1]
    if left + weight <= limit then break end
  end
  return math.max((last + 61 - now) * 1000 - math.floor(tonumber(time[2]) / 1000), 1)
end
redis.call('HINCRBY', KEYS[1], time[1], weight)
redis.call('EXPIRE', KEYS[1], 62)
return 0
