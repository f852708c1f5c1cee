-- Takes one token.
-- KEYS[1] the bucket; ARGV[1] its rate; ARGV[2] its capacity
return take(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]))
