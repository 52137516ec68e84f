x = a and(b) .. "s" not(c)..d
