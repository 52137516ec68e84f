/*
 * control.h - asking a running program what it does: a Unix socket in its state directory.
 *
 * The socket lies at "<state_dir>/control/run/socket", in directories of mode 0700, and answers only its own user and root (SO_PEERCRED). A question is one word and a newline,
 * the answer one line of JSON; nothing can be changed through it.
 *
 *     network   a list of {id, kind, state, since, reason?, address?, dials, dials_failed, dials_open, listeners, listening} as overlay_describe() has it
 *
 * Control thread, but for control_ask().
 */
#ifndef SERVICE_CONTROL_H
#define SERVICE_CONTROL_H

#include "base/err.h"
#include "value/value.h"

struct control;
struct runtime;

enum { CONTROL_QUESTION_MAX = 64, CONTROL_CONNECTIONS_MAX = 8, CONTROL_ANSWER_MAX = 4 * 1024 * 1024 };

/* Answer from now on. A program that answers there already is left alone: CONFLICT. */
int control_new(struct runtime *rt, struct control **ret, struct err *e);
void control_free(struct control *c); /* NULL is fine */

/* Ask the program that runs with this state directory; waits for it, at most a few seconds. NOT_FOUND: none runs. */
int control_ask(const char *state_dir, const char *question, struct value **ret, struct err *e);

#endif
