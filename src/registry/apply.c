/*
 * apply.c - one list of changes through the kinds, all or nothing.
 *
 * Creations and updates run first, in the order given, those that miss something again after the rest. Deletions are
 * only noted meanwhile, unless their id is created anew: so until every handler has agreed and the version is kept,
 * nothing is gone that could not be brought back. Then the deletions run, which cannot fail, and the new state is
 * published with one exchange of a pointer.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "registry/env.h"
#include "registry/internal.h"

struct apply {
	struct registry *r;
	const struct apply_mode *mode;
	struct map *touched;  /* id -> the entry it has now, NULL: none */
	struct map *leaving;  /* id -> struct change of a deletion that is only noted */
	struct change **done; /* in the order they were made */
	size_t ndone;
	const struct kind **kinds; /* with hooks, that take part */
	size_t nkinds;
};

/* -- watching ------------------------------------------------------------------------------------- */

static void tell(struct registry *r, enum registry_event ev, const struct change *c, const struct err *e)
{
	if (r->watcher)
		r->watcher->event(r->watcher_arg, ev, c, e);
}

/* -- hooks ---------------------------------------------------------------------------------------- */

static bool has_hooks(const struct kind *k)
{
	return k->begin || k->prepare || k->commit || k->discard;
}

static void join(struct apply *a, const char *name)
{
	const struct kind *k = kind_find(a->r->kinds, name);

	if (!k || !has_hooks(k))
		return;
	for (size_t i = 0; i < a->nkinds; i++) {
		if (a->kinds[i] == k)
			return;
	}
	a->kinds = xreallocarray(a->kinds, a->nkinds + 1, sizeof(*a->kinds));
	a->kinds[a->nkinds++] = k;
}

typedef void hook_fn(struct runtime *rt);

static hook_fn *begin_of(const struct kind *k)
{
	return k->begin;
}

static hook_fn *commit_of(const struct kind *k)
{
	return k->commit;
}

static hook_fn *discard_of(const struct kind *k)
{
	return k->discard;
}

static void run_hooks(struct apply *a, hook_fn *(*of)(const struct kind *k))
{
	for (size_t i = 0; i < a->nkinds; i++) {
		hook_fn *hook = of(a->kinds[i]);
		bool ran = false;

		for (size_t k = 0; k < i && !ran; k++)
			ran = of(a->kinds[k]) == hook;
		if (hook && !ran)
			hook(a->r->rt);
	}
}

bool registry_is_leaving(const struct registry *r, const char *id)
{
	return r->leaving && map_has(r->leaving, id);
}

static int run_prepare(struct apply *a, struct err *e)
{
	for (size_t i = 0; i < a->nkinds; i++) {
		const struct kind *k = a->kinds[i];
		bool ran = false;

		for (size_t n = 0; n < i && !ran; n++)
			ran = a->kinds[n]->prepare == k->prepare;
		if (k->prepare && !ran && k->prepare(a->r->rt, e) < 0)
			return err_prefix(e, "transaction rejected for registry.commit");
	}
	return 0;
}

/* -- handlers ------------------------------------------------------------------------------------- */

/* The entry that handlers get for `e`, a new reference. */
static int expand(struct registry *r, const struct kind *k, struct entry *e, struct entry **ret, struct err *err)
{
	struct value *data;

	if (!e->data)
		return err_set(err, ERR_INVALID, "configuration data is required");
	if (!r->env) {
		*ret = entry_ref(e);
		return 0;
	}
	if (env_expand_except(r->env, e->ns, e->data, k->verbatim, &data, err) < 0)
		return -1;
	if (data != e->data) {
		*ret = entry_with_data(e, data);
		return 0;
	}
	value_unref(data);
	*ret = entry_ref(e);
	return 0;
}

/* The one its handler has now. */
static struct entry *expanded_of(struct registry *r, struct entry *e)
{
	struct entry *x = map_get(r->expanded, e->id);

	return x ? x : e;
}

/* Takes `x`, which its handler has from now on in place of `e`; NULL: it has none. */
static void set_expanded(struct registry *r, const struct entry *e, struct entry *x)
{
	struct entry *before;

	if (x && x != e) {
		before = map_set(r->expanded, e->id, x);
	} else {
		before = map_remove(r->expanded, e->id);
		entry_unref(x);
	}
	entry_unref(before);
}

static int handle_add(struct apply *a, struct entry *e, struct err *err)
{
	const struct kind *k = kind_find(a->r->kinds, e->kind);
	struct entry *x;

	if (!k)
		return kind_refuse(a->r->kinds, e->kind, err);
	if (!k->add)
		return 0;
	if (expand(a->r, k, e, &x, err) < 0)
		return -1;
	if (k->add(a->r->rt, x, err) < 0) {
		entry_unref(x);
		return -1;
	}
	set_expanded(a->r, e, x);
	return 0;
}

void remove_entry(struct registry *r, struct entry *e)
{
	const struct kind *k = kind_find(r->kinds, e->kind);

	if (k && k->remove)
		k->remove(r->rt, expanded_of(r, e));
	set_expanded(r, e, NULL);
}

static int replace(struct apply *a, const struct kind *k, struct entry *before, struct entry *x, struct err *err)
{
	struct err again;

	if (k->update)
		return k->update(a->r->rt, before, x, err);
	if (k->remove)
		k->remove(a->r->rt, before);
	if (k->add(a->r->rt, x, err) == 0)
		return 0;
	if (k->add(a->r->rt, before, &again) < 0)
		log_error("registry", "an entry could not be put back after its replacement failed",
			LOG_STR("entry", before->id), LOG_STR("error", again.text));
	return -1;
}

static int handle_update(struct apply *a, struct entry *old, struct entry *e, struct err *err)
{
	const struct kind *k = kind_find(a->r->kinds, e->kind);
	struct entry *x;

	if (!k)
		return kind_refuse(a->r->kinds, e->kind, err);
	if (!k->add)
		return 0;
	if (expand(a->r, k, e, &x, err) < 0)
		return -1;
	if (replace(a, k, expanded_of(a->r, old), x, err) < 0) {
		entry_unref(x);
		return -1;
	}
	set_expanded(a->r, e, x);
	return 0;
}

/* -- operations ----------------------------------------------------------------------------------- */

static struct entry *now(struct apply *a, const char *id)
{
	return map_has(a->touched, id) ? map_get(a->touched, id) : snapshot_get(a->r->current, id);
}

static int check(const struct change *c, const struct entry *live, struct err *e)
{
	const struct entry *x = c->entry;
	int rc = 0;

	if (c->type == CHANGE_CREATE && live)
		rc = err_set(e, ERR_CONFLICT, "entry already exists: {ns: %s, name: %s}", x->ns, x->name);
	else if (c->type == CHANGE_UPDATE && !live)
		rc = err_set(e, ERR_NOT_FOUND, "entry does not exist: {ns: %s, name: %s}", x->ns, x->name);
	else if (c->type == CHANGE_UPDATE && strcmp(live->kind, x->kind) != 0)
		rc = err_set(e, ERR_INVALID, "cannot change entry kind from %s to %s for {ns: %s, name: %s}",
			live->kind, x->kind, x->ns, x->name);
	else if (c->type == CHANGE_DELETE && !live)
		rc = err_set(e, ERR_NOT_FOUND, "cannot delete non-existent entry: {ns: %s, name: %s}", x->ns, x->name);
	return rc < 0 ? err_prefix(e, "invalid operation") : 0;
}

/* Something takes the place of an entry whose deletion was only noted. */
static void leave_now(struct apply *a, const char *id)
{
	struct change *c = map_remove(a->leaving, id);

	if (c)
		remove_entry(a->r, c->previous);
}

static int make(struct apply *a, struct change *c, struct err *e)
{
	struct entry *live = now(a, c->entry->id);
	int rc = check(c, live, e);

	if (rc < 0)
		return -1;
	if (c->type == CHANGE_DELETE) {
		/* Until now it only had to have the id. */
		entry_ref(live);
		entry_unref(c->entry);
		c->entry = live;
	}
	tell(a->r, REGISTRY_OPERATION, c, NULL);
	switch (c->type) {
	case CHANGE_CREATE:
		leave_now(a, c->entry->id);
		rc = handle_add(a, c->entry, e);
		break;
	case CHANGE_UPDATE:
		rc = handle_update(a, live, c->entry, e);
		break;
	case CHANGE_DELETE:
		break;
	}
	tell(a->r, rc < 0 ? REGISTRY_REJECT : REGISTRY_ACCEPT, c, e);
	if (rc < 0)
		return -1;
	entry_ref(live);
	entry_unref(c->previous);
	c->previous = live;
	if (c->type == CHANGE_DELETE)
		map_set(a->leaving, c->entry->id, c);
	map_set(a->touched, c->entry->id, c->type == CHANGE_DELETE ? NULL : c->entry);
	a->done[a->ndone++] = c;
	return 0;
}

static int undo(struct apply *a, const struct change *c, struct err *e)
{
	if (c->type == CHANGE_UPDATE)
		return handle_update(a, c->entry, c->previous, e);
	if (c->type == CHANGE_CREATE)
		remove_entry(a->r, c->entry);
	else if (map_get(a->leaving, c->entry->id) == c)
		map_remove(a->leaving, c->entry->id);
	else
		return handle_add(a, c->previous, e);
	return 0;
}

/* Undo what was made, the last one first; what misses something that is not back yet, again after the rest. */
static void roll_back(struct apply *a)
{
	struct err e = {0};
	size_t left = 0;

	do {
		size_t n = a->ndone, kept = n;

		left = n;
		for (size_t i = n; i-- > 0;) {
			if (undo(a, a->done[i], &e) == 0)
				continue;
			if (e.kind == ERR_NOT_FOUND) {
				a->done[--kept] = a->done[i];
				continue;
			}
			log_error("registry", "an entry could not be restored after a change failed",
				LOG_STR("entry", a->done[i]->entry->id), LOG_STR("error", e.text));
		}
		/* Those that wait are at the end, in their order. */
		memmove(a->done, a->done + kept, (n - kept) * sizeof(*a->done));
		a->ndone = n - kept;
	} while (a->ndone > 0 && a->ndone < left);
	for (size_t i = 0; i < a->ndone; i++)
		log_error("registry", "an entry could not be restored after a change failed",
			LOG_STR("entry", a->done[i]->entry->id), LOG_STR("error", e.text));
}

/* -- passes --------------------------------------------------------------------------------------- */

static void name_entry(struct err *e, const struct entry *x)
{
	if (x->file[0])
		entry_prefix(e, x, NULL);
	else
		err_prefix(e, "operation failed for entry %s", x->id);
}

/* "a:b,c:d" */
static int unresolved(struct change **left, size_t n, const struct err *first, struct err *e)
{
	struct buf ids = BUF_INIT;
	int rc;

	*e = *first;
	for (size_t i = 0; i < n && buf_len(&ids) < 512; i++)
		buf_addf(&ids, "%s%s", i ? "," : "", left[i]->entry->id);
	rc = err_prefix(e, "unresolved dependencies after retry: %s", buf_str(&ids));
	buf_done(&ids);
	return rc;
}

static int run_passes(struct apply *a, struct change **left, size_t n, struct err *e)
{
	while (n > 0) {
		size_t kept = 0;
		struct err first = {0};

		for (size_t i = 0; i < n; i++) {
			struct err one = {0};

			if (make(a, left[i], &one) == 0)
				continue;
			name_entry(&one, left[i]->entry);
			if (one.kind != ERR_NOT_FOUND) {
				*e = one;
				return -1;
			}
			if (kept == 0)
				first = one;
			left[kept++] = left[i];
		}
		if (kept == n)
			return unresolved(left, n, &first, e);
		n = kept;
	}
	return 0;
}

/* -- the whole ------------------------------------------------------------------------------------ */

static void publish(struct registry *r, struct snapshot *fresh)
{
	struct snapshot *old;

	pthread_mutex_lock(&r->lock);
	old = r->current;
	r->current = fresh;
	pthread_mutex_unlock(&r->lock);
	snapshot_unref(old);
}

/* In the order in which they were made, which is what the version keeps: a second way from one state to the other. */
static void in_order_made(const struct apply *a, struct changes *ret)
{
	for (size_t i = 0; i < a->ndone; i++)
		changes_add(ret, a->done[i]->type, a->done[i]->entry, a->done[i]->previous);
}

static void commit(struct apply *a, const struct changes *made, uint64_t version)
{
	struct registry *r = a->r;

	for (size_t i = 0; i < a->ndone; i++) {
		if (map_get(a->leaving, a->done[i]->entry->id) == a->done[i])
			leave_now(a, a->done[i]->entry->id);
	}
	publish(r, snapshot_with(r->current, made, version));
	run_hooks(a, commit_of);
	tell(r, REGISTRY_COMMIT, NULL, NULL);
}

int apply_changes(struct registry *r, struct changes *c, const struct apply_mode *mode, struct err *e)
{
	struct apply a = {.r = r, .mode = mode, .touched = map_new(), .leaving = map_new()};
	struct change **left = xcalloc(c->count + 1, sizeof(struct change *));
	struct changes made = {0};
	uint64_t version = mode->version;
	int rc;

	assert(!r->applying);
	r->applying = true;
	a.done = xcalloc(c->count + 1, sizeof(struct change *));
	for (size_t i = 0; i < c->count; i++) {
		const struct entry *live = snapshot_get(r->current, c->items[i].entry->id);

		left[i] = &c->items[i];
		join(&a, c->items[i].type == CHANGE_DELETE && live ? live->kind : c->items[i].entry->kind);
	}
	tell(r, REGISTRY_BEGIN, NULL, NULL);
	run_hooks(&a, begin_of);
	rc = run_passes(&a, left, c->count, e);
	r->leaving = a.leaving;
	if (rc == 0)
		rc = run_prepare(&a, e);
	r->leaving = NULL;
	in_order_made(&a, &made);
	if (rc == 0 && mode->save) {
		rc = mode->save(r, &made, &version, e);
		if (rc < 0)
			err_prefix(e, "failed to save new version");
	}
	if (rc == 0) {
		commit(&a, &made, version);
	} else {
		roll_back(&a);
		run_hooks(&a, discard_of);
		tell(r, REGISTRY_DISCARD, NULL, e);
	}
	r->applying = false;
	changes_done(&made);
	map_free(a.touched, NULL);
	map_free(a.leaving, NULL);
	free(a.kinds);
	free(a.done);
	free(left);
	return rc;
}
