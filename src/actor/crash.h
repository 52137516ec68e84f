/*
 * crash.h - telling the developer why a process ended: one log record with entry, pid, actor, who started it, error and stack.
 *
 * For ends nobody is told of otherwise: services, and processes that nobody monitors. Any thread.
 */
#ifndef ACTOR_CRASH_H
#define ACTOR_CRASH_H

#include "actor/pid.h"
#include "base/log.h"
#include "engine/failure.h"

/* All borrowed; NULL or "" where there is none. */
struct crash {
	const char *entry; /* whose code failed; the stack has its lines */
	struct pid pid;
	const char *actor;         /* the id it acted as; "" = nobody */
	const char *starter;       /* a pid's text or the service's id; "" = the system */
	const char *starter_entry; /* what ran under that pid */
	const struct failure *failure;
};

/* The stack is a list, innermost frame first: "app:worker:12 (deep)". */
void crash_log(enum log_level level, const struct crash *c);

#endif
