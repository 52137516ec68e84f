#include "actor/mailbox.h"

void mailbox_init(struct mailbox *box)
{
	atomic_init(&box->newest, NULL);
}

void mailbox_done(struct mailbox *box)
{
	struct message_queue q = {0};

	mailbox_take_all(box, &q);
	message_queue_clear(&q);
}

void mailbox_post(struct mailbox *box, struct message *m)
{
	struct message *old = atomic_load_explicit(&box->newest, memory_order_relaxed);

	/* Release: the owner's acquire in mailbox_take_all() sees the message whole. */
	do {
		m->next = old;
	} while (!atomic_compare_exchange_weak_explicit(
		&box->newest, &old, m, memory_order_release, memory_order_relaxed));
}

void mailbox_take_all(struct mailbox *box, struct message_queue *q)
{
	struct message *m = atomic_exchange_explicit(&box->newest, NULL, memory_order_acquire);
	struct message_queue taken = {.tail = m};

	/* Newest first in the box: turn the chain round. */
	while (m) {
		struct message *older = m->next;

		m->next = taken.head;
		taken.head = m;
		m = older;
	}
	message_queue_append(q, &taken);
}
