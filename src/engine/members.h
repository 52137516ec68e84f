/*
 * members.h - what programs find under which name: the globals that are always there, modules, and the fields of both.
 *
 * Made by opening every module once in a heap of its own that runs nothing; for checking sources before they run. Immutable when made.
 */
#ifndef ENGINE_MEMBERS_H
#define ENGINE_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "engine/module.h"

enum member {
	MEMBER_NONE,
	MEMBER_VALUE, /* anything whose fields are not known: functions, handles, numbers */
	MEMBER_TABLE, /* it has exactly the fields that are listed */
};

struct members;

/* ERR_INTERNAL when Lua cannot be set up. */
int members_new(const struct module_list *modules, struct members **ret, struct err *e);
void members_free(struct members *m);

/* `path` as in "json", "time.sleep" or "process.event.EXIT". */
enum member members_find(const struct members *m, const char *path);
/* Is it a global of every program? */
bool members_is_ambient(const struct members *m, const char *name);
/* Walk all paths, a table before its fields; start with *pos = 0. */
bool members_next(const struct members *m, size_t *pos, const char **ret_path);

#endif
