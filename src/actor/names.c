#include "actor/names.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "actor/number_map.h"
#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"

struct name {
	struct pid pid;
	struct list link; /* among the names of that process */
	char text[];
};

struct holder {
	struct list names;
};

struct names {
	pthread_mutex_t lock;
	struct map *by_name;
	struct number_map holders; /* process number -> struct holder */
};

struct names *names_new(void)
{
	struct names *n = xcalloc(1, sizeof(*n));

	pthread_mutex_init(&n->lock, NULL);
	n->by_name = map_new();
	return n;
}

void names_free(struct names *n)
{
	void *h;

	if (!n)
		return;
	for (size_t i = 0; number_map_next(&n->holders, &i, &h);)
		free(h);
	number_map_done(&n->holders);
	map_free(n->by_name, free);
	pthread_mutex_destroy(&n->lock);
	free(n);
}

int names_register(struct names *n, const char *name, struct pid pid, struct pid *ret_holder, struct err *e)
{
	struct holder *h;
	struct name *nm;
	size_t size;
	int rc = 0;

	pthread_mutex_lock(&n->lock);
	nm = map_get(n->by_name, name);
	if (nm) {
		if (ret_holder)
			*ret_holder = nm->pid;
		if (!pid_equal(nm->pid, pid))
			rc = err_set(e, ERR_ALREADY_EXISTS, "name already registered");
		goto out;
	}
	size = strlen(name) + 1;
	nm = xmalloc(sizeof(*nm) + size);
	nm->pid = pid;
	memcpy(nm->text, name, size);
	h = number_map_get(&n->holders, pid.number);
	if (!h) {
		h = xmalloc(sizeof(*h));
		list_init(&h->names);
		number_map_set(&n->holders, pid.number, h);
	}
	list_push_back(&h->names, &nm->link);
	map_set(n->by_name, name, nm);
out:
	pthread_mutex_unlock(&n->lock);
	return rc;
}

bool names_lookup(struct names *n, const char *name, struct pid *ret_pid)
{
	const struct name *nm;

	pthread_mutex_lock(&n->lock);
	nm = map_get(n->by_name, name);
	if (nm)
		*ret_pid = nm->pid;
	pthread_mutex_unlock(&n->lock);
	return nm != NULL;
}

/* Under the lock. */
static void drop(struct names *n, struct name *nm)
{
	struct holder *h = number_map_get(&n->holders, nm->pid.number);

	list_remove(&nm->link);
	if (list_is_empty(&h->names)) {
		number_map_remove(&n->holders, nm->pid.number);
		free(h);
	}
	map_remove(n->by_name, nm->text);
	free(nm);
}

bool names_unregister(struct names *n, const char *name)
{
	struct name *nm;

	pthread_mutex_lock(&n->lock);
	nm = map_get(n->by_name, name);
	if (nm)
		drop(n, nm);
	pthread_mutex_unlock(&n->lock);
	return nm != NULL;
}

void names_release(struct names *n, struct pid pid)
{
	struct holder *h;

	pthread_mutex_lock(&n->lock);
	/* The holder goes with its last name. */
	while ((h = number_map_get(&n->holders, pid.number)))
		drop(n, list_entry(h->names.next, struct name, link));
	pthread_mutex_unlock(&n->lock);
}
