#include "base/backoff.h"

#include <time.h>

uint64_t backoff_delay_at(const struct backoff *b, unsigned n, double dice)
{
	double max = (double)b->max_ns;
	double delay = (double)b->initial_ns;

	/* Multiplied step by step: stops at the bound, so a large n costs nothing and nothing overflows. */
	for (unsigned i = 1; i < n && delay < max && b->factor > 1; i++)
		delay *= b->factor;
	if (delay > max)
		delay = max;
	delay *= 1 + b->jitter * (2 * dice - 1);
	return delay < 0 ? 0 : (uint64_t)delay;
}

/* splitmix64 over the clock: good enough to keep crowds apart, never for secrets. */
static double throw_dice(void)
{
	static _Thread_local uint64_t state;
	struct timespec ts;
	uint64_t z;

	if (state == 0) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		state = (uint64_t)ts.tv_nsec ^ (uint64_t)(uintptr_t)&state;
	}
	state += 0x9e3779b97f4a7c15u;
	z = state;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return (double)(z >> 11) / 9007199254740992.0;
}

uint64_t backoff_delay(const struct backoff *b, unsigned n)
{
	return backoff_delay_at(b, n, throw_dice());
}
