local function f<T>(a: number, b: {[string]: T}, ...: any): (number?, string)
  local x: number, y = a as number + 2, b :: T
  local z = f()! .. 1.5 .. "a" .. x .. (y .. 2) .. #b
  return a!, "\x\q\65\
" :: string
end
local q = f as (a: number) -> T
(f)(1)
