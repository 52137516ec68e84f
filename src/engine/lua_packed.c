/*
 * lua_packed.c - Lua values into packed blocks and back.
 *
 * Packing allocates nothing in Lua, so that no Lua error can jump over its own memory.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/lua_api.h"
#include "engine/packed_format.h"
#include "engine/readonly.h"
#include "engine/state.h"

/* -- packing ------------------------------------------------------------------------------------------- */

/* Tables met in this payload: addresses to numbers, open addressing, the first few in place. */
struct seen {
	const void **keys;
	uint32_t *numbers;
	uint32_t cap; /* a power of two */
	uint32_t count;
	const void *few_keys[16];
	uint32_t few_numbers[16];
};

struct packer {
	lua_State *L;
	struct packing k;
	struct seen seen;
	struct err *e;
};

static void seen_init(struct seen *s)
{
	s->keys = s->few_keys;
	s->numbers = s->few_numbers;
	s->cap = ARRAY_LEN(s->few_keys);
	s->count = 0;
	memset(s->few_keys, 0, sizeof(s->few_keys));
}

static void seen_done(struct seen *s)
{
	if (s->keys != s->few_keys) {
		free(s->keys);
		free(s->numbers);
	}
}

static uint32_t seen_slot(const struct seen *s, const void *key)
{
	uint32_t i = (uint32_t)(((uintptr_t)key >> 4) * 0x9E3779B97F4A7C15u >> 32) & (s->cap - 1);

	while (s->keys[i] && s->keys[i] != key)
		i = (i + 1) & (s->cap - 1);
	return i;
}

static void seen_grow(struct seen *s)
{
	struct seen bigger = {.cap = s->cap * 4, .count = s->count};

	bigger.keys = xcalloc(bigger.cap, sizeof(*bigger.keys));
	bigger.numbers = xcalloc(bigger.cap, sizeof(*bigger.numbers));
	for (uint32_t i = 0; i < s->cap; i++) {
		uint32_t j;

		if (!s->keys[i])
			continue;
		j = seen_slot(&bigger, s->keys[i]);
		bigger.keys[j] = s->keys[i];
		bigger.numbers[j] = s->numbers[i];
	}
	seen_done(s);
	s->keys = bigger.keys;
	s->numbers = bigger.numbers;
	s->cap = bigger.cap;
}

/* True when the table was met before; otherwise it gets the next number. */
static bool seen_before(struct seen *s, const void *key, uint32_t *ret_number)
{
	uint32_t i = seen_slot(s, key);

	if (s->keys[i]) {
		*ret_number = s->numbers[i];
		return true;
	}
	if (s->count >= s->cap / 2) {
		seen_grow(s);
		i = seen_slot(s, key);
	}
	s->keys[i] = key;
	s->numbers[i] = s->count++;
	return false;
}

static int pack_value(struct packer *p, int idx, unsigned depth);

/* Is there anything of the value at idx on the other side? A pair of which key or value is nothing there is left out. */
static bool is_portable(struct packer *p, int idx)
{
	switch (lua_type(p->L, idx)) {
	case LUA_TBOOLEAN:
	case LUA_TNUMBER:
	case LUA_TSTRING:
	case LUA_TTABLE:
		return true;
	case LUA_TUSERDATA:
		return failure_at(p->L, idx) != NULL;
	default:
		return false;
	}
}

/* The content of the table at idx (absolute). The array part is what `next` gives first, 1, 2, 3, ... */
static int pack_content(struct packer *p, int idx, unsigned depth, uint32_t *ret_narray, uint32_t *ret_npairs)
{
	lua_State *L = p->L;
	uint32_t narray = 0, npairs = 0;
	bool in_array = true;

	lua_pushnil(L);
	while (lua_next(L, idx)) {
		if (in_array && lua_isinteger(L, -2) && lua_tointeger(L, -2) == (lua_Integer)narray + 1 &&
			npairs == 0) {
			if (pack_value(p, lua_gettop(L), depth) < 0)
				return -1;
			narray++;
			lua_pop(L, 1);
			continue;
		}
		in_array = false;
		if (!is_portable(p, -2) || !is_portable(p, -1)) {
			lua_pop(L, 1);
			continue;
		}
		if (pack_value(p, lua_gettop(L) - 1, depth) < 0 || pack_value(p, lua_gettop(L), depth) < 0)
			return -1;
		npairs++;
		lua_pop(L, 1);
	}
	*ret_narray = narray;
	*ret_npairs = npairs;
	return 0;
}

static int pack_table(struct packer *p, int idx, unsigned depth)
{
	lua_State *L = p->L;
	int top = lua_gettop(L);
	bool plain = false, has_meta = false;
	uint32_t narray, npairs, number;
	size_t at;

	if (depth > PACKED_DEPTH_MAX)
		return err_set(p->e, ERR_INVALID, "the value is nested too deeply to copy: more than %d levels",
			PACKED_DEPTH_MAX);
	if (!lua_checkstack(L, 12))
		return err_set(p->e, ERR_INVALID, "the value is nested too deeply to copy: the stack is full");
	/* Read-only tables and global tables: what they hold, without the machinery that makes them so. */
	if (readonly_resolve(L, idx)) {
		idx = lua_gettop(L);
		plain = true;
	}
	if (seen_before(&p->seen, lua_topointer(L, idx), &number)) {
		lua_settop(L, top);
		return packing_ref(&p->k, number, p->e);
	}
	if (packing_table(&p->k, &at, p->e) < 0 || pack_content(p, idx, depth + 1, &narray, &npairs) < 0)
		return -1;
	if (!plain && !globals_are_lazy(L, idx) && lua_getmetatable(L, idx)) {
		has_meta = true;
		if (pack_value(p, lua_gettop(L), depth + 1) < 0)
			return -1;
	}
	packing_table_end(&p->k, at, narray, npairs, has_meta);
	lua_settop(L, top);
	return 0;
}

static int pack_value(struct packer *p, int idx, unsigned depth)
{
	lua_State *L = p->L;
	struct failure *f;
	const char *s;
	size_t len;

	switch (lua_type(L, idx)) {
	case LUA_TBOOLEAN:
		return packing_tag(&p->k, lua_toboolean(L, idx) ? PACKED_TRUE : PACKED_FALSE, p->e);
	case LUA_TNUMBER:
		if (lua_isinteger(L, idx))
			return packing_int(&p->k, lua_tointeger(L, idx), p->e);
		return packing_float(&p->k, lua_tonumber(L, idx), p->e);
	case LUA_TSTRING:
		s = lua_tolstring(L, idx, &len);
		return packing_string(&p->k, s, len, p->e);
	case LUA_TTABLE:
		return pack_table(p, idx, depth);
	case LUA_TUSERDATA:
		f = failure_at(L, idx);
		if (f)
			return packing_failure(&p->k, f, p->e);
		break;
	default:
		break;
	}
	return packing_tag(&p->k, PACKED_NIL, p->e);
}

static struct packed *pack_number(enum packed_tag tag, const void *number)
{
	struct packed *p = packed_item_new(1 + sizeof(int64_t));

	p->bytes[0] = (unsigned char)tag;
	memcpy(p->bytes + 1, number, sizeof(int64_t));
	return p;
}

/* A single boolean, number or short string, which is what most messages carry. NULL: it is something else. */
static struct packed *pack_one(lua_State *L, int idx)
{
	struct packed *p;
	lua_Integer i;
	lua_Number f;
	const char *s;
	size_t len;

	switch (lua_type(L, idx)) {
	case LUA_TBOOLEAN:
		p = packed_item_new(1);
		p->bytes[0] = lua_toboolean(L, idx) ? PACKED_TRUE : PACKED_FALSE;
		return p;
	case LUA_TNUMBER:
		if (lua_isinteger(L, idx)) {
			i = lua_tointeger(L, idx);
			return pack_number(PACKED_INT, &i);
		}
		f = lua_tonumber(L, idx);
		return pack_number(PACKED_FLOAT, &f);
	case LUA_TSTRING:
		s = lua_tolstring(L, idx, &len);
		if (len > UINT8_MAX)
			return NULL;
		p = packed_item_new(2 + len);
		p->bytes[0] = PACKED_STR8;
		p->bytes[1] = (unsigned char)len;
		memcpy(p->bytes + 2, s, len);
		return p;
	default:
		return NULL;
	}
}

/* Not inlined: its stack frame is large. */
static __attribute__((noinline)) int pack_all(lua_State *L, int first, int n, struct packed **ret, struct err *e)
{
	struct packer p;
	int top = lua_gettop(L);

	p.L = L;
	p.e = e;
	packing_init(&p.k);
	first = lua_absindex(L, first);
	for (int i = 0; i < n; i++) {
		int rc;

		seen_init(&p.seen);
		rc = first + i <= top ? pack_value(&p, first + i, 0) : packing_tag(&p.k, PACKED_NIL, e);
		seen_done(&p.seen);
		if (rc < 0) {
			lua_settop(L, top);
			packing_done(&p.k);
			return -1;
		}
		packing_end_payload(&p.k);
	}
	*ret = packing_finish(&p.k);
	return 0;
}

int packed_from_lua(lua_State *L, int first, int n, struct packed **ret, struct err *e)
{
	*ret = n == 1 ? pack_one(L, first) : NULL;
	return *ret ? 0 : pack_all(L, first, n, ret, e);
}

/* -- unpacking ----------------------------------------------------------------------------------------- */

struct unpacker {
	struct unpacking u;
	int tables; /* stack index of a table of all tables by number, 0 when nothing refers to them */
	lua_Integer ntables;
};

static bool push_item(lua_State *L, struct unpacker *p, const struct packed_item *it, unsigned depth);

static bool push_next(lua_State *L, struct unpacker *p, unsigned depth)
{
	struct packed_item it;

	return unpacking_next(&p->u, &it) && push_item(L, p, &it, depth);
}

/* The metatable is on top, its table below. Metamethods that the engine honours and the dialect does not have must not come to life. */
static void set_metatable(lua_State *L)
{
	static const char *const unwanted[] = {"__gc", "__close", "__mode"};

	for (size_t i = 0; i < ARRAY_LEN(unwanted); i++) {
		lua_pushstring(L, unwanted[i]);
		lua_pushnil(L);
		lua_rawset(L, -3);
	}
	lua_setmetatable(L, -2);
}

/* Anything but nil and NaN. */
static bool is_key(lua_State *L)
{
	return !lua_isnil(L, -1) && lua_rawequal(L, -1, -1);
}

static bool push_table(lua_State *L, struct unpacker *p, const struct packed_item *it, unsigned depth)
{
	if (depth > PACKED_DEPTH_MAX + 1)
		return false;
	luaL_checkstack(L, 8, "a message is nested too deeply");
	lua_createtable(L, (int)it->narray, (int)it->npairs);
	if (p->tables) {
		lua_pushvalue(L, -1);
		lua_rawseti(L, p->tables, ++p->ntables);
	}
	for (uint32_t i = 1; i <= it->narray; i++) {
		if (!push_next(L, p, depth + 1))
			return false;
		lua_rawseti(L, -2, i);
	}
	for (uint32_t i = 0; i < it->npairs; i++) {
		if (!push_next(L, p, depth + 1) || !is_key(L) || !push_next(L, p, depth + 1))
			return false;
		lua_rawset(L, -3);
	}
	if (it->has_meta) {
		if (!push_next(L, p, depth + 1) || !lua_istable(L, -1))
			return false;
		set_metatable(L);
	}
	return true;
}

static bool push_item(lua_State *L, struct unpacker *p, const struct packed_item *it, unsigned depth)
{
	switch (it->tag) {
	case PACKED_NIL:
		lua_pushnil(L);
		return true;
	case PACKED_FALSE:
	case PACKED_TRUE:
		lua_pushboolean(L, it->tag == PACKED_TRUE);
		return true;
	case PACKED_INT:
		lua_pushinteger(L, it->i);
		return true;
	case PACKED_FLOAT:
		lua_pushnumber(L, it->f);
		return true;
	case PACKED_STR8:
	case PACKED_STR32:
		lua_pushlstring(L, it->str, it->len);
		return true;
	case PACKED_TABLE:
		return push_table(L, p, it, depth);
	case PACKED_REF:
		return p->tables && lua_rawgeti(L, p->tables, (lua_Integer)it->index + 1) == LUA_TTABLE;
	case PACKED_FAIL:
		push_failure(L, it->failure);
		return true;
	}
	return false;
}

void packed_push_at(lua_State *L, const struct packed *p, unsigned i)
{
	struct unpacker k = {0};
	int top = lua_gettop(L);

	luaL_checkstack(L, 8, NULL);
	if (!unpacking_init(&k.u, p, i)) {
		lua_pushnil(L);
		return;
	}
	if (p->has_refs) {
		lua_newtable(L);
		k.tables = lua_gettop(L);
	}
	if (!push_next(L, &k, 0)) {
		lua_settop(L, top);
		lua_pushnil(L);
		return;
	}
	if (p->has_refs) {
		lua_replace(L, top + 1);
		lua_settop(L, top + 1);
	}
}

int packed_push(lua_State *L, const struct packed *p)
{
	unsigned n = packed_count(p);

	luaL_checkstack(L, (int)n + 8, "too many values");
	for (unsigned i = 0; i < n; i++)
		packed_push_at(L, p, i);
	return (int)n;
}
