-- Leave an answer, or why there is none, for those who wait for it and for those who ask soon.
-- KEYS: answers, asking    ARGV: token, kept ms, asked, then field and value
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('XADD', KEYS[1], 'MAXLEN', 1, '*', 'asked', ARGV[3], 'came', now, ARGV[4], ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
