type Point = {x: number, y?: number @min(0)}
type Box<T: any> = {value: T, list: Array<Box<Box<T>>>}
interface Shape : Point
  function area(self, ...: any): (number, string)
end
local p = Point(1) local q, e = Point:is(2) local r = Box(number, string) return Point.is(p), string.is(1)
