-- Every kind of thing that might be taken for a mistake, and is none.
local io = require("io")
local shapes = require("shapes")

type Point = { x: number, y: number }

interface Named
  function name(self): string
end

local EXIT = process.event.EXIT

-- Made by the library `words`, or by what it lists.
local loud = shout("x")
local digest = hash.sha256("x")

-- Asked for before it is used.
if old_api then
  old_api.call()
end
local unpack_all = table.unpack or unpack
local has_trim = string.trim ~= nil or type(math.isnan) == "function"

-- Globals of its own.
_G.counter = 1
_G.cache = cache or {}
_G.counter = counter + 1

local function place(value: any, _label: string?): (shapes.Square?, string?)
  local ok, reason = Point:is(value)
  if not ok then
    return nil, tostring(reason)
  end
  local p = Point(value)
  return shapes.square(p.x), string(p.y)
end

local function drain(ch)
  for _ in function() return ch:receive() end do
    -- Nothing to keep.
  end
end

local function visit(self, key, value, ...)
  for i = 1, 3 do
    io.print(tostring(value))
  end
  local _, second = io.read(key)
  return select("#", ...), second
end

local Object = {}
Object.__index = Object

function Object.new(): Named
  return setmetatable({}, Object)
end

function Object:name()
  return "object"
end

local handlers = {}
for name, handler in pairs({ place = place, drain = drain, visit = visit }) do
  handlers[name] = handler
end

local function main(...)
  local nan = 0 / 0
  local value, err = json.decode("{}")
  if err then
    return 1
  end
  value, err = json.decode("[]")
  if err or nan ~= nan then
    return 2
  end
  goto done
  ::done::
  return words.count(value), Object.new():name(), EXIT, loud, digest, unpack_all, has_trim, errors.NOT_FOUND
end

return { main = main, handlers = handlers }
