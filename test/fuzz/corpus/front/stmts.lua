local a, b = 1, {1, x = 2, [3] = 4; 5}
a, b.x, b[1] = b, a, -2 ^ 2
if a then elseif b then else end
for k, v in pairs(b) do end for k in next, b, nil do end for i = 1, 2, 3 do end
function b.c:d(...) return ... end local function g() end
return a and b or not a < 1 | 2 & 3 << 4 .. 5 + 6 * 7 // 8 % ~9