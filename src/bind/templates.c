/*
 * templates.c - the `templates` module: render templates of a set (value/template.h).
 *
 *     local set, err = templates.get("app:pages")
 *     local html, err = set:render("welcome", { name = "Ann" })
 *     set:release()
 *
 * The fields of the data are variables of the template; `.` is the data as a whole.
 */
#include "bind/templates.h"

#include "bind/current.h"
#include "bind/denial.h"
#include "bind/modules.h"
#include "bind/scratch.h"
#include "engine/lua_api.h"
#include "value/template.h"

static const char set_type[] = "templates.Set";

struct set {
	struct template_set *set; /* NULL: released */
};

static void *ref_set(void *object)
{
	return template_set_ref(object);
}

static void unref_set(void *object)
{
	template_set_unref(object);
}

const struct instance_type template_set_instance_type = {"template set", ref_set, unref_set};

static struct set *check_set(lua_State *L)
{
	return handle_check(L, 1, set_type);
}

static int l_release(lua_State *L)
{
	struct set *s = check_set(L);

	template_set_unref(s->set);
	s->set = NULL;
	lua_pushboolean(L, true);
	return 1;
}

static int l_get(lua_State *L)
{
	struct set *s;
	struct err e = {0};
	const char *id;

	if (lua_type(L, 1) != LUA_TSTRING)
		raise_argument(L, 1, "string expected");
	id = lua_tostring(L, 1);
	if (!id[0]) {
		err_set(&e, ERR_INVALID, "template set id is required");
		return push_nil_and_err(L, &e);
	}
	if (!current_allows(L, "template.get", id)) {
		err_set(&e, ERR_PERMISSION_DENIED, "not allowed to access template: %.200s", id);
		return push_nil_and_denial(L, &e, "template.get", id);
	}
	s = handle_new(L, set_type, sizeof(*s));
	s->set = instances_get(current_node(L)->instances, id, &template_set_instance_type, &e);
	if (!s->set) {
		e.kind = ERR_INTERNAL;
		return push_nil_and_err(L, &e);
	}
	return 1;
}

static int l_render(lua_State *L)
{
	struct set *s = check_set(L);
	struct value **data;
	struct err e = {0};
	const char *name;
	struct buf *out;

	if (lua_type(L, 2) != LUA_TSTRING)
		raise_argument(L, 2, "string expected");
	if (!lua_isnoneornil(L, 3) && !lua_istable(L, 3))
		raise_argument(L, 3, "table expected");
	name = lua_tostring(L, 2);
	data = scratch_value(L);
	out = scratch_buf(L);
	if (!s->set) {
		err_set(&e, ERR_INTERNAL, "template set is released");
		return push_nil_and_err(L, &e);
	}
	if (!name[0]) {
		err_set(&e, ERR_INVALID, "template name is required");
		return push_nil_and_err(L, &e);
	}
	if (!lua_isnoneornil(L, 3) && value_from_lua(L, 3, data, &e) < 0) {
		e.kind = ERR_INTERNAL;
		return push_nil_and_err(L, &e);
	}
	if (template_render(s->set, name, *data, out, &e) < 0)
		return push_nil_and_err(L, &e);
	scratch_push(L, out);
	return 1;
}

int bind_templates_open(lua_State *L)
{
	static const luaL_Reg methods[] = {{"render", l_render}, {"release", l_release}, {NULL, NULL}};
	static const luaL_Reg functions[] = {{"get", l_get}, {NULL, NULL}};

	handle_register(L, set_type, methods, l_release);
	luaL_newlib(L, functions);
	return 1;
}
