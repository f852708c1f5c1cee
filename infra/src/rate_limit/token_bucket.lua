-- Takes one token from a token bucket.
-- bucket: its key; rate: the refill rate in tokens per second; burst: the capacity in tokens
-- Returns: 1 if a token was taken, otherwise 0; the remaining tokens; milliseconds until the bucket is full if a token was
-- taken, otherwise until the next token
local function take(bucket, rate, burst)
    -- The clock of Redis, so that processes with skewed clocks use the same time.
    local time = redis.call('TIME')
    local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000

    -- Another program may have written anything: what is no bucket counts as a full one, so that a tenant gets one burst more
    -- at most, and is never locked out.
    local function number(text, lowest, highest, default)
        local n = tonumber(text)
        if not n or n ~= n then
            return default
        end
        return math.max(lowest, math.min(highest, n))
    end
    local stored = redis.pcall('HMGET', bucket, 'tokens', 'at')
    if stored.err then
        redis.call('DEL', bucket)
        stored = {}
    end
    local at = number(stored[2], 0, now, now)
    local tokens = math.min(burst, number(stored[1], 0, burst, burst) + (now - at) * rate / 1000)

    local allowed = tokens >= 1
    if allowed then
        tokens = tokens - 1
    end
    redis.call('HSET', bucket, 'tokens', tostring(tokens), 'at', tostring(now))
    -- A full bucket equals a missing one, so it may expire.
    redis.call('PEXPIRE', bucket, math.ceil((burst - tokens) * 1000 / rate) + 1000)

    local missing = allowed and (burst - tokens) or (1 - tokens)
    return { allowed and 1 or 0, math.floor(tokens), math.ceil(missing * 1000 / rate) }
end
