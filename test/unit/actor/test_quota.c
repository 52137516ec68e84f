/* A bound on the messages that wait for one process: who is refused, who waits, in which order they come, and what becomes of those who wait. */
#include "workers_fixture.h"

#include "actor/native.h"
#include "actor/quota.h"

enum { BOUND = 3, RECEIVER = 0, SENDER = 1 };

struct bench {
	struct scheduler *sched;
	struct host *host;
	struct program *program;
	/* The receiver, on its own worker; it is paused while messages are to wait. */
	struct process *p;
	struct pid pid;
	unsigned allowed; /* messages it takes before it pauses again */
	char got[64];     /* topics, a letter each */
	bool ended;
	sem_t changed;
};

/* One that waits for room. */
struct sender {
	struct parked parked;
	struct bench *b;
	const char *topic;
	int rc;
	struct err err;
	struct message *refused;
	sem_t done;
};

static void receive(void *arg, struct message *m)
{
	struct bench *b = arg;

	strncat(b->got, m->topic, sizeof(b->got) - strlen(b->got) - 1);
	message_free(m);
	if (--b->allowed == 0)
		native_pause(b->p);
	sem_post(&b->changed);
}

static void on_ended(void *arg, const struct process_end *end)
{
	struct bench *b = arg;

	(void)end;
	b->ended = true;
	b->p = NULL;
	sem_post(&b->changed);
}

static void spawn(void *arg)
{
	static const struct native_ops ops = {.receive = receive, .ended = on_ended};
	struct bench *b = arg;
	struct native_spec spec = {.host = b->host, .source = b->program, .ops = &ops, .arg = b};
	struct err e;

	b->p = native_spawn(&spec, &e);
	assert_non_null(b->p);
	b->pid = process_pid(b->p);
	native_pause(b->p);
}

static void end_it(void *arg)
{
	struct bench *b = arg;

	if (b->p)
		native_end(b->p, NULL);
}

static void resume(void *arg)
{
	native_resume(((struct bench *)arg)->p);
}

/* The receiver takes n messages, and no more. */
static void take(struct bench *b, unsigned n)
{
	b->allowed = n;
	on_worker(b->sched, RECEIVER, resume, b);
	while (n-- > 0)
		sem_wait(&b->changed);
	settle(b->sched, RECEIVER);
}

static int setup_bound(void **state, unsigned bound)
{
	struct bench *b = xcalloc(1, sizeof(*b));

	b->sched = workers_start(2);
	b->host = host_new(HOST_NATIVE, "app:server");
	atomic_store(&b->host->state, HOST_RUNNING);
	atomic_store(&b->host->mailbox_max, bound);
	hosts_put(scheduler_hosts(b->sched), host_ref(b->host));
	b->program = program_new(b->sched, &(struct program_spec){.type = PROGRAM_PROCESS, .id = "app:server"});
	sem_init(&b->changed, 0, 0);
	on_worker(b->sched, RECEIVER, spawn, b);
	*state = b;
	return 0;
}

static int setup(void **state)
{
	return setup_bound(state, BOUND);
}

static int setup_without(void **state)
{
	return setup_bound(state, 0);
}

static int teardown(void **state)
{
	struct bench *b = *state;

	on_worker(b->sched, RECEIVER, end_it, b);
	workers_stop(b->sched);
	assert_int_equal(atomic_load(&b->host->nprocesses), 0);
	program_unref(b->program);
	host_unref(b->host);
	free(b);
	return 0;
}

static struct message *make_message(const char *topic)
{
	return message_new(topic, strlen(topic), (struct pid){"app:other", 77}, NULL);
}

static void offer(void *arg)
{
	struct sender *s = arg;
	struct message *m = make_message(s->topic);

	s->rc = process_offer(s->b->sched, s->b->pid, m, &s->err);
	s->refused = s->rc == 1 ? m : NULL;
	message_free(s->refused);
}

/* The answer of process_offer() to a sender on that worker. */
static int try_offer(struct bench *b, unsigned worker, const char *topic)
{
	struct sender s = {.b = b, .topic = topic};

	on_worker(b->sched, worker, offer, &s);
	return s.rc;
}

static void there_is_room(struct parked *k)
{
	sem_post(&container_of(k, struct sender, parked)->done);
}

static void park(void *arg)
{
	struct sender *s = arg;

	s->parked = (struct parked){.loop = worker_loop(worker_current()), .done = there_is_room};
	list_init(&s->parked.link);
	s->rc = process_park(s->b->sched, s->b->pid, make_message(s->topic), &s->parked, &s->err);
}

static void begin_park(struct sender *s, struct bench *b, const char *topic)
{
	*s = (struct sender){.b = b, .topic = topic};
	sem_init(&s->done, 0, 0);
	on_worker(b->sched, SENDER, park, s);
}

static bool is_done(struct sender *s)
{
	settle(s->b->sched, SENDER);
	return sem_trywait(&s->done) == 0;
}

static void cancel(void *arg)
{
	struct sender *s = arg;

	s->rc = parked_cancel(&s->parked);
}

/* -- tests --------------------------------------------------------------------------------------------- */

static void at_the_bound_there_is_no_room(void **state)
{
	struct bench *b = *state;

	/* Near or far, it is one bound. */
	assert_int_equal(try_offer(b, SENDER, "a"), 0);
	assert_int_equal(try_offer(b, RECEIVER, "b"), 0);
	assert_int_equal(try_offer(b, SENDER, "c"), 0);
	assert_int_equal(try_offer(b, SENDER, "x"), 1);
	assert_int_equal(try_offer(b, RECEIVER, "x"), 1);
	/* Each that is taken makes room for one. */
	take(b, 1);
	assert_int_equal(try_offer(b, SENDER, "d"), 0);
	assert_int_equal(try_offer(b, SENDER, "x"), 1);
	take(b, 3);
	assert_string_equal(b->got, "abcd");
	assert_int_equal(atomic_load(&b->p->quota->count), 0);
}

static void send_unasked(void *arg)
{
	struct sender *s = arg;

	s->rc = process_send(s->b->sched, s->b->pid, make_message(s->topic), &s->err);
}

/* What is sent without asking is never refused, but counts; signals do not. */
static void what_is_not_asked_for_counts(void **state)
{
	struct bench *b = *state;
	struct sender s = {.b = b, .topic = "a"};
	struct err e;

	for (unsigned i = 0; i < BOUND + 2; i++) {
		on_worker(b->sched, SENDER, send_unasked, &s);
		assert_int_equal(s.rc, 0);
	}
	assert_int_equal(atomic_load(&b->p->quota->count), BOUND + 2);
	assert_int_equal(try_offer(b, SENDER, "x"), 1);
	take(b, 2);
	assert_int_equal(try_offer(b, SENDER, "x"), 1);
	take(b, 1);
	assert_int_equal(try_offer(b, SENDER, "b"), 0);
	assert_int_equal(atomic_load(&b->p->quota->count), BOUND);
	b->allowed = 1;
	assert_int_equal(process_cancel(b->sched, (struct pid){0}, b->pid, "why", 3, &e),
		0); /* comes also to one that is paused */
	sem_wait(&b->changed);
	assert_int_equal(atomic_load(&b->p->quota->count), BOUND);
}

static void the_error_tells_who_and_how_many(void **state)
{
	struct bench *b = *state;
	struct err e;

	assert_int_equal(quota_full(b->sched, b->pid, &e), -1);
	assert_int_equal(e.kind, ERR_RATE_LIMITED);
	assert_int_equal(e.retry, ERR_RETRY_YES);
	assert_non_null(strstr(e.text, "is full: host app:server lets 3 messages wait (host.mailbox_size)"));
}

static void those_who_wait_come_in_their_order(void **state)
{
	static const char *const topics[] = {"d", "e", "f"};
	struct bench *b = *state;
	struct sender s[3];

	for (const char *first = "abc"; *first; first++)
		assert_int_equal(try_offer(b, SENDER, (char[]){*first, '\0'}), 0);
	for (unsigned i = 0; i < 3; i++) {
		begin_park(&s[i], b, topics[i]);
		assert_int_equal(s[i].rc, 1);
	}
	assert_false(is_done(&s[0]));
	take(b, 1);
	/* The place is gone already to the first that waits. */
	assert_true(is_done(&s[0]));
	assert_true(s[0].parked.delivered);
	assert_false(is_done(&s[1]));
	assert_int_equal(try_offer(b, SENDER, "x"), 1);
	take(b, 2);
	assert_true(is_done(&s[1]));
	assert_true(is_done(&s[2]));
	take(b, 3);
	assert_string_equal(b->got, "abcdef");
	assert_int_equal(try_offer(b, SENDER, "g"), 0);
}

/* The host's entry may change while somebody waits: whoever comes now does not go before. */
static void nobody_overtakes_those_who_wait(void **state)
{
	struct bench *b = *state;
	struct sender waits, later;

	for (unsigned i = 0; i < BOUND; i++)
		assert_int_equal(try_offer(b, SENDER, "a"), 0);
	begin_park(&waits, b, "b");
	assert_int_equal(waits.rc, 1);
	atomic_store(&b->host->mailbox_max, 100);
	assert_int_equal(try_offer(b, SENDER, "x"), 1);
	/* It asks to wait, there is room by now, and both are served, the first one first. */
	begin_park(&later, b, "c");
	assert_true(is_done(&waits));
	assert_true(is_done(&later));
	assert_int_equal(try_offer(b, SENDER, "d"), 0);
	take(b, BOUND + 3);
	assert_string_equal(b->got, "aaabcd");
}

static void who_gives_up_leaves_nothing_behind(void **state)
{
	struct bench *b = *state;
	struct sender first, second;

	for (unsigned i = 0; i < BOUND; i++)
		assert_int_equal(try_offer(b, SENDER, "a"), 0);
	begin_park(&first, b, "x");
	begin_park(&second, b, "b");
	on_worker(b->sched, SENDER, cancel, &first);
	assert_true(first.rc);
	take(b, 1);
	assert_true(is_done(&second));
	assert_false(is_done(&first));
	/* Too late: it has been delivered. */
	on_worker(b->sched, SENDER, cancel, &second);
	assert_false(second.rc);
	take(b, BOUND);
	assert_string_equal(b->got, "aaab");
}

static void the_end_tells_who_waits(void **state)
{
	struct bench *b = *state;
	struct sender s;

	for (unsigned i = 0; i < BOUND; i++)
		assert_int_equal(try_offer(b, SENDER, "a"), 0);
	begin_park(&s, b, "x");
	assert_int_equal(s.rc, 1);
	on_worker(b->sched, RECEIVER, end_it, b);
	sem_wait(&s.done);
	assert_false(s.parked.delivered);
	sem_wait(&b->changed);
	assert_true(b->ended);
	/* Nobody is there any more: nothing to wait for. */
	begin_park(&s, b, "x");
	assert_int_not_equal(s.rc, 1);
	assert_int_not_equal(try_offer(b, SENDER, "x"), 1);
	assert_string_equal(b->got, "");
}

static void without_a_bound_nothing_is_counted(void **state)
{
	struct bench *b = *state;
	struct sender s;

	assert_null(b->p->quota);
	for (unsigned i = 0; i < 10 * BOUND; i++)
		assert_int_equal(try_offer(b, SENDER, "a"), 0);
	begin_park(&s, b, "b");
	assert_int_equal(s.rc, 0); /* it has gone, and `done` does not run */
	take(b, 10 * BOUND + 1);
	assert_false(is_done(&s));
	assert_int_equal(b->got[10 * BOUND], 'b');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(at_the_bound_there_is_no_room, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_asked_for_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(the_error_tells_who_and_how_many, setup, teardown),
		cmocka_unit_test_setup_teardown(those_who_wait_come_in_their_order, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_overtakes_those_who_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(who_gives_up_leaves_nothing_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(the_end_tells_who_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_bound_nothing_is_counted, setup_without, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
