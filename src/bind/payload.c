/*
 * payload.c - the `payload` module, and the payloads that messages and results bring.
 *
 * A payload is one packed value and a format. In the text formats (JSON, YAML, plain text, bytes) the value is a
 * string. A payload that came from a process of this program is Lua data, or an error; it is unpacked only when
 * somebody asks.
 */
#include "bind/payload.h"

#include <string.h>

#include "bind/lua_data.h"
#include "bind/modules.h"
#include "engine/lua_api.h"
#include "engine/packed_format.h"

enum format {
	FORMAT_UNKNOWN,
	FORMAT_JSON,
	FORMAT_YAML,
	FORMAT_STRING,
	FORMAT_BYTES,
	FORMAT_MSGPACK,
	FORMAT_LUA,
	FORMAT_HOST,
	FORMAT_ERROR
};

static const struct {
	const char *constant, *name;
} formats[] = {
	[FORMAT_JSON] = {"JSON", "json/plain"},
	[FORMAT_YAML] = {"YAML", "yaml/plain"},
	[FORMAT_STRING] = {"STRING", "text/plain"},
	[FORMAT_BYTES] = {"BYTES", "application/octet-stream"},
	[FORMAT_MSGPACK] = {"MSGPACK", "application/msgpack"},
	[FORMAT_LUA] = {"LUA", "lua/any"},
	[FORMAT_HOST] = {"GOLANG", "golang/any"},
	[FORMAT_ERROR] = {"ERROR", "golang/error"},
};

struct payload {
	const struct packed *packed; /* a reference, or part of the object that is user value 1 */
	unsigned index;
	enum format format; /* FORMAT_UNKNOWN: nobody looked yet whether it is an error */
};

static bool holds_error(const struct payload *p)
{
	struct packed_item item;
	struct unpacking u;

	return unpacking_init(&u, p->packed, p->index) && unpacking_next(&u, &item) && item.tag == PACKED_FAIL;
}

static struct payload *check_payload(lua_State *L)
{
	struct payload *p = handle_self(L, HANDLE_PAYLOAD);

	if (p->format == FORMAT_UNKNOWN)
		p->format = holds_error(p) ? FORMAT_ERROR : FORMAT_LUA;
	return p;
}

static bool is_text(enum format f)
{
	return f == FORMAT_JSON || f == FORMAT_YAML || f == FORMAT_STRING || f == FORMAT_BYTES;
}

/* -- to Lua ------------------------------------------------------------------------------------------- */

/* Push the value. The packed string of a text format is on the stack while it is decoded. */
static int push_value(lua_State *L, const struct payload *p, struct err *e)
{
	const char *text;
	size_t len;
	int rc;

	packed_push_at(L, p->packed, p->index);
	if (p->format != FORMAT_JSON && p->format != FORMAT_YAML)
		return 0;
	text = lua_tolstring(L, -1, &len);
	rc = p->format == FORMAT_JSON ? json_push_decoded(L, text, len, e) : yaml_push_decoded(L, text, len, e);
	if (rc == 0)
		lua_remove(L, -2);
	return rc;
}

static int get(lua_State *L, const char *failed)
{
	const struct payload *p = check_payload(L);
	struct err e = {0};

	if (push_value(L, p, &e) == 0)
		return 1;
	e.kind = ERR_INTERNAL;
	err_prefix(&e, "%s", failed);
	return push_nil_and_err(L, &e);
}

static int l_data(lua_State *L)
{
	return get(L, "transcode failed");
}

static int l_unmarshal(lua_State *L)
{
	return get(L, "unmarshal failed");
}

/* -- from one format to another ----------------------------------------------------------------------- */

static enum format format_find(const char *name)
{
	for (enum format f = FORMAT_JSON; f <= FORMAT_ERROR; f++) {
		if (strcmp(formats[f].name, name) == 0)
			return f;
	}
	return FORMAT_UNKNOWN;
}

static int no_route(const struct payload *p, const char *to, struct err *e)
{
	return err_set(e, ERR_INTERNAL, "no route from %s to %.64s", formats[p->format].name, to);
}

/* The value on top of the stack as plain text, in its place. */
static int make_text(lua_State *L, const struct payload *p, enum format to, struct err *e)
{
	switch (lua_type(L, -1)) {
	case LUA_TSTRING:
		return 0;
	case LUA_TNIL:
		lua_pushliteral(L, "");
		break;
	case LUA_TNUMBER:
	case LUA_TBOOLEAN:
		push_text(L, -1, false, NULL);
		break;
	default:
		if (!failure_at(L, -1))
			return no_route(p, formats[to].name, e);
		push_text(L, -1, false, NULL);
		break;
	}
	lua_replace(L, -2);
	return 0;
}

/* Push what the new payload holds. */
static int convert(lua_State *L, const struct payload *p, enum format to, struct err *e)
{
	static const struct yaml_style style = {.indent = 4};
	int rc;

	/* Text is text: what JSON or YAML is written in need not be understood for that. */
	if (to == p->format || (is_text(p->format) && (to == FORMAT_STRING || to == FORMAT_BYTES))) {
		packed_push_at(L, p->packed, p->index);
		return 0;
	}
	if (to == FORMAT_MSGPACK || to == FORMAT_ERROR)
		return no_route(p, formats[to].name, e);
	if (push_value(L, p, e) < 0)
		return -1;
	if (to == FORMAT_LUA || to == FORMAT_HOST)
		return 0;
	if (to == FORMAT_STRING || to == FORMAT_BYTES)
		return make_text(L, p, to, e);
	rc = to == FORMAT_JSON ? json_push_encoded(L, -1, e) : yaml_push_encoded(L, -1, &style, e);
	if (rc == 0)
		lua_remove(L, -2);
	return rc;
}

/* A payload of the value at idx, pushed; first a handle without content, since packing cannot be undone by a raise. */
static int push_new(lua_State *L, int idx, enum format format, struct err *e)
{
	struct packed *packed;
	struct payload *p;

	idx = lua_absindex(L, idx);
	p = handle_new_owning(L, HANDLE_PAYLOAD, sizeof(*p));
	p->format = format;
	if (packed_from_lua(L, idx, 1, &packed, e) < 0)
		return -1;
	p->packed = packed;
	return 0;
}

static int l_transcode(lua_State *L)
{
	const struct payload *p = check_payload(L);
	const char *name = luaL_checkstring(L, 2);
	enum format to = format_find(name);
	struct err e = {0};
	int rc;

	rc = to == FORMAT_UNKNOWN ? no_route(p, name, &e) : convert(L, p, to, &e);
	/* An error object stays one in Lua's hands. */
	if (rc == 0 && (to == FORMAT_LUA || to == FORMAT_HOST) && failure_at(L, -1))
		to = FORMAT_ERROR;
	if (rc == 0)
		rc = push_new(L, -1, to, &e);
	if (rc == 0)
		return 1;
	e.kind = ERR_INTERNAL;
	err_prefix(&e, "transcode failed");
	return push_nil_and_err(L, &e);
}

static int l_get_format(lua_State *L)
{
	lua_pushstring(L, formats[check_payload(L)->format].name);
	return 1;
}

static int l_tostring(lua_State *L)
{
	lua_pushfstring(L, "payload{format=%s}", formats[check_payload(L)->format].name);
	return 1;
}

static int l_new(lua_State *L)
{
	struct err e = {0};

	luaL_checkany(L, 1);
	if (push_new(L, 1, failure_at(L, 1) ? FORMAT_ERROR : FORMAT_LUA, &e) < 0)
		return push_nil_and_err(L, &e);
	return 1;
}

/* -- what comes from elsewhere ------------------------------------------------------------------------ */

static int payload_gc(lua_State *L)
{
	struct payload *p = lua_touserdata(L, 1);

	packed_unref((struct packed *)p->packed);
	p->packed = NULL;
	return 0;
}

void payload_register(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"data", l_data},
		{"get_format", l_get_format},
		{"transcode", l_transcode},
		{"unmarshal", l_unmarshal},
		{NULL, NULL},
	};

	lua_pushnil(L);
	handle_register_kind(L, HANDLE_PAYLOAD, "payload.Payload", methods, l_tostring, payload_gc);
}

void payload_push(lua_State *L, struct packed *packed, unsigned i)
{
	struct payload *p = handle_new_owning(L, HANDLE_PAYLOAD, sizeof(*p));

	p->packed = packed_ref(packed);
	p->index = i;
}

static void push_within(lua_State *L, const struct packed *packed, unsigned i, int holder)
{
	struct payload *p = handle_new_plain(L, HANDLE_PAYLOAD, sizeof(*p), 1);

	*p = (struct payload){packed, i, FORMAT_UNKNOWN};
	lua_pushvalue(L, holder);
	lua_setiuservalue(L, -2, 1);
}

void payload_push_within(lua_State *L, const struct packed *packed, int holder)
{
	unsigned n = packed_count(packed);

	holder = lua_absindex(L, holder);
	if (n == 0) {
		lua_pushnil(L);
	} else if (n == 1) {
		push_within(L, packed, 0, holder);
	} else {
		lua_createtable(L, (int)n, 0);
		for (unsigned i = 0; i < n; i++) {
			push_within(L, packed, i, holder);
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		}
	}
}

int bind_payload_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"new", l_new}, {NULL, NULL}};

	payload_register(L);
	luaL_newlib(L, functions);
	lua_createtable(L, 0, FORMAT_ERROR);
	for (enum format f = FORMAT_JSON; f <= FORMAT_ERROR; f++) {
		lua_pushstring(L, formats[f].name);
		lua_setfield(L, -2, formats[f].constant);
	}
	lua_setfield(L, -2, "format");
	return 1;
}
