type Square = { side: number }

local M = {}

function M.square(side: number): Square
  return { side = side }
end

M.unit = M.square(1)

return M
