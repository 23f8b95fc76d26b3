-- Look for an answer, or become the one who asks the venue for it.
-- KEYS: answers (a stream that keeps its newest entry), asking (a lock)    ARGV: serves ms, token, longest call ms
-- Returns {'kept', now, fields}, {'ask', now} or {'wait', id of the newest entry}. Times are milliseconds by this server's clock.
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if newest then
  local fields = {}
  for i = 1, #newest[2], 2 do fields[newest[2][i]] = newest[2][i + 1] end
  if fields['body'] and now - tonumber(fields['asked']) < tonumber(ARGV[1]) then return {'kept', now, newest[2]} end
end
if redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then return {'ask', now} end
return {'wait', newest and newest[1] or '0-0'}
