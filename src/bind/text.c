/*
 * text.c - the `text` module: regular expressions, differences, splitting.
 */
#include "bind/text.h"

#include "bind/modules.h"
#include "engine/lua_api.h"

int bind_text_open(lua_State *L)
{
	lua_createtable(L, 0, 3);
	text_push_regexp(L);
	lua_setfield(L, -2, "regexp");
	text_push_diff(L);
	lua_setfield(L, -2, "diff");
	text_push_splitter(L);
	lua_setfield(L, -2, "splitter");
	return 1;
}
