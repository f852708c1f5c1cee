-- Reads the cached entry of a caller, and takes one token by the plan in it. Takes none if there is no entry, or if it names no
-- active user, or other sessions. The entry is not verified here: see `RateLimiter::decide`.
-- KEYS[1] the entry; KEYS[2] the bucket of the caller's tenant
-- ARGV[1] the generation of the caller's sessions; then for each plan: its name, its rate, its capacity
-- Returns: the entry, or nil; and the plan with what `take` returned, or nil
local entry = redis.call('GET', KEYS[1])
if not entry or string.match(entry, '"sessions":(%d+)') ~= ARGV[1] then
    return { entry, false }
end
local plan = string.match(entry, '"plan":"(%l+)"')
for i = 2, #ARGV, 3 do
    if ARGV[i] == plan then
        return { entry, { plan, take(KEYS[2], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])) } }
    end
end
return { entry, false }
