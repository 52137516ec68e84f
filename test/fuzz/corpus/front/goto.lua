::a:: do ::a:: goto b ::b:: end
for i = 1, 5 do if i then goto continue end ::continue:: end
repeat local x goto c ::c:: until x
while true do break end goto keyof1 ::keyof1::