/*
 * kind_pg.c - pg.scope: a scope of process groups.
 *
 * There is one node, and changes are made under a lock: of the tunables only the limits mean something; the others are checked.
 */
#include "actor/group.h"
#include "base/alloc.h"
#include "service/kinds.h"
#include "service/runtime.h"
#include "service/supervisor.h"

static void scope_start(struct service *s)
{
	group_scope_run(service_self(s), true);
	service_started(s);
}

static void scope_stop(struct service *s)
{
	group_scope_run(service_self(s), false);
	service_stopped(s);
}

static void scope_free(void *self)
{
	group_scope_unref(self);
}

static const struct service_ops scope_ops = {.start = scope_start, .stop = scope_stop, .free = scope_free};

static int read_config(const struct value *data, struct group_limits *ret, struct err *err)
{
	static const char *const durations[] = {"protocol_timeout", "broadcast_timeout", "anti_entropy_interval",
		"circuit_breaker_reset_time", "retry_base_delay", "retry_max_delay"};
	static const char *const counts[] = {"monitor_buffer", "action_queue_size", "action_queue_max_size",
		"circuit_breaker_failures", "max_retries"};
	int64_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
		if (value_read_duration(data, durations[i], &n, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		if (value_read_int(data, counts[i], &n, err) < 0)
			return -1;
	}
	if (value_read_int(data, "max_groups", &ret->groups_max, err) < 0 ||
		value_read_int(data, "max_members_per_group", &ret->members_max, err) < 0)
		return -1;
	if (ret->groups_max < 0 || ret->members_max < 0)
		return err_set(err, ERR_INVALID,
			"fields 'max_groups' and 'max_members_per_group' must not be negative; 0 means any number");
	return 0;
}

static int pg_scope_add(struct runtime *rt, struct entry *e, struct err *err)
{
	struct group_limits limits = {0};
	struct group_scope *scope;

	if (read_config(e->data, &limits, err) < 0)
		return -1;
	scope = group_scope_new(rt->node.scheduler, &limits);
	if (supervisor_add(rt->supervisor, e, &scope_ops, scope, NULL, err) < 0) {
		group_scope_unref(scope);
		return -1;
	}
	groups_put(rt->node.groups, e->id, group_scope_ref(scope));
	return 0;
}

static void pg_scope_remove(struct runtime *rt, struct entry *e)
{
	groups_remove(rt->node.groups, e->id);
	supervisor_remove(rt->supervisor, e->id);
}

const struct kind pg_scope_kind = {
	.name = "pg.scope", .summary = "a scope of process groups", .add = pg_scope_add, .remove = pg_scope_remove};
