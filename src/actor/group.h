/*
 * group.h - process groups: processes under names inside a scope, told apart by nothing but having joined.
 *
 * A process may join a group several times; it is listed as often and must leave as often. A group exists while it has members. All changes of a
 * scope happen one after the other, and monitors hear of them in that order; a snapshot and the subscription that continues it are taken in
 * one step. Any thread; a scope's lock is held for look-ups and for posting to monitors, never across anything that waits.
 */
#ifndef ACTOR_GROUP_H
#define ACTOR_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actor/bus.h"
#include "actor/pid.h"
#include "base/err.h"
#include "value/value.h"

struct group_scope;
struct groups;
struct scheduler;

enum { GROUP_NAME_MAX = 1024 };

struct group_limits {
	int64_t groups_max;  /* 0 = any number */
	int64_t members_max; /* of one group; 0 = any number */
};

/* -- scopes by id ------------------------------------------------------------------------------------ */

struct groups *groups_new(void);
void groups_free(struct groups *g); /* NULL is fine */
/* Takes the reference; replaces. */
void groups_put(struct groups *g, const char *id, struct group_scope *s);
void groups_remove(struct groups *g, const char *id);
/* A reference; NULL when there is none or it does not run. */
struct group_scope *groups_get(struct groups *g, const char *id);

struct group_scope *group_scope_new(struct scheduler *sched, const struct group_limits *limits);
struct group_scope *group_scope_ref(struct group_scope *s);
void group_scope_unref(struct group_scope *s); /* NULL is fine */
void group_scope_run(struct group_scope *s, bool runs);

/* -- members ----------------------------------------------------------------------------------------- */

/* Every one of the groups, or none: UNAVAILABLE when that would exceed a limit. */
int group_join(struct group_scope *s, const char *const *names, size_t n, struct pid pid, struct err *e);
/* Once from each group it is in. NOT_FOUND "pg: process not joined in group" when it is in none of them. */
int group_leave(struct group_scope *s, const char *const *names, size_t n, struct pid pid, struct err *e);
/* It ended. */
void group_leave_all(struct group_scope *s, struct pid pid);

/* The members in the order of joining, malloc'd; NULL when there are none. */
struct pid *group_members(struct group_scope *s, const char *name, size_t *ret_n);
/* Lists of texts, and a map from names to such lists. */
struct value *group_member_texts(struct group_scope *s, const char *name);
struct value *group_names(struct group_scope *s);

/* -- monitors ---------------------------------------------------------------------------------------- */

/* From now on `pid` gets each change of that group (NULL: of all) as a MESSAGE_BUS under the topic of the number returned; the snapshot is that of
 * group_member_texts(), or the map from all names. Payload: {system = "pg", kind = "member.joined" | "member.left", path = name, data = {Group, PIDs}}. */
uint64_t group_monitor(struct group_scope *s, struct pid pid, const char *name, struct value **ret_snapshot);
void group_unmonitor(struct group_scope *s, uint64_t number);
size_t group_topic(uint64_t number, char topic[static BUS_TOPIC_MAX]);

#endif
