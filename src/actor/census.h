/*
 * census.h - who runs on a host: each worker is asked in turn, by itself, so nobody waits for anybody and nothing is locked for long.
 *
 * What comes back is true of each process at some moment between the question and the answer.
 */
#ifndef ACTOR_CENSUS_H
#define ACTOR_CENSUS_H

#include <stddef.h>

#include "actor/host.h"
#include "actor/pid.h"
#include "loop/loop.h"

struct census;
struct scheduler;

enum { CENSUS_MAX = 10000 }; /* processes of one worker that are named */

struct census_entry {
	struct pid pid;
	struct pid parent;  /* number 0: the system */
	const char *source; /* entry id */
	const char *state;  /* "running", "ready", "waiting" */
};

typedef void census_done_fn(void *arg, struct census *c);

/* Takes the reference of `h`. `done` runs once, later, on `reply`; it owns the census then. A worker's thread. */
void census_take(struct scheduler *s, struct host *h, struct loop *reply, census_done_fn *done, void *arg);
void census_free(struct census *c); /* NULL is fine */
size_t census_count(const struct census *c);
const struct census_entry *census_at(const struct census *c, size_t i);

#endif
