local function main()
  if true the
  end
end

return { main = main }
