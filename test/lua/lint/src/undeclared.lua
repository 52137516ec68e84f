local json = require("json")
local time = require("time")
local words = require 'words'
local text = require("string")

return { main = function() return json, time, words, text, require("process") end }
