#include "bind/sending.h"

#include <stdlib.h>

#include "actor/quota.h"
#include "base/alloc.h"
#include "bind/current.h"
#include "bind/process.h"

/* One message that waits. Freed when its wait is over, or at once when it could be called back. */
struct item {
	struct parked parked;
	struct item *next;
	struct sending *owner; /* NULL: nobody waits any more */
};

struct sending {
	struct pending pending;
	struct item *items;
	unsigned nitems; /* ever */
	unsigned nwaiting;
	bool lost; /* a receiver ended */
	bool asleep;
};

static void on_parked_done(struct parked *parked)
{
	struct item *it = container_of(parked, struct item, parked);
	struct sending *s = it->owner;

	if (!s) {
		free(it);
		return;
	}
	s->lost |= !parked->delivered;
	for (struct item **at = &s->items; *at; at = &(*at)->next) {
		if (*at == it) {
			*at = it->next;
			break;
		}
	}
	free(it);
	if (--s->nwaiting > 0)
		return;
	if (s->asleep)
		pending_ready(&s->pending);
}

int sending_add(lua_State *L, struct sending **ps, struct pid to, struct message *m, struct err *e)
{
	const struct process *self = current_process(L);
	struct worker *here = current_worker(L);
	struct scheduler *sched = worker_scheduler(here);
	struct sending *s = *ps;
	struct item *it;
	int rc = process_offer(sched, to, m, e);

	if (rc <= 0)
		return rc;
	if (!wait_is_possible(L) || (self && pid_equal(process_pid(self), to))) {
		message_free(m);
		return quota_full(sched, to, e);
	}
	it = xcalloc(1, sizeof(*it));
	it->parked.loop = worker_loop(here);
	it->parked.done = on_parked_done;
	rc = process_park(sched, to, m, &it->parked, e);
	if (rc <= 0) {
		free(it);
		return rc;
	}
	if (!s)
		*ps = s = xcalloc(1, sizeof(*s));
	it->owner = s;
	it->next = s->items;
	s->items = it;
	s->nitems++;
	s->nwaiting++;
	return 0;
}

void sending_forget(struct sending *s)
{
	struct item *it;

	if (!s)
		return;
	while ((it = s->items)) {
		s->items = it->next;
		it->owner = NULL;
	}
	free(s);
}

/* The sender is gone: what was not taken yet is not sent. */
static void on_cancel(struct pending *pending)
{
	struct sending *s = container_of(pending, struct sending, pending);
	struct item *it;

	while ((it = s->items)) {
		s->items = it->next;
		it->owner = NULL;
		if (parked_cancel(&it->parked))
			free(it);
	}
	free(s);
}

static int on_finish(lua_State *L, struct pending *pending)
{
	struct sending *s = container_of(pending, struct sending, pending);
	bool lost = s->lost && s->nitems == 1;
	struct err e;

	free(s);
	if (lost)
		err_set(&e, ERR_NOT_FOUND, "process not found");
	return push_true_or_err(L, lost ? -1 : 0, &e);
}

int sending_wait(lua_State *L, struct sending *s)
{
	if (!s)
		return push_true_or_err(L, 0, NULL);
	s->pending.cancel = on_cancel;
	s->asleep = true;
	return wait_for(L, &s->pending, on_finish);
}
