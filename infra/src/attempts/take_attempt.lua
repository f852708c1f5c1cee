-- Takes an attempt from a bucket: a key that expires when the bucket is full.
-- KEYS[1] the bucket; ARGV[1] milliseconds in which one attempt becomes available; ARGV[2] those in which an empty bucket
-- becomes full
-- Returns: 0 if an attempt was taken, otherwise the milliseconds until the bucket has one
local missing = math.max(0, redis.call('PTTL', KEYS[1])) + tonumber(ARGV[1])
local wait = missing - tonumber(ARGV[2])
if wait > 0 then
    return wait
end
redis.call('SET', KEYS[1], '', 'PX', missing)
return 0
