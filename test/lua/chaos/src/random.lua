-- Numbers that depend on the seed alone, for each process its own.
local random = {}

function random.new(seed)
  local x = seed % 2147483647
  if x == 0 then x = 1 end
  return function(n)
    x = x * 48271 % 2147483647
    return x % n + 1
  end
end

return random
