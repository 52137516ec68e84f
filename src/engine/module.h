/*
 * module.h - a Lua module as the engine sees it: a name and a function that makes its table.
 *
 * app/ lists every module in one array. A module's table is made once per heap, then read-only and shared by all its processes.
 */
#ifndef ENGINE_MODULE_H
#define ENGINE_MODULE_H

#include <stdbool.h>
#include <stddef.h>

struct lua_State;

struct module {
	const char *name;
	/* Push the module's value (a table of functions, or a userdata); runs in the heap's main state. */
	int (*open)(struct lua_State *L);
	bool global; /* always there as a global; otherwise only where an entry lists it */
};

struct module_list {
	const struct module *modules;
	size_t count;
};

/* NULL when there is none of that name. */
const struct module *module_find(const struct module_list *list, const char *name);

#endif
