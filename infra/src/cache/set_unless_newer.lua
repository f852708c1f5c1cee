-- Stores an entry, unless the stored one has a newer version.
-- KEYS[1] the key; ARGV[1] the entry, which begins with its version and a colon; ARGV[2] its version; ARGV[3] its time to
-- live in milliseconds
-- Returns: nothing
local stored = redis.pcall('GET', KEYS[1])
-- `pcall` returns a table if the key holds a value of another type, which is overwritten.
local version = type(stored) == 'string' and tonumber(string.match(stored, '^(%d+):'))
if not version or version <= tonumber(ARGV[2]) then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
end
