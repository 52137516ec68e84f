/* Processes without Lua: order, bounds, pauses, relations, ends, over several workers. */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actor/native.h"
#include "actor/quota.h"
#include "base/alloc.h"

enum { WORKERS = 3, SENDERS = 6, MESSAGES = 20000, BOUND = 16 };

struct bench {
	struct scheduler *sched;
	struct host *host;
	struct program *program;
	sem_t did;
};

/* One process and what it saw. Its own worker writes; the test reads after a semaphore. */
struct probe {
	struct bench *b;
	struct process *p;
	struct probe *to; /* whom it sends to, watches, links to */
	struct pid pid;
	sem_t changed;
	struct parked parked;
	struct pid senders[SENDERS];
	unsigned next[SENDERS]; /* message expected of each of them */
	unsigned received, exits, cancels, sent;
	bool in_order, ends_on_message, ended, failed;
	char last[64];
	char outcome[1024]; /* of the end, or of the exit seen */
};

static const char *first_text(struct packed *v, char *out, size_t n)
{
	struct value *tree = packed_to_value(v, 0);

	snprintf(out, n, "%s", value_type(tree) == VALUE_STRING ? value_get_string(tree, NULL) : "-");
	value_unref(tree);
	return out;
}

static struct packed *text_value(const char *s)
{
	return packed_from_strings(&s, 1);
}

static void receive(void *arg, struct message *m)
{
	struct probe *r = arg;

	if (m->type == MESSAGE_EXIT) {
		r->exits++;
		if (m->failure)
			snprintf(r->outcome, sizeof(r->outcome), "%s", m->failure->message);
		else
			first_text(m->payload, r->outcome, sizeof(r->outcome));
		sem_post(&r->changed);
	} else if (m->type == MESSAGE_CANCEL) {
		r->cancels++;
		sem_post(&r->changed);
	} else {
		r->received++;
		for (unsigned i = 0; i < SENDERS; i++)
			if (pid_equal(r->senders[i], m->from))
				r->in_order &= strtoul(m->topic, NULL, 10) == r->next[i]++;
		snprintf(r->last, sizeof(r->last), "%s", m->topic);
		if (r->ends_on_message) {
			struct packed *v = text_value("enough");

			native_end(r->p, v);
			native_end(r->p, NULL); /* twice is fine */
			packed_unref(v);
		}
		sem_post(&r->changed);
	}
	message_free(m);
}

static void ended(void *arg, const struct process_end *end)
{
	struct probe *r = arg;

	r->ended = true;
	r->failed = end->failure != NULL;
	if (end->failure)
		snprintf(r->outcome, sizeof(r->outcome), "%s", end->failure->message);
	else
		first_text(end->value, r->outcome, sizeof(r->outcome));
	r->p = NULL;
	sem_post(&r->changed);
}

static const struct native_ops probe_ops = {.receive = receive, .ended = ended};

/* -- running things on workers ------------------------------------------------------------------------- */

struct errand {
	struct loop_post post;
	void (*fn)(struct probe *r);
	struct probe *r;
	sem_t *did;
};

static void run_errand(struct loop_post *post)
{
	struct errand *a = container_of(post, struct errand, post);

	a->fn(a->r);
	sem_post(a->did);
	free(a);
}

static void on_worker(unsigned i, void (*fn)(struct probe *r), struct probe *r)
{
	struct errand *a = xcalloc(1, sizeof(*a));

	*a = (struct errand){{.run = run_errand}, fn, r, &r->b->did};
	loop_post(worker_loop(scheduler_worker(r->b->sched, i)), &a->post);
	sem_wait(&r->b->did);
}

static void spawn(struct probe *r)
{
	struct native_spec spec = {.host = r->b->host, .source = r->b->program, .ops = &probe_ops, .arg = r};
	struct err e;

	r->p = native_spawn(&spec, &e);
	assert_non_null(r->p);
	r->pid = process_pid(r->p);
}

static void probe_init(struct probe *r, struct bench *b, unsigned worker)
{
	*r = (struct probe){.b = b, .in_order = true};
	sem_init(&r->changed, 0, 0);
	on_worker(worker, spawn, r);
}

static void end_it(struct probe *r)
{
	struct packed *v = text_value("over");

	native_end(r->p, v);
	packed_unref(v);
}

static void wait_for(struct probe *r, unsigned changes)
{
	while (changes-- > 0)
		sem_wait(&r->changed);
}

static void finish(struct probe *r, unsigned worker)
{
	on_worker(worker, end_it, r);
	wait_for(r, 1);
	assert_true(r->ended);
}

static int setup(void **state)
{
	struct bench *b = xcalloc(1, sizeof(*b));

	b->sched = scheduler_new(&(struct scheduler_config){.workers = WORKERS});
	b->host = host_new(HOST_NATIVE, "app:server");
	atomic_store(&b->host->state, HOST_RUNNING);
	hosts_put(scheduler_hosts(b->sched), host_ref(b->host));
	b->program = program_new(b->sched, &(struct program_spec){.type = PROGRAM_PROCESS, .id = "app:server"});
	sem_init(&b->did, 0, 0);
	scheduler_start(b->sched);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	assert_int_equal(scheduler_stop(b->sched), 0);
	assert_int_equal(atomic_load(&b->host->nprocesses), 0);
	scheduler_free(b->sched);
	program_unref(b->program);
	host_unref(b->host);
	free(b);
	return 0;
}

static struct message *numbered(const struct probe *r, unsigned n)
{
	char topic[16];

	snprintf(topic, sizeof(topic), "%u", n);
	return message_new(topic, strlen(topic), r->pid, NULL);
}

/* -- tests --------------------------------------------------------------------------------------------- */

static void send_many(struct probe *r)
{
	struct err e;

	for (; r->sent < MESSAGES; r->sent++)
		assert_int_equal(process_send(r->b->sched, r->to->pid, numbered(r, r->sent), &e), 0);
}

static void send_bounded(struct probe *r);

static void there_is_room(struct parked *k)
{
	struct probe *r = container_of(k, struct probe, parked);

	assert_true(k->delivered);
	r->sent++;
	send_bounded(r);
}

static void send_bounded(struct probe *r)
{
	struct err e;

	while (r->sent < MESSAGES / 10) {
		struct message *m = numbered(r, r->sent);
		int rc = process_offer(r->b->sched, r->to->pid, m, &e);

		if (rc == 1) {
			r->parked = (struct parked){.loop = worker_loop(worker_current()), .done = there_is_room};
			list_init(&r->parked.link);
			rc = process_park(r->b->sched, r->to->pid, m, &r->parked, &e);
			if (rc == 1)
				return;
		}
		assert_int_equal(rc, 0);
		r->sent++;
	}
}

static void messages_of_a_sender_keep_their_order(void **state)
{
	struct bench *b = *state;
	struct probe to, from[SENDERS];
	bool bounded = atomic_load(&b->host->mailbox_max) > 0;
	unsigned each = bounded ? MESSAGES / 10 : MESSAGES;

	probe_init(&to, b, 1);
	for (unsigned i = 0; i < SENDERS; i++) {
		probe_init(&from[i], b, i % WORKERS);
		from[i].to = &to;
		to.senders[i] = from[i].pid;
	}
	for (unsigned i = 0; i < SENDERS; i++)
		on_worker(i % WORKERS, bounded ? send_bounded : send_many, &from[i]);
	wait_for(&to, SENDERS * each);
	assert_true(to.in_order);
	assert_int_equal(to.received, SENDERS * each);
	for (unsigned i = 0; i < SENDERS; i++) {
		assert_int_equal(to.next[i], each);
		finish(&from[i], i % WORKERS);
	}
	finish(&to, 1);
}

static void a_bound_makes_senders_wait(void **state)
{
	struct bench *b = *state;

	atomic_store(&b->host->mailbox_max, BOUND);
	messages_of_a_sender_keep_their_order(state);
}

static void pause_it(struct probe *r)
{
	native_pause(r->p);
	native_pause(r->p);
}

static void resume_it(struct probe *r)
{
	native_resume(r->p);
	native_resume(r->p);
}

static void send_one(struct probe *r)
{
	struct err e;

	assert_int_equal(process_send(r->b->sched, r->to->pid, numbered(r, r->sent++), &e), 0);
}

static void send_three(struct probe *r)
{
	struct err e;

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(process_send(r->b->sched, r->to->pid, numbered(r, r->sent++), &e), 0);
	assert_int_equal(process_cancel(r->b->sched, r->pid, r->to->pid, "why", 3, &e), 0);
}

static void nothing(struct probe *r)
{
	(void)r;
}

static void while_paused_everything_waits_in_order(void **state)
{
	struct bench *b = *state;
	struct probe to, from;

	probe_init(&to, b, 0);
	probe_init(&from, b, 2);
	from.to = &to;
	to.senders[0] = from.pid;
	on_worker(0, pause_it, &to);
	on_worker(2, send_three, &from);
	/* But the wish that it end. Twice: it is not lost behind the messages of the first time, and nothing comes with it. */
	wait_for(&to, 1);
	assert_int_equal(to.cancels, 1);
	on_worker(2, send_three, &from);
	wait_for(&to, 1);
	assert_int_equal(to.cancels, 2);
	assert_int_equal(to.received, 0);
	on_worker(0, resume_it, &to);
	wait_for(&to, 6);
	assert_int_equal(to.received, 6);
	assert_true(to.in_order);
	finish(&from, 2);
	finish(&to, 0);
}

static void monitor_it(struct probe *r)
{
	struct err e;

	assert_int_equal(process_monitor(r->p, r->to->pid, &e), 0);
}

static void link_it(struct probe *r)
{
	struct err e;

	assert_int_equal(process_link(r->p, r->to->pid, &e), 0);
}

static void monitor_in_vain(struct probe *r)
{
	struct err e;

	assert_int_equal(process_monitor(r->p, r->to->pid, &e), -1);
	assert_string_equal(e.text, "pid not registered");
}

static void watchers_hear_of_the_end(void **state)
{
	struct bench *b = *state;
	struct probe to, far, near;

	probe_init(&to, b, 0);
	probe_init(&far, b, 1);
	probe_init(&near, b, 0);
	far.to = near.to = &to;
	on_worker(1, monitor_it, &far);
	on_worker(0, monitor_it, &near);
	assert_true(process_exists(b->sched, to.pid));
	to.ends_on_message = true;
	on_worker(1, send_one, &far);
	wait_for(&to, 2); /* one message, the end */
	wait_for(&far, 1);
	wait_for(&near, 1);
	assert_int_equal(to.received, 1);
	assert_string_equal(to.outcome, "enough");
	assert_string_equal(far.outcome, "enough");
	assert_string_equal(near.outcome, "enough");
	assert_false(process_exists(b->sched, to.pid));
	on_worker(0, monitor_in_vain, &near);
	finish(&near, 0);
	finish(&far, 1);
}

static void terminate_it(struct probe *r)
{
	struct err e;

	assert_int_equal(process_terminate(r->b->sched, r->to->pid, &e), 0);
}

static void a_link_takes_the_other_along(void **state)
{
	struct bench *b = *state;
	struct probe a, c, killer;

	probe_init(&a, b, 0);
	probe_init(&c, b, 1);
	probe_init(&killer, b, 2);
	c.to = &a;
	killer.to = &a;
	on_worker(1, link_it, &c);
	on_worker(2, terminate_it, &killer);
	wait_for(&a, 1);
	wait_for(&c, 1);
	assert_true(a.failed && c.failed);
	assert_string_equal(a.outcome, "process terminated");
	assert_string_equal(c.outcome, "linked process failed");
	/* An end without failure takes nobody along. */
	probe_init(&a, b, 0);
	probe_init(&c, b, 0);
	c.to = &a;
	on_worker(0, link_it, &c);
	finish(&a, 0);
	on_worker(0, nothing, &c);
	assert_false(c.ended);
	finish(&c, 0);
	finish(&killer, 2);
}

static void who_is_gone_gets_nothing(void **state)
{
	struct bench *b = *state;
	struct probe r;
	struct err e;

	probe_init(&r, b, 1);
	finish(&r, 1);
	assert_int_equal(process_send(b->sched, r.pid, numbered(&r, 0), &e), 0);
	assert_int_equal(process_cancel(b->sched, r.pid, r.pid, "", 0, &e), -1);
	assert_string_equal(e.text, "process not found");
	atomic_store(&b->host->state, HOST_STOPPED);
	assert_int_equal(process_send(b->sched, r.pid, numbered(&r, 0), &e), -1);
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_string_equal(e.text, "server host not initialized");
}

static void refused(struct probe *r)
{
	struct native_spec spec = {.host = r->b->host, .source = r->b->program, .ops = &probe_ops, .arg = r};
	struct err e;

	assert_null(native_spawn(&spec, &e));
	snprintf(r->outcome, sizeof(r->outcome), "%s", e.text);
}

static void a_host_may_refuse(void **state)
{
	struct bench *b = *state;
	struct probe r, other;

	atomic_store(&b->host->processes_max, 1);
	probe_init(&r, b, 0);
	other = (struct probe){.b = b};
	on_worker(1, refused, &other);
	assert_string_equal(other.outcome, "host app:server is full: it runs 1 processes (host.max_processes)");
	finish(&r, 0);
	atomic_store(&b->host->state, HOST_STOPPING);
	on_worker(1, refused, &other);
	assert_string_equal(other.outcome, "host is shutting down");
}

static void the_end_of_all_ends_them(void **state)
{
	struct bench *b = *state;
	struct probe r[WORKERS];

	for (unsigned i = 0; i < WORKERS; i++)
		probe_init(&r[i], b, i);
	on_worker(1, pause_it, &r[1]);
	assert_int_equal(scheduler_stop(b->sched), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		assert_true(r[i].ended);
		assert_string_equal(r[i].outcome, "context canceled");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(messages_of_a_sender_keep_their_order, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bound_makes_senders_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(while_paused_everything_waits_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(watchers_hear_of_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(a_link_takes_the_other_along, setup, teardown),
		cmocka_unit_test_setup_teardown(who_is_gone_gets_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_host_may_refuse, setup, teardown),
		cmocka_unit_test_setup_teardown(the_end_of_all_ends_them, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
