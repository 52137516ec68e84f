/*
 * mailbox.h - messages arriving for one process.
 *
 * Any thread may post; only the owning worker takes. Unbounded and lock-free: posting is one atomic exchange loop, taking empties
 * the whole box at once. Messages of one sender keep their order. Embedded by its owner, 8 bytes.
 */
#ifndef ACTOR_MAILBOX_H
#define ACTOR_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>

#include "actor/message.h"

struct mailbox {
	_Atomic(struct message *) newest;
};

void mailbox_init(struct mailbox *box);
/* Frees what is still inside. */
void mailbox_done(struct mailbox *box);
/* Takes `m`. Any thread. */
void mailbox_post(struct mailbox *box, struct message *m);
/* Owner. */
static inline bool mailbox_is_empty(const struct mailbox *box)
{
	return atomic_load_explicit(&box->newest, memory_order_relaxed) == NULL;
}
/* Move everything posted so far behind `q`, oldest first. Owner. */
void mailbox_take_all(struct mailbox *box, struct message_queue *q);

#endif
