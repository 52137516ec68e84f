/*
 * sending.h - sending that waits for room where the receiver's host bounds mailboxes (host.mailbox_size).
 *
 *     struct sending *s = NULL;
 *
 *     if (sending_add(L, &s, to, message, &e) < 0) ...   // once for each receiver; `message` is taken
 *     return sending_wait(L, s);                        // true, or nil and the error of a receiver that ended meanwhile
 *
 * Nothing is allocated as long as there is room. A process does not wait for room in its own mailbox, and nobody waits where waiting is impossible: that is
 * RATE_LIMITED, retryable. Owner thread.
 */
#ifndef BIND_SENDING_H
#define BIND_SENDING_H

#include "actor/process.h"

struct lua_State;
struct sending;

int sending_add(struct lua_State *L, struct sending **s, struct pid to, struct message *m, struct err *e);
/* What was added before an error is still sent. NULL is fine. */
void sending_forget(struct sending *s);
/* Pushes true; or, for a single receiver, what became of it. Used as `return sending_wait(...)`. */
int sending_wait(struct lua_State *L, struct sending *s);

#endif
