/* What processes say to each other without Lua: messages to a pid, signals out of the mailbox, cancel, terminate. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actor/quota.h"
#include "actor/worker.h"
#include "base/alloc.h"
#include "base/duration.h"

/* -- posting ----------------------------------------------------------------------------------------- */

static int no_such_process(struct scheduler *s, struct pid to, struct err *e)
{
	struct host *h = NULL;
	struct program *program = NULL;
	bool known = false;

	if (to.host) {
		h = hosts_get(s->hosts, to.host);
		program = h ? NULL : programs_get(s->programs, to.host);
		known = h || program;
		host_unref(h);
		program_unref(program);
	}
	return err_set(e, ERR_NOT_FOUND, known ? "process not found" : "host not found");
}

/* Takes `m`, which reached nobody. */
static int undeliverable(struct scheduler *s, struct pid to, struct message *m, struct err *e)
{
	bool is_signal = m->type != MESSAGE_USER;
	struct host *h;
	int rc = 0;

	message_free(m);
	h = to.host && !is_signal ? hosts_get(s->hosts, to.host) : NULL;
	/* Clients come and go: who writes to one that has left is not told, as long as there is a server. */
	if (!h || h->type != HOST_NATIVE)
		rc = no_such_process(s, to, e);
	else if (atomic_load_explicit(&h->state, memory_order_acquire) == HOST_STOPPED)
		rc = err_set(e, ERR_INTERNAL, "server host not initialized");
	host_unref(h);
	return rc;
}

int process_send(struct scheduler *s, struct pid to, struct message *m, struct err *e)
{
	struct worker *w, *here = worker_current();
	struct process *p;

	if (to.number == 0)
		return undeliverable(s, to, m, e);
	w = number_owner(s, to.number);
	if (w == here) {
		p = process_find(w, to.number);
		if (p && process_pid(p).host == to.host) {
			quota_note(p, m);
			process_post_here(p, m);
			if (!p->running)
				worker_enqueue(w, p);
			return 0;
		}
		if (atomic_load_explicit(&w->nunborn, memory_order_relaxed) > 0) {
			bool posted;

			pthread_mutex_lock(&w->lock);
			posted = unborn_post(w, to, m);
			pthread_mutex_unlock(&w->lock);
			if (posted)
				return 0;
		}
	} else {
		pthread_mutex_lock(&w->lock);
		p = process_find(w, to.number);
		if (p && process_pid(p).host == to.host) {
			quota_note(p, m);
			mailbox_post(&p->mailbox, m);
			/* One post at a time; it points into the process, which therefore stays until it came home. */
			if (!atomic_exchange_explicit(&p->posted, true, memory_order_acq_rel))
				loop_post(w->loop, &p->post);
			pthread_mutex_unlock(&w->lock);
			return 0;
		}
		if (unborn_post(w, to, m)) {
			pthread_mutex_unlock(&w->lock);
			return 0;
		}
		pthread_mutex_unlock(&w->lock);
	}
	return undeliverable(s, to, m, e);
}

bool process_exists(struct scheduler *s, struct pid pid)
{
	struct worker *w;
	struct process *p;
	bool yes;

	if (pid.number == 0)
		return false;
	w = number_owner(s, pid.number);
	pthread_mutex_lock(&w->lock);
	p = process_find(w, pid.number);
	yes = p ? process_pid(p).host == pid.host : unborn_exists(w, pid);
	pthread_mutex_unlock(&w->lock);
	return yes;
}

int process_name(struct scheduler *s, struct pid pid, const char *name, struct err *e)
{
	struct worker *w;
	struct process *p;
	int rc;

	if (pid.number == 0)
		return no_such_process(s, pid, e);
	w = number_owner(s, pid.number);
	/* Under the lock the process cannot end between being found and being marked. */
	pthread_mutex_lock(&w->lock);
	p = process_find(w, pid.number);
	if (p ? process_pid(p).host != pid.host : !unborn_mark_named(w, pid)) {
		pthread_mutex_unlock(&w->lock);
		return no_such_process(s, pid, e);
	}
	if (p)
		atomic_store_explicit(&p->named, true, memory_order_relaxed);
	rc = names_register(s->names, name, pid, NULL, e);
	pthread_mutex_unlock(&w->lock);
	return rc;
}

/* -- out of the mailbox ------------------------------------------------------------------------------ */

bool signal_handle(struct process *p, struct message *m)
{
	bool for_lua = false;

	switch ((enum message_type)m->type) {
	case MESSAGE_USER:
	case MESSAGE_CANCEL:
	case MESSAGE_BUS:
		return true;
	case MESSAGE_EXIT:
		/* A watcher that changed its mind in the meantime gets nothing. */
		for_lua = relation_has(p, m->from, RELATION_MONITORS);
		relation_remove(p, m->from, RELATION_MONITORS);
		break;
	case MESSAGE_LINK_DOWN:
		for_lua = relation_link_down(p, m);
		break;
	case MESSAGE_MONITOR:
		relation_add(p, m->from, RELATION_MONITORED);
		break;
	case MESSAGE_UNMONITOR:
		relation_remove(p, m->from, RELATION_MONITORED);
		break;
	case MESSAGE_LINK:
		relation_accept_link(p, m->from);
		break;
	case MESSAGE_UNLINK:
		relation_accept_unlink(p, m->from, m->unlink_id);
		break;
	case MESSAGE_UNLINKED:
		relation_unlink_acknowledged(p, m->from, m->unlink_id);
		break;
	case MESSAGE_TERMINATE:
		p->aborted = true;
		process_fail(p, m->failure);
		break;
	case MESSAGE_DEADLINE:
		relations_set_deadline(p, m->after_ns, m->failure);
		break;
	}
	if (!for_lua)
		message_free(m);
	return for_lua;
}

/* -- cancel and terminate ---------------------------------------------------------------------------- */

static int send_cancel(
	struct scheduler *s, struct pid from, struct pid target, const char *reason, size_t len, struct err *e)
{
	char *text = xmemdupz(reason, len);
	const char *const strings[] = {text};
	struct message *m;

	m = message_new_signal(MESSAGE_CANCEL, from, packed_from_strings(strings, 1), NULL);
	free(text);
	return process_send(s, target, m, e);
}

static struct failure *too_late(uint64_t deadline_ns)
{
	char text[128], duration[DURATION_TEXT_MAX];

	duration_format((int64_t)deadline_ns, duration);
	snprintf(text, sizeof(text), "process terminated: it did not stop within %s after it was canceled", duration);
	return failure_new("Timeout", ERR_RETRY_UNKNOWN, text, strlen(text), NULL, NULL, NULL);
}

int process_cancel_within(struct scheduler *s, struct pid from, struct pid target, const char *reason, size_t len,
	uint64_t deadline_ns, struct err *e)
{
	struct host *h = target.host ? hosts_get(s->hosts, target.host) : NULL;
	struct message *m;

	if (deadline_ns == CANCEL_DEADLINE_OF_HOST)
		deadline_ns = h ? atomic_load_explicit(&h->cancel_deadline_ns, memory_order_relaxed) : 0;
	if (h && h->type == HOST_TERMINAL)
		deadline_ns = 0;
	host_unref(h);
	if (deadline_ns > CANCEL_DEADLINE_NS_MAX)
		deadline_ns = CANCEL_DEADLINE_NS_MAX;
	if (send_cancel(s, from, target, reason, len, e) < 0)
		return -1;
	if (deadline_ns == 0)
		return 0;
	m = message_new_signal(MESSAGE_DEADLINE, from, NULL, too_late(deadline_ns));
	m->after_ns = deadline_ns;
	/* One that has ended since needs none. */
	process_send(s, target, m, NULL);
	return 0;
}

int process_cancel(
	struct scheduler *s, struct pid from, struct pid target, const char *reason, size_t len, struct err *e)
{
	return process_cancel_within(s, from, target, reason, len, CANCEL_DEADLINE_OF_HOST, e);
}

/* Code that cannot yield never looks at the mailbox: it is told by a flag. */
static void mark_doomed(struct scheduler *s, struct pid target)
{
	struct worker *w = number_owner(s, target.number);
	struct process *p;

	pthread_mutex_lock(&w->lock);
	p = process_find(w, target.number);
	if (p && process_pid(p).host == target.host)
		atomic_store_explicit(&p->doomed, true, memory_order_relaxed);
	pthread_mutex_unlock(&w->lock);
}

struct failure *failure_terminated(void)
{
	static const char text[] = "process terminated";

	return failure_new("Internal", ERR_RETRY_UNKNOWN, text, strlen(text), NULL, NULL, NULL);
}

bool worker_must_end(void *arg)
{
	struct worker *w = arg;
	struct process *p = w->running ? w->running : w->beginning;

	if (!p || !atomic_load_explicit(&p->doomed, memory_order_relaxed))
		return false;
	if (p->running)
		process_abort(p, failure_terminated());
	return true;
}

int process_terminate(struct scheduler *s, struct pid target, struct err *e)
{
	struct host *h = target.host ? hosts_get(s->hosts, target.host) : NULL;
	bool spared = h && h->type == HOST_TERMINAL;
	struct worker *here = worker_current();
	struct process *p;
	struct failure *f;

	host_unref(h);
	if (spared && process_exists(s, target))
		return 0;
	f = failure_terminated();
	if (target.number != 0 && number_owner(s, target.number) == here) {
		p = process_find(here, target.number);
		if (p && process_pid(p).host == target.host) {
			process_abort(p, f);
			return 0;
		}
	}
	if (target.number != 0 && number_owner(s, target.number) != here)
		mark_doomed(s, target);
	if (process_send(s, target, message_new_signal(MESSAGE_TERMINATE, pid_system, NULL, f), e) < 0)
		return err_set(e, ERR_INTERNAL, "process not found");
	return 0;
}
