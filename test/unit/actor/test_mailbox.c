/* Mailboxes: order, many posters, nothing lost. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "actor/mailbox.h"

enum { POSTERS = 4, EACH = 20000 };

static struct message *numbered(uint64_t poster, uint64_t n)
{
	struct message *m = message_new("t", 1, (struct pid){"h", poster + 1}, NULL);

	m->at_seconds = (int64_t)n;
	return m;
}

static void test_order(void **state)
{
	struct message_queue q = {0};
	struct mailbox box;
	struct message *m;

	(void)state;
	mailbox_init(&box);
	assert_true(mailbox_is_empty(&box));
	for (uint64_t i = 0; i < 3; i++)
		mailbox_post(&box, numbered(0, i));
	mailbox_take_all(&box, &q);
	assert_true(mailbox_is_empty(&box));
	mailbox_post(&box, numbered(0, 3));
	mailbox_take_all(&box, &q);
	for (int64_t i = 0; i < 4; i++) {
		m = message_queue_pop(&q);
		assert_int_equal(m->at_seconds, i);
		message_free(m);
	}
	assert_null(message_queue_pop(&q));
	mailbox_post(&box, numbered(0, 4)); /* freed with the box */
	mailbox_done(&box);
}

struct poster {
	struct mailbox *box;
	uint64_t index;
};

static void *post_many(void *arg)
{
	const struct poster *p = arg;

	for (uint64_t i = 0; i < EACH; i++)
		mailbox_post(p->box, numbered(p->index, i));
	return NULL;
}

static void test_threads(void **state)
{
	int64_t next[POSTERS] = {0};
	pthread_t threads[POSTERS];
	struct poster posters[POSTERS];
	struct message_queue q = {0};
	struct mailbox box;
	size_t taken = 0;

	(void)state;
	mailbox_init(&box);
	for (uint64_t i = 0; i < POSTERS; i++) {
		posters[i] = (struct poster){&box, i};
		assert_int_equal(pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
	}
	while (taken < (size_t)POSTERS * EACH) {
		struct message *m;

		mailbox_take_all(&box, &q);
		while ((m = message_queue_pop(&q))) {
			/* Each sender's messages come in its order, none twice, none lost. */
			assert_int_equal(m->at_seconds, next[m->from.number - 1]++);
			message_free(m);
			taken++;
		}
	}
	for (size_t i = 0; i < POSTERS; i++)
		pthread_join(threads[i], NULL);
	assert_true(mailbox_is_empty(&box));
	mailbox_done(&box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
