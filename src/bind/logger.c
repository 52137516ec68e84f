/*
 * logger.c - the `logger` module: structured log records of a program. The module's value is itself a logger.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "bind/current.h"
#include "bind/modules.h"
#include "engine/lua_api.h"
#include "engine/readonly.h"
#include "value/json.h"

static const char logger_type[] = "logger";

enum { FIELDS_MAX = 64 };

/* `fields` is a map, NULL when there are none. */
struct logger {
	char *name;
	struct value *fields;
};

static int logger_gc(lua_State *L)
{
	struct logger *l = lua_touserdata(L, 1);

	free(l->name);
	value_unref(l->fields);
	*l = (struct logger){0};
	return 0;
}

static struct logger *push_logger(lua_State *L)
{
	return handle_new(L, logger_type, sizeof(struct logger));
}

/* The table at idx over `base`, as a map; string keys only. Never fails: what cannot be shown is left out. */
static struct value *merge_fields(lua_State *L, const struct value *base, int idx)
{
	struct value *map = value_map();
	size_t n = 0;

	for (size_t i = 0; i < value_count(base); i++) {
		const char *key;
		const struct value *v = value_pair(base, i, &key, NULL);

		value_map_set(map, key, value_ref((struct value *)v));
	}
	if (!lua_istable(L, idx))
		return map;
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		struct failure *f;
		struct value *v = NULL;

		if (lua_type(L, -2) != LUA_TSTRING || n++ >= FIELDS_MAX)
			continue;
		f = failure_at(L, -1);
		if (f)
			v = value_string(f->message, f->message_len);
		else if (value_from_lua(L, lua_gettop(L), &v, NULL) < 0)
			continue;
		value_map_set(map, lua_tostring(L, -2), v);
	}
	return map;
}

static struct log_field to_field(const char *key, const struct value *v, char **ret_json)
{
	struct log_field f = {.key = key};
	struct buf json = BUF_INIT;

	switch (value_type(v)) {
	case VALUE_BOOL:
		f.type = LOG_TYPE_BOOL;
		f.b = value_get_bool(v);
		break;
	case VALUE_INT:
		f.type = LOG_TYPE_INT;
		f.i = value_get_int(v);
		break;
	case VALUE_FLOAT:
		f.type = LOG_TYPE_FLOAT;
		f.f = value_get_float(v);
		break;
	case VALUE_STRING:
		f.type = LOG_TYPE_STR;
		f.str = value_get_string(v, NULL);
		break;
	default:
		json_write(v, &json);
		*ret_json = buf_detach(&json, NULL);
		f.type = LOG_TYPE_JSON;
		f.str = *ret_json;
	}
	return f;
}

static void write_record(
	lua_State *L, enum log_level level, const char *name, const char *message, const struct value *map)
{
	struct log_field fields[2 * FIELDS_MAX + 2];
	char *owned[2 * FIELDS_MAX + 2] = {0};
	char location[320], pid[PID_TEXT_MAX] = "";
	const struct process *p = current_process(L);
	size_t n = 0;
	int line;
	const char *where = caller_location(L, &line);

	for (size_t i = 0; i < value_count(map) && n < 2 * FIELDS_MAX; i++, n++) {
		const char *key;
		const struct value *v = value_pair(map, i, &key, NULL);

		fields[n] = to_field(key, v, &owned[n]);
	}
	if (p) {
		pid_format(process_pid(p), pid);
		fields[n++] = LOG_STR("pid", pid);
	}
	snprintf(location, sizeof(location), "%s:%d", where, line);
	fields[n++] = LOG_STR("location", location);
	log_write(
		&(struct log_record){.level = level, .name = name, .message = message, .fields = fields, .nfields = n});
	for (size_t i = 0; i < n; i++)
		free(owned[i]);
}

/* The field `error` of an error record is an error's text: only texts, numbers and error objects are one. */
static void keep_error_text(struct value *map)
{
	enum value_type type = value_type(value_get(map, "error"));

	if (type != VALUE_STRING && type != VALUE_INT && type != VALUE_FLOAT)
		value_map_remove(map, "error");
}

/* It is taken out of the program's table. */
static void drop_error(lua_State *L, int idx)
{
	if (!lua_istable(L, idx) || readonly_is(L, idx))
		return;
	lua_pushliteral(L, "error");
	lua_pushnil(L);
	lua_rawset(L, idx);
}

static int log_at(lua_State *L, enum log_level level)
{
	struct logger *l = handle_check(L, 1, logger_type);
	const char *message = luaL_checkstring(L, 2);
	struct value *map;

	if (!lua_isnoneornil(L, 3))
		luaL_checktype(L, 3, LUA_TTABLE);
	luaL_checkstack(L, 10, "logger");
	if (!log_enabled(level)) {
		if (level == LOG_ERROR)
			drop_error(L, 3);
		return 0;
	}
	map = merge_fields(L, l->fields, 3);
	if (level == LOG_ERROR) {
		keep_error_text(map);
		drop_error(L, 3);
	}
	write_record(L, level, l->name ? l->name : "lua", message, map);
	value_unref(map);
	return 0;
}

static int l_debug(lua_State *L)
{
	return log_at(L, LOG_DEBUG);
}

static int l_info(lua_State *L)
{
	return log_at(L, LOG_INFO);
}

static int l_warn(lua_State *L)
{
	return log_at(L, LOG_WARN);
}

static int l_error(lua_State *L)
{
	return log_at(L, LOG_ERROR);
}

static int l_with(lua_State *L)
{
	struct logger *l = handle_check(L, 1, logger_type);
	struct logger *fresh;

	luaL_checktype(L, 2, LUA_TTABLE);
	luaL_checkstack(L, 10, "logger");
	fresh = push_logger(L);
	fresh->name = xstrdup(l->name);
	fresh->fields = merge_fields(L, l->fields, 2);
	return 1;
}

static int l_named(lua_State *L)
{
	struct logger *l = handle_check(L, 1, logger_type);
	const char *name = luaL_checkstring(L, 2);
	struct logger *fresh;

	if (!name[0])
		return raise_text(L, "name cannot be empty");
	if (strlen(name) > 256)
		return raise_text(L, "name is longer than 256 bytes");
	fresh = push_logger(L);
	fresh->name = l->name ? xasprintf("%s.%s", l->name, name) : xstrdup(name);
	fresh->fields = value_ref(l->fields);
	return 1;
}

/* print() of every program, with or without the module. */
static void print_record(lua_State *L, const char *text)
{
	if (log_enabled(LOG_INFO))
		write_record(L, LOG_INFO, "lua", text, NULL);
}

void bind_logger_install(void)
{
	lua_set_print(print_record);
}

int bind_logger_open(struct lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"debug", l_debug},
		{"info", l_info},
		{"warn", l_warn},
		{"error", l_error},
		{"with", l_with},
		{"named", l_named},
		{NULL, NULL},
	};

	handle_register(L, logger_type, methods, logger_gc);
	push_logger(L);
	return 1;
}
