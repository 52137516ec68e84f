/*
 * crash.h - telling the developer why a process ended: one log record with entry, pid, who started it, error and stack.
 *
 * For ends nobody is told of otherwise: services, and processes that nobody monitors. Any thread.
 */
#ifndef ACTOR_CRASH_H
#define ACTOR_CRASH_H

#include "actor/pid.h"
#include "base/log.h"
#include "engine/failure.h"

/* `starter` is a pid's text or the service's id; "" = the system. The stack is a list, innermost frame first. */
void crash_log(enum log_level level, const char *entry, struct pid pid, const char *starter, const struct failure *f);

#endif
