/*
 * names.h - names that stand for processes of this program.
 *
 * Any thread. One name means one process; a process may have many. Whoever registers makes sure that the process is told to
 * release them when it ends: names_release().
 */
#ifndef ACTOR_NAMES_H
#define ACTOR_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "actor/pid.h"
#include "base/err.h"

enum { NAME_TEXT_MAX = 1024 };

struct names;

struct names *names_new(void);
void names_free(struct names *n);

/* 0 also when `pid` has the name already; ALREADY_EXISTS "name already registered" (then *ret_holder, when given, says who). */
int names_register(struct names *n, const char *name, struct pid pid, struct pid *ret_holder, struct err *e);
/* False when nobody has it. */
bool names_lookup(struct names *n, const char *name, struct pid *ret_pid);
bool names_unregister(struct names *n, const char *name);
/* Drop every name of that process. */
void names_release(struct names *n, struct pid pid);

#endif
