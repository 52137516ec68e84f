#include "bind/http_files.h"

#include "bind/stream.h"
#include "engine/lua_api.h"

bool http_files_push_unread(lua_State *L, int options)
{
	int top = lua_gettop(L);
	lua_Integer n;

	if (lua_getfield(L, options, "files") != LUA_TTABLE) {
		lua_settop(L, top);
		return false;
	}
	n = (lua_Integer)lua_rawlen(L, -1);
	for (lua_Integer i = 1; i <= n; i++) {
		const char *content;
		size_t len = 0;

		if (lua_rawgeti(L, -1, i) == LUA_TTABLE) {
			field_string(L, lua_gettop(L), "content", &content, &len);
			lua_getfield(L, -1, "reader");
			if (len == 0 && stream_at(L, -1)) {
				lua_pop(L, 1);
				lua_replace(L, top + 1);
				lua_settop(L, top + 1);
				return true;
			}
			lua_pop(L, 1);
		}
		lua_pop(L, 1);
	}
	lua_settop(L, top);
	return false;
}

void http_files_push_shallow(lua_State *L, int idx)
{
	idx = lua_absindex(L, idx);
	lua_newtable(L);
	for (lua_pushnil(L); lua_next(L, idx);) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, -4);
	}
}

void http_files_push_copy(lua_State *L, int options)
{
	http_files_push_shallow(L, options);
	lua_getfield(L, -1, "files");
	http_files_push_shallow(L, -1);
	lua_remove(L, -2);
	for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, -1); i++) {
		if (lua_rawgeti(L, -1, i) == LUA_TTABLE) {
			http_files_push_shallow(L, -1);
			lua_rawseti(L, -3, i);
		}
		lua_pop(L, 1);
	}
	lua_setfield(L, -2, "files");
}

int http_files_read(lua_State *L, int (*drained)(lua_State *L))
{
	lua_getfield(L, -1, "reader");
	return stream_drain(L, -1, drained);
}

void http_files_store(lua_State *L, int file)
{
	lua_setfield(L, file, "content");
	lua_pushnil(L);
	lua_setfield(L, file, "reader");
}
