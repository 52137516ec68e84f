type Minus = | - 0 | number @min(- 5) | number @max(-
--[[x]] 1)
return Minus(-0)
