-- Takes one token out of a bucket.
-- KEYS[1] the bucket; ARGV[1] tokens per second; ARGV[2] tokens that it holds when full
-- Returns: 1 if there was a token, the tokens left, milliseconds to the next token or to a full bucket
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])

-- The server's clock, so that processes with different clocks share a bucket fairly.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000

local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(bucket[1]) or burst
local at = tonumber(bucket[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) * rate / 1000)

local allowed = tokens >= 1
if allowed then
    tokens = tokens - 1
end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(now))
-- A bucket that is full again need not be remembered.
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - tokens) * 1000 / rate) + 1000)

local missing = allowed and (burst - tokens) or (1 - tokens)
return { allowed and 1 or 0, math.floor(tokens), math.ceil(missing * 1000 / rate) }
