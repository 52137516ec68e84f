/* The event bus: order, who hears what, many publishers at once. Delivery to processes is tested with programs (lua/events). */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actor/bus.h"
#include "actor/inbox.h"
#include "base/alloc.h"

enum { PUBLISHERS = 4, EACH = 5000, LISTENERS = 2 };

static struct loop *loop;
static struct bus *bus;

static int setup(void **state)
{
	(void)state;
	loop = loop_new();
	bus = bus_new(NULL, loop);
	return 0;
}

static void run_what_was_posted(void)
{
	loop_stop(loop);
	loop_run(loop);
}

static int teardown(void **state)
{
	(void)state;
	bus_stop(bus);
	run_what_was_posted();
	bus_free(bus);
	loop_free(loop);
	return 0;
}

static void publish(const char *system, const char *kind, const char *path)
{
	bus_publish(bus, system, kind, path, bus_pack(system, kind, path, NULL));
}

/* -- who hears what ---------------------------------------------------------------------------------- */

struct heard {
	char text[1024];
	struct bus_listener *listener;
};

static void write_down(void *arg, const struct bus_event *ev)
{
	struct heard *h = arg;
	size_t n = strlen(h->text);

	snprintf(h->text + n, sizeof(h->text) - n, "%s/%s/%s ", ev->system, ev->kind, ev->path);
}

static void listen_for(struct heard *h, const char *system, const char *kind)
{
	struct err e;

	*h = (struct heard){0};
	assert_int_equal(bus_listen(bus, system, kind, loop, write_down, h, &h->listener, &e), 0);
}

static void listeners_hear_what_matches_in_order(void **state)
{
	struct heard all, some;

	(void)state;
	publish("registry", "entry.create", "too:early");
	listen_for(&all, "**", "**");
	listen_for(&some, "registry", "entry.(create|delete)");
	publish("registry", "entry.create", "a:a");
	publish("registry", "entry.update", "a:a");
	publish("supervisor", "entry.delete", "a:a");
	publish("registry", "entry.delete", "a:b");
	assert_string_equal(all.text, ""); /* later, on the loop */
	run_what_was_posted();
	assert_string_equal(all.text, "registry/entry.create/a:a registry/entry.update/a:a supervisor/entry.delete/a:a "
				      "registry/entry.delete/a:b ");
	assert_string_equal(some.text, "registry/entry.create/a:a registry/entry.delete/a:b ");
	bus_unlisten(all.listener);
	bus_unlisten(some.listener);
}

static void nothing_after_unlisten_or_stop(void **state)
{
	struct heard one, two;

	(void)state;
	listen_for(&one, "s", "**");
	listen_for(&two, "s", "**");
	publish("s", "k", "first");
	bus_unlisten(one.listener); /* also for what is already on its way */
	publish("s", "k", "second");
	bus_stop(bus);
	publish("s", "k", "third");
	bus_publish_later(bus, "s", "k", "fourth", bus_pack("s", "k", "fourth", NULL));
	run_what_was_posted();
	assert_string_equal(one.text, "");
	assert_string_equal(two.text, "s/k/first s/k/second ");
	bus_unlisten(two.listener);
	bus_unlisten(NULL);
}

static void listeners_are_bounded(void **state)
{
	static struct bus_listener *l[BUS_LISTENERS_MAX];
	struct bus_listener *more;
	struct err e;

	(void)state;
	for (int i = 0; i < BUS_LISTENERS_MAX; i++)
		assert_int_equal(bus_listen(bus, "s", "k", loop, write_down, NULL, &l[i], &e), 0);
	assert_int_equal(bus_listen(bus, "s", "k", loop, write_down, NULL, &more, &e), -1);
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	assert_string_equal(e.text, "eventbus subscribers cap reached");
	bus_unlisten(l[7]);
	assert_int_equal(bus_listen(bus, "s", "k", loop, write_down, NULL, &l[7], &e), 0);
	for (int i = 0; i < BUS_LISTENERS_MAX; i++)
		bus_unlisten(l[i]);
}

static void the_packed_event_is_a_table(void **state)
{
	struct value *data = value_map(), *v;
	struct packed *p;

	(void)state;
	value_map_set(data, "status", value_string("running", 7));
	p = bus_pack("supervisor", "service.update", "app:x", data);
	v = packed_to_value(p, 0);
	assert_string_equal(value_get_string(value_path(v, "system"), NULL), "supervisor");
	assert_string_equal(value_get_string(value_path(v, "kind"), NULL), "service.update");
	assert_string_equal(value_get_string(value_path(v, "path"), NULL), "app:x");
	assert_string_equal(value_get_string(value_path(v, "data.status"), NULL), "running");
	value_unref(v);
	packed_unref(p);
	p = bus_pack("s", "k", "p", NULL);
	v = packed_to_value(p, 0);
	assert_null(value_get(v, "data"));
	value_unref(v);
	packed_unref(p);
	value_unref(data);
}

/* -- many at once ------------------------------------------------------------------------------------ */

/* What each listener heard: publisher and number of every event. */
struct record {
	int publisher[PUBLISHERS * EACH];
	int number[PUBLISHERS * EACH];
	int n;
};

static struct record records[LISTENERS];
static int complete;

static void record(void *arg, const struct bus_event *ev)
{
	struct record *r = arg;

	r->publisher[r->n] = atoi(ev->kind);
	r->number[r->n] = atoi(ev->path);
	if (++r->n == PUBLISHERS * EACH && ++complete == LISTENERS)
		loop_stop(loop);
}

static void *publish_many(void *arg)
{
	char kind[16], path[16];

	snprintf(kind, sizeof(kind), "%d", (int)(intptr_t)arg);
	for (int i = 0; i < EACH; i++) {
		struct packed *p;

		snprintf(path, sizeof(path), "%d", i);
		p = bus_pack("load", kind, path, NULL);
		/* Both ways of publishing share the queue. */
		if (i % 3 == 0)
			bus_publish_later(bus, "load", kind, path, p);
		else
			bus_publish(bus, "load", kind, path, p);
		/* Subscribers come and go meanwhile. */
		if (i % 100 == 0)
			bus_unsubscribe(bus, bus_subscribe(bus, (struct pid){"h", 1}, "load", NULL));
	}
	return NULL;
}

static void all_hear_the_same_order(void **state)
{
	struct bus_listener *l[LISTENERS];
	pthread_t threads[PUBLISHERS];
	int next[PUBLISHERS] = {0};
	struct err e;

	(void)state;
	for (int i = 0; i < LISTENERS; i++)
		assert_int_equal(bus_listen(bus, "load", "*", loop, record, &records[i], &l[i], &e), 0);
	for (int i = 0; i < PUBLISHERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, publish_many, (void *)(intptr_t)i), 0);
	loop_run(loop);
	for (int i = 0; i < PUBLISHERS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < PUBLISHERS * EACH; i++) {
		assert_int_equal(records[0].publisher[i], records[1].publisher[i]);
		assert_int_equal(records[0].number[i], records[1].number[i]);
		/* Each publisher's in its own order, none lost, none twice. */
		assert_int_equal(records[0].number[i], next[records[0].publisher[i]]++);
	}
	for (int i = 0; i < LISTENERS; i++)
		bus_unlisten(l[i]);
}

/* -- the receiving inbox ----------------------------------------------------------------------------- */

static struct message *bus_message(uint64_t number)
{
	char topic[BUS_TOPIC_MAX];
	size_t len = bus_topic(number, topic);
	struct message *m = message_new(topic, len, pid_system, NULL);

	m->type = MESSAGE_BUS;
	return m;
}

static void inboxes_drop_what_nobody_waits_for(void **state)
{
	struct inbox *box = inbox_new();
	char topic[BUS_TOPIC_MAX];
	size_t len = bus_topic(7, topic);
	struct subscription *s = inbox_subscribe(box, topic, len, NULL);

	(void)state;
	inbox_route(box, bus_message(7));
	inbox_route(box, bus_message(8));
	assert_non_null(s->queue.head);
	assert_null(box->unrouted.head);
	/* Also what went into the channel's buffer. */
	inbox_note_handed(s, message_queue_pop(&s->queue));
	inbox_route(box, bus_message(7));
	inbox_drop(s);
	inbox_route(box, bus_message(7));
	assert_null(box->unrouted.head);
	assert_null(box->general.head);
	inbox_free(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(listeners_hear_what_matches_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_after_unlisten_or_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(listeners_are_bounded, setup, teardown),
		cmocka_unit_test(the_packed_event_is_a_table),
		cmocka_unit_test_setup_teardown(all_hear_the_same_order, setup, teardown),
		cmocka_unit_test(inboxes_drop_what_nobody_waits_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
