/*
 * child.c - children of one worker: a descriptor that tells of the end (pidfd), a timer that makes an end.
 *
 * As long as the program is not reaped its number belongs to it, and so does its group's: signals are sent only until
 * then.
 */
#include "exec/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "exec/private.h"

struct exec_children {
	struct loop *loop;
	struct exec_child **all; /* in any order */
	size_t count, cap;
};

struct exec_child {
	struct exec_children *children;
	size_t index; /* in children->all */
	pid_t pid;
	int pidfd;
	int exit_code; /* -1: runs */
	struct loop_poll *poll;
	struct loop_timer timer; /* the kill, or telling of an end that came before anybody asked */
	exec_ended_fn *ended;
	void *arg;
	bool dropped;
};

struct exec_children *exec_children_new(struct loop *l)
{
	struct exec_children *c = xcalloc(1, sizeof(*c));

	c->loop = l;
	return c;
}

static void child_free(struct exec_children *c, struct exec_child *ch)
{
	struct exec_child *last = c->all[--c->count];

	loop_poll_free(ch->poll);
	loop_timer_stop(&ch->timer);
	c->all[ch->index] = last;
	last->index = ch->index;
	if (ch->pidfd >= 0)
		close(ch->pidfd);
	free(ch);
}

/* True when it has ended: its number is gone then. */
static bool reap(struct exec_child *ch)
{
	siginfo_t info = {0};

	if (waitid(P_PID, (id_t)ch->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0)
		return false;
	/* What it started and left behind. */
	kill(-ch->pid, SIGKILL);
	if (waitid(P_PID, (id_t)ch->pid, &info, WEXITED) < 0)
		ch->exit_code = 255; /* somebody else waited for it */
	else
		ch->exit_code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	loop_poll_free(ch->poll);
	ch->poll = NULL;
	close(ch->pidfd);
	ch->pidfd = -1;
	loop_timer_stop(&ch->timer);
	atomic_fetch_sub(&exec_nchildren, 1);
	return true;
}

static void tell(struct exec_child *ch)
{
	exec_ended_fn *fn = ch->ended;

	ch->ended = NULL;
	if (fn)
		fn(ch->arg, ch->exit_code);
}

static void on_event(void *arg, int events)
{
	struct exec_child *ch = arg;

	(void)events;
	if (!reap(ch))
		return;
	if (ch->dropped)
		child_free(ch->children, ch);
	else
		tell(ch);
}

static void on_timer(struct loop_timer *t)
{
	struct exec_child *ch = container_of(t, struct exec_child, timer);

	if (ch->exit_code < 0)
		kill(-ch->pid, SIGKILL);
	else
		tell(ch);
}

struct exec_child *exec_child_new(struct exec_children *c, const struct exec_spawn *s)
{
	struct exec_child *ch = xcalloc(1, sizeof(*ch));

	ch->children = c;
	ch->pid = s->pid;
	ch->pidfd = s->pidfd;
	ch->exit_code = -1;
	ch->poll = loop_poll_new(c->loop, ch->pidfd, LOOP_READ, on_event, ch);
	loop_timer_init(&ch->timer, c->loop, on_timer);
	if (c->count == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 16;
		c->all = xreallocarray(c->all, c->cap, sizeof(struct exec_child *));
	}
	ch->index = c->count;
	c->all[c->count++] = ch;
	return ch;
}

void exec_child_on_end(struct exec_child *ch, exec_ended_fn *fn, void *arg)
{
	ch->ended = fn;
	ch->arg = arg;
	if (ch->exit_code < 0)
		return;
	if (fn)
		loop_timer_start_ns(&ch->timer, 0);
	else
		loop_timer_stop(&ch->timer);
}

int exec_child_exit_code(const struct exec_child *ch)
{
	return ch->exit_code;
}

bool exec_child_signal(struct exec_child *ch, int signum)
{
	return ch->exit_code < 0 && kill(-ch->pid, signum) == 0;
}

void exec_child_drop(struct exec_child *ch, bool kill_now)
{
	if (!ch)
		return;
	ch->ended = NULL;
	ch->dropped = true;
	if (ch->exit_code >= 0) {
		child_free(ch->children, ch);
		return;
	}
	exec_child_signal(ch, kill_now ? SIGKILL : SIGTERM);
	/* A stopped program would not hear of it. */
	exec_child_signal(ch, SIGCONT);
	loop_timer_start_ms(&ch->timer, EXEC_KILL_AFTER_MS);
}

/* -- the end ----------------------------------------------------------------------------------------- */

/* Reap what has ended; false when none is left. */
static bool reap_all(struct exec_children *c)
{
	/* From the end: the last one takes the place of one that goes. */
	for (size_t i = c->count; i-- > 0;) {
		struct exec_child *ch = c->all[i];

		if (ch->exit_code < 0 && !reap(ch))
			continue;
		ch->index = i; /* as it is already; static analysis does not know */
		child_free(c, ch);
	}
	return c->count > 0;
}

static void signal_all(struct exec_children *c, int signum)
{
	for (size_t i = 0; i < c->count; i++) {
		struct exec_child *ch = c->all[i];

		exec_child_signal(ch, signum);
		exec_child_signal(ch, SIGCONT);
	}
}

void exec_children_free(struct exec_children *c)
{
	uint64_t until = loop_clock_ns() + (uint64_t)EXEC_KILL_AT_END_MS * 1000000;
	bool killed = false;

	if (!c)
		return;
	signal_all(c, SIGTERM);
	while (reap_all(c)) {
		if (!killed && loop_clock_ns() >= until) {
			signal_all(c, SIGKILL);
			killed = true;
		}
		poll(NULL, 0, 10);
	}
	free(c->all);
	free(c);
}
