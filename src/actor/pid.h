/*
 * pid.h - process identifiers and their text.
 *
 * "{app:processes|0x0001f}": the host, then a number that is unique while the program runs. Numbers are interleaved:
 * number % workers is the owning worker, so a pid alone tells where to post. Pure.
 */
#ifndef ACTOR_PID_H
#define ACTOR_PID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { PID_TEXT_MAX = 600 };

struct pid {
	const char *host; /* an atom; NULL when the text named a host that never existed here; "" for the system */
	uint64_t number;  /* 0 for the system */
};

/* The sender of messages the runtime makes; prints as "{|}". */
extern const struct pid pid_system;

bool pid_equal(struct pid a, struct pid b);

/* Write the text, with a NUL; returns `out`. A host longer than fits is cut. */
char *pid_format(struct pid p, char out[static PID_TEXT_MAX]);

/* Does the text look like a pid at all (starts with a brace)? Otherwise it is a name. */
bool pid_is_text(const char *s, size_t len);
/* INVALID "invalid pid format: missing braces" / "missing pipe"; NOT_FOUND "node not found" for another node. */
int pid_parse(const char *s, size_t len, struct pid *ret_pid, struct err *e);

#endif
