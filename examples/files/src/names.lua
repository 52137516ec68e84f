local names = {}

-- What may be the name of a file here: nothing that leads to another folder, and no hidden files.
function names.check(name: string): string?
  if #name <= 100 and name:match("^[%w_-][%w_.-]*$") then
    return nil
  end
  return "a name has letters, digits, '-', '_' and '.', and does not begin with '.'"
end

return names
