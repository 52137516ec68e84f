#include "actor/host.h"

#include <pthread.h>
#include <stdlib.h>

#include "actor/atom.h"
#include "base/alloc.h"
#include "base/map.h"

struct host *host_new(enum host_type type, const char *id)
{
	struct host *h = xcalloc(1, sizeof(*h));

	refcount_init(&h->refs);
	h->type = type;
	h->id = atom(id);
	atomic_init(&h->workers_max, 1);
	h->stop_timeout_ms = 10000;
	atomic_init(&h->state, HOST_STOPPED);
	atomic_init(&h->nprocesses, 0);
	atomic_init(&h->nplaces, 0);
	atomic_init(&h->processes_max, 0);
	atomic_init(&h->mailbox_max, 0);
	atomic_init(&h->cancel_deadline_ns, 0);
	return h;
}

struct host *host_ref(struct host *h)
{
	if (h)
		refcount_inc(&h->refs);
	return h;
}

void host_unref(struct host *h)
{
	if (h && refcount_dec(&h->refs))
		free(h);
}

int host_check_running(const struct host *h, struct err *e)
{
	switch ((enum host_state)atomic_load_explicit(&h->state, memory_order_acquire)) {
	case HOST_RUNNING:
		return 0;
	case HOST_STOPPING:
		return err_set(e, ERR_UNAVAILABLE, "host is shutting down");
	case HOST_STOPPED:
		break;
	}
	return err_set(e, ERR_UNAVAILABLE, "host is not running");
}

int host_enter(struct host *h, struct err *e)
{
	unsigned max = atomic_load_explicit(&h->processes_max, memory_order_relaxed);

	/* Counted first, so that two spawns cannot both take the last place. */
	if (atomic_fetch_add_explicit(&h->nplaces, 1, memory_order_relaxed) < max || max == 0) {
		atomic_fetch_add_explicit(&h->nprocesses, 1, memory_order_relaxed);
		return 0;
	}
	host_free_place(h);
	err_set(e, ERR_RATE_LIMITED, "host %s is full: it runs %u processes (host.max_processes)", h->id, max);
	return err_retryable(e);
}

bool host_is_full(const struct host *h)
{
	unsigned max = atomic_load_explicit(&h->processes_max, memory_order_relaxed);

	return max > 0 && atomic_load_explicit(&h->nplaces, memory_order_relaxed) >= max;
}

void host_free_place(struct host *h)
{
	atomic_fetch_sub_explicit(&h->nplaces, 1, memory_order_relaxed);
}

void host_leave(struct host *h)
{
	atomic_fetch_sub_explicit(&h->nprocesses, 1, memory_order_release);
}

struct hosts {
	pthread_rwlock_t lock;
	struct map *by_id;
	atomic_ulong version;
};

struct hosts *hosts_new(void)
{
	struct hosts *t = xcalloc(1, sizeof(*t));

	pthread_rwlock_init(&t->lock, NULL);
	t->by_id = map_new();
	return t;
}

static void unref_host(void *h)
{
	host_unref(h);
}

void hosts_free(struct hosts *t)
{
	if (!t)
		return;
	map_free(t->by_id, unref_host);
	pthread_rwlock_destroy(&t->lock);
	free(t);
}

void hosts_put(struct hosts *t, struct host *h)
{
	struct host *old;

	pthread_rwlock_wrlock(&t->lock);
	old = map_set(t->by_id, h->id, h);
	atomic_fetch_add_explicit(&t->version, 1, memory_order_release);
	pthread_rwlock_unlock(&t->lock);
	host_unref(old);
}

void hosts_remove(struct hosts *t, const char *id)
{
	struct host *old;

	pthread_rwlock_wrlock(&t->lock);
	old = map_remove(t->by_id, id);
	atomic_fetch_add_explicit(&t->version, 1, memory_order_release);
	pthread_rwlock_unlock(&t->lock);
	host_unref(old);
}

struct host *hosts_get(struct hosts *t, const char *id)
{
	struct host *h;

	pthread_rwlock_rdlock(&t->lock);
	h = host_ref(map_get(t->by_id, id));
	pthread_rwlock_unlock(&t->lock);
	return h;
}

unsigned long hosts_version(struct hosts *t)
{
	return atomic_load_explicit(&t->version, memory_order_acquire);
}

size_t hosts_list(struct hosts *t, struct host ***ret_hosts)
{
	struct host **list;
	const char *key;
	size_t pos = 0, n = 0;
	void *h;

	pthread_rwlock_rdlock(&t->lock);
	list = xcalloc(map_count(t->by_id) + 1, sizeof(struct host *));
	while (map_next(t->by_id, &pos, &key, &h))
		list[n++] = host_ref(h);
	pthread_rwlock_unlock(&t->lock);
	*ret_hosts = list;
	return n;
}
