/*
 * registry.c - the current state and the ways to another one.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "registry/internal.h"

struct registry *registry_new(const struct kind_list *kinds, struct runtime *rt)
{
	struct registry *r = xcalloc(1, sizeof(*r));

	r->kinds = kinds;
	r->expanded = map_new();
	r->rt = rt;
	pthread_mutex_init(&r->lock, NULL);
	r->current = snapshot_new(NULL, 0, 0);
	r->baseline = snapshot_new(NULL, 0, 0);
	return r;
}

static void remove_all(struct registry *r)
{
	const struct snapshot *s = r->current;
	struct changes c = {0};

	for (size_t i = 0; i < s->count; i++)
		changes_add(&c, CHANGE_DELETE, s->items[i], s->items[i]);
	changes_sort(&c, s);
	for (size_t i = 0; i < c.count; i++)
		remove_entry(r, c.items[i].entry);
	changes_done(&c);
}

void registry_free(struct registry *r)
{
	if (!r)
		return;
	remove_all(r);
	map_free(r->expanded, NULL); /* empty by now */
	history_free(r->history);
	snapshot_unref(r->current);
	snapshot_unref(r->baseline);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void registry_set_env(struct registry *r, struct env *env)
{
	r->env = env;
}

void registry_set_history(struct registry *r, struct history *h)
{
	history_free(r->history);
	r->history = h;
}

struct history *registry_history(const struct registry *r)
{
	return r->history;
}

void registry_watch(struct registry *r, const struct registry_watcher *w, void *arg)
{
	r->watcher = w;
	r->watcher_arg = arg;
}

/* -- changing ------------------------------------------------------------------------------------- */

static void set_baseline(struct registry *r, struct snapshot *fresh)
{
	struct snapshot *old;

	pthread_mutex_lock(&r->lock);
	old = r->baseline;
	r->baseline = fresh;
	pthread_mutex_unlock(&r->lock);
	snapshot_unref(old);
}

static void sort(struct changes *c, const struct snapshot *state)
{
	if (!changes_sort(c, state))
		log_warn("registry", "entries refer to each other in a circle; they are applied in order of their ids");
}

/* What the files changed, on top of what there is: all that can be told apart when no history says what programs
 * changed. */
static struct snapshot *without_history(struct registry *r, const struct snapshot *baseline, uint64_t version)
{
	const struct snapshot *old = r->baseline;
	struct changes c = {0};
	struct snapshot *s;

	registry_diff(old->items, old->count, baseline->items, baseline->count, &c);
	s = snapshot_with(r->current, &c, version);
	changes_done(&c);
	return s;
}

/* What the version makes of another baseline than the one it was made on. */
static struct snapshot *with_history(
	struct registry *r, const struct snapshot *baseline, uint64_t version, struct err *e)
{
	struct changes net = {0};
	struct snapshot *s;

	if (!r->history || version == 0)
		return snapshot_with(baseline, &net, version);
	if (history_path(r->history, 0, version, &net, e) < 0)
		return NULL;
	s = snapshot_with(baseline, &net, version);
	changes_done(&net);
	return s;
}

int registry_load(struct registry *r, struct entry *const *entries, size_t n, struct err *e)
{
	struct apply_mode mode = {.loading = true};
	struct snapshot *baseline = snapshot_new(entries, n, 0), *target = NULL;
	struct changes c = {0};
	int rc = -1;

	if (r->history) {
		mode.version = history_head(r->history);
		r->last_version = history_last(r->history);
	}
	target = with_history(r, baseline, mode.version, e);
	if (!target)
		goto out;
	for (size_t i = 0; i < target->count; i++)
		changes_add(&c, CHANGE_CREATE, target->items[i], NULL);
	sort(&c, NULL);
	if (apply_changes(r, &c, &mode, e) < 0)
		goto out;
	set_baseline(r, baseline);
	baseline = NULL;
	rc = 0;
out:
	changes_done(&c);
	snapshot_unref(target);
	snapshot_unref(baseline);
	return rc < 0 ? err_prefix(e, "failed to load state") : 0;
}

static int save_version(struct registry *r, const struct changes *applied, uint64_t *ret_version, struct err *e)
{
	uint64_t id = r->last_version + 1;

	if (r->history && history_append(r->history, id, r->current->version, applied, e) < 0)
		return -1;
	r->last_version = id;
	*ret_version = id;
	return 0;
}

int registry_apply(struct registry *r, struct changes *c, uint64_t *ret_version, struct err *e)
{
	const struct apply_mode mode = {.save = save_version};

	sort(c, r->current);
	if (apply_changes(r, c, &mode, e) < 0)
		return err_prefix(e, "failed to apply changes");
	*ret_version = r->current->version;
	return 0;
}

static int save_head(struct registry *r, const struct changes *applied, uint64_t *version, struct err *e)
{
	(void)applied;
	return history_set_head(r->history, *version, e);
}

int registry_apply_version(struct registry *r, uint64_t version, struct err *e)
{
	const struct apply_mode mode = {.save = save_head, .version = version};
	struct snapshot *target;
	struct changes c = {0};
	uint64_t parent;
	int rc;

	if (!r->history)
		return err_set(e, ERR_INVALID, "rollback not supported: no history is kept");
	if (history_parent(r->history, version, &parent, e) < 0)
		return -1;
	if (version == r->current->version)
		return 0;
	/* On top of what the files say now: what the versions replaced may have been edited since. */
	target = with_history(r, r->baseline, version, e);
	if (!target) {
		e->kind = ERR_INTERNAL;
		return err_prefix(e, "failed to compute version path");
	}
	registry_diff(r->current->items, r->current->count, target->items, target->count, &c);
	snapshot_unref(target);
	sort(&c, r->current);
	rc = apply_changes(r, &c, &mode, e);
	changes_done(&c);
	return rc < 0 ? err_prefix(e, "failed to apply changes") : 0;
}

int registry_rebase(struct registry *r, struct entry *const *entries, size_t n, size_t *ret_changes, struct err *e)
{
	const struct apply_mode mode = {.version = r->current->version};
	struct snapshot *baseline = snapshot_new(entries, n, 0), *target;
	struct changes c = {0};
	int rc = -1;

	target = r->history ? with_history(r, baseline, mode.version, e) : without_history(r, baseline, mode.version);
	if (!target)
		goto out;
	registry_diff(r->current->items, r->current->count, target->items, target->count, &c);
	if (c.count > 0 && apply_changes(r, &c, &mode, e) < 0)
		goto out;
	set_baseline(r, baseline);
	baseline = NULL;
	if (ret_changes)
		*ret_changes = c.count;
	rc = 0;
out:
	changes_done(&c);
	snapshot_unref(target);
	snapshot_unref(baseline);
	return rc < 0 ? err_prefix(e, "failed to apply changes") : 0;
}

/* -- looking -------------------------------------------------------------------------------------- */

struct snapshot *registry_snapshot(struct registry *r)
{
	struct snapshot *s;

	pthread_mutex_lock(&r->lock);
	s = snapshot_ref(r->current);
	pthread_mutex_unlock(&r->lock);
	return s;
}

struct entry *registry_get(struct registry *r, const char *id)
{
	struct snapshot *s = registry_snapshot(r);
	struct entry *e = entry_ref(snapshot_get(s, id));

	snapshot_unref(s);
	return e;
}

uint64_t registry_version(struct registry *r)
{
	uint64_t version;

	pthread_mutex_lock(&r->lock);
	version = r->current->version;
	pthread_mutex_unlock(&r->lock);
	return version;
}

struct snapshot *registry_snapshot_at(struct registry *r, uint64_t version, struct err *e)
{
	struct snapshot *baseline, *s;
	uint64_t parent;

	if (!r->history) {
		err_set(e, ERR_UNAVAILABLE, "history not available");
		return NULL;
	}
	if (history_parent(r->history, version, &parent, e) < 0)
		return NULL;
	pthread_mutex_lock(&r->lock);
	baseline = snapshot_ref(r->baseline);
	pthread_mutex_unlock(&r->lock);
	s = with_history(r, baseline, version, e);
	snapshot_unref(baseline);
	return s;
}
