/*
 * generation.h - connections of an overlay instance that is no longer live, on one worker.
 */
#ifndef BIND_GENERATION_H
#define BIND_GENERATION_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

/* Close what is idle of that generation, and `all`: what is in use, too. Worker's thread. */
void bind_drop_generation(struct worker *w, uint64_t generation, bool all);

#endif
