/*
 * env_router.c - a storage that asks others in turn, and remembers what they said.
 *
 * What was found is kept without expiry: later changes made directly in a member are not seen, changes made
 * through the router are. Members are held by id, so a member that was replaced is asked in its new form; one that
 * is gone has no keys.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "registry/env_storage.h"

struct router {
	struct env_storage base;
	struct env *env; /* outlives every storage */
	char **members;  /* ids */
	size_t nmembers;
	pthread_mutex_t lock; /* guards the rest; never held while a member is asked */
	struct map *found;    /* key -> malloc'd text */
	uint64_t nsets;       /* begun so far */
	unsigned setting;     /* not over yet */
	bool overlapped;      /* of those, some ran at the same time */
};

/* *ret_nsets: for remember(). */
static char *remembered(struct router *r, const char *key, uint64_t *ret_nsets)
{
	char *text;

	pthread_mutex_lock(&r->lock);
	text = xstrdup(map_get(r->found, key));
	*ret_nsets = r->nsets;
	pthread_mutex_unlock(&r->lock);
	return text;
}

/* Not when something was set since the look-up began: what it found may be old by now. */
static void remember(struct router *r, const char *key, const char *text, uint64_t nsets)
{
	char *unused = xstrdup(text);

	pthread_mutex_lock(&r->lock);
	if (nsets == r->nsets && r->setting == 0)
		unused = map_set(r->found, key, unused);
	pthread_mutex_unlock(&r->lock);
	env_text_free(unused);
}

static void begin_set(struct router *r)
{
	pthread_mutex_lock(&r->lock);
	r->nsets++;
	if (r->setting++ > 0)
		r->overlapped = true;
	pthread_mutex_unlock(&r->lock);
}

/* Of several at a time nobody knows here which came last: then the member is asked again. */
static void end_set(struct router *r, const char *key, const char *text, bool done)
{
	char *unused = NULL;

	pthread_mutex_lock(&r->lock);
	if (done)
		unused = r->overlapped ? map_remove(r->found, key) : map_set(r->found, key, xstrdup(text));
	if (--r->setting == 0)
		r->overlapped = false;
	pthread_mutex_unlock(&r->lock);
	env_text_free(unused);
}

static int check_depth(unsigned depth, struct err *e)
{
	if (depth < ENV_ROUTER_DEPTH_MAX)
		return 0;
	return err_set(e, ERR_INTERNAL, "router storages refer to each other more than %d deep; is there a circle?",
		ENV_ROUTER_DEPTH_MAX);
}

static int router_get(struct env_storage *s, const char *key, unsigned depth, char **ret, struct err *e)
{
	struct router *r = container_of(s, struct router, base);
	uint64_t nsets;
	char *text = remembered(r, key, &nsets);
	int rc = 0;

	if (text) {
		*ret = text;
		return 0;
	}
	if (check_depth(depth, e) < 0)
		return -1;
	for (size_t i = 0; i < r->nmembers && rc == 0 && !text; i++) {
		struct env_storage *member = env_storage_find(r->env, r->members[i]);

		if (member)
			rc = member->ops->get(member, key, depth + 1, &text, e);
		env_storage_unref(member);
	}
	if (rc < 0)
		return -1;
	if (text)
		remember(r, key, text, nsets);
	*ret = text;
	return 0;
}

static int router_set(struct env_storage *s, const char *key, const char *text, unsigned depth, struct err *e)
{
	struct router *r = container_of(s, struct router, base);
	struct env_storage *first;
	int rc;

	if (check_depth(depth, e) < 0)
		return -1;
	first = env_storage_find(r->env, r->members[0]);
	if (!first)
		return err_set(e, ERR_NOT_FOUND, "environment storage backend not found");
	begin_set(r);
	rc = env_storage_set(first, key, text, depth + 1, e);
	end_set(r, key, text, rc == 0);
	env_storage_unref(first);
	return rc;
}

/* Answers for set() too, which is never remembered: so any member counts. */
static bool router_waits(struct env_storage *s, const char *key, unsigned depth)
{
	struct router *r = container_of(s, struct router, base);
	bool waits = false;

	for (size_t i = 0; i < r->nmembers && !waits && depth < ENV_ROUTER_DEPTH_MAX; i++) {
		struct env_storage *member = env_storage_find(r->env, r->members[i]);

		waits = member && env_storage_waits(member, key, depth + 1);
		env_storage_unref(member);
	}
	return waits;
}

static void router_free(struct env_storage *s)
{
	struct router *r = container_of(s, struct router, base);

	for (size_t i = 0; i < r->nmembers; i++)
		free(r->members[i]);
	free(r->members);
	env_list_free(r->found);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static int check_member(struct env *env, const struct value *v, struct err *e)
{
	struct env_storage *member;
	const char *id;

	if (value_type(v) != VALUE_STRING)
		return err_set(e, ERR_INVALID,
			"failed to unmarshal config: line %u: field 'storages': expected a list of strings",
			value_line(v));
	id = value_get_string(v, NULL);
	if (!env_storage_id_is_full(id))
		return err_set(e, ERR_INVALID,
			"invalid configuration: field 'storages': invalid storage ID format, must have both namespace "
			"and name");
	member = env_storage_find(env, id);
	if (!member)
		return err_set(e, ERR_NOT_FOUND, "field 'storages': environment storage backend not found: %.256s", id);
	env_storage_unref(member);
	return 0;
}

int env_router_new(struct env *env, const struct value *data, struct env_storage **ret, struct err *e)
{
	static const struct env_storage_ops ops = {
		.get = router_get, .set = router_set, .waits = router_waits, .free = router_free};
	const struct value *list = value_get(data, "storages");
	struct router *r;

	if (value_type(list) != VALUE_LIST && value_type(list) != VALUE_NIL)
		return err_set(e, ERR_INVALID,
			"failed to unmarshal config: line %u: field 'storages': expected list, got %s",
			value_line(list), value_type_name(list));
	if (value_count(list) == 0)
		return err_set(e, ERR_INVALID, "invalid configuration: router storage must have at least one storage");
	for (size_t i = 0; i < value_count(list); i++) {
		if (check_member(env, value_at(list, i), e) < 0)
			return -1;
	}
	r = xcalloc(1, sizeof(*r));
	r->base.ops = &ops;
	refcount_init(&r->base.refs);
	r->env = env;
	r->nmembers = value_count(list);
	r->members = xcalloc(r->nmembers, sizeof(*r->members));
	for (size_t i = 0; i < r->nmembers; i++)
		r->members[i] = xstrdup(value_get_string(value_at(list, i), NULL));
	if (pthread_mutex_init(&r->lock, NULL) != 0)
		abort();
	r->found = map_new();
	*ret = &r->base;
	return 0;
}
