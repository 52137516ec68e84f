/* Routing of messages to subscriptions, the inbox and events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "actor/inbox.h"

/* The router never looks into a channel. */
static struct channel *const a_channel = (struct channel *)0x10;
static struct channel *const b_channel = (struct channel *)0x20;

static uint32_t order;

static void put(struct inbox *box, const char *topic)
{
	struct message *m = message_new(topic, strlen(topic), pid_system, NULL);

	m->order = order++;
	inbox_route(box, m);
}

/* The topics in a queue, joined; frees the messages. */
static const char *topics(struct message_queue *q)
{
	static char text[200];
	struct message *m;

	text[0] = '\0';
	while ((m = message_queue_pop(q))) {
		if (text[0])
			strcat(text, " ");
		strcat(text, m->topic);
		message_free(m);
	}
	return text;
}

static void test_waits_until_opened(void **state)
{
	struct inbox *box = inbox_new();
	struct subscription *s;

	(void)state;
	put(box, "a");
	put(box, "b");
	put(box, "@pid/events");
	put(box, "@other");
	assert_null(box->general.head);
	s = inbox_subscribe(box, "b", 1, b_channel);
	inbox_open_general(box, a_channel);
	put(box, "b");
	put(box, "c");
	assert_string_equal(topics(&s->queue), "b b");
	assert_string_equal(topics(&box->general), "a c");
	assert_string_equal(topics(&box->events), "@pid/events");
	/* Other topics with @ never fall into the inbox. */
	assert_string_equal(topics(&box->unrouted), "@other");
	inbox_free(box);
}

static void test_late_subscription_takes_from_inbox(void **state)
{
	struct inbox *box = inbox_new();
	struct subscription *s;

	(void)state;
	inbox_open_general(box, a_channel);
	put(box, "a");
	put(box, "b");
	put(box, "a");
	s = inbox_subscribe(box, "a", 1, b_channel);
	assert_ptr_equal(inbox_find(box, "a", 1), s);
	assert_ptr_equal(inbox_of_channel(box, b_channel), s);
	assert_null(inbox_of_channel(box, a_channel));
	assert_null(inbox_find(box, "ab", 2));
	assert_string_equal(topics(&s->queue), "a a");
	assert_string_equal(topics(&box->general), "b");
	inbox_free(box);
}

static void test_unsubscribe_restores_order(void **state)
{
	struct inbox *box = inbox_new();
	struct subscription *s;

	(void)state;
	order = UINT32_MAX - 1; /* the counter wraps in between */
	inbox_open_general(box, a_channel);
	s = inbox_subscribe(box, "s", 1, b_channel);
	put(box, "1");
	put(box, "s");
	put(box, "2");
	put(box, "s");
	put(box, "3");
	inbox_unsubscribe(box, s);
	assert_string_equal(topics(&box->general), "1 s 2 s 3");
	put(box, "s");
	assert_string_equal(topics(&box->general), "s");
	inbox_free(box);
}

static void test_closed_inbox_keeps_messages(void **state)
{
	struct inbox *box = inbox_new();

	(void)state;
	inbox_open_general(box, a_channel);
	put(box, "1");
	inbox_close_general(box);
	put(box, "2");
	inbox_open_general(box, b_channel);
	assert_string_equal(topics(&box->general), "1 2");
	inbox_free(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits_until_opened),
		cmocka_unit_test(test_late_subscription_takes_from_inbox),
		cmocka_unit_test(test_unsubscribe_restores_order),
		cmocka_unit_test(test_closed_inbox_keeps_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
