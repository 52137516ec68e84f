/*
 * log.c - see log.h
 */
#include "base/log.h"

#include <stdatomic.h>

/* Written before any other thread exists, only read afterwards. */
static struct {
	log_sink_fn *fn;
	void *arg;
	enum log_level min;
} sink;

static atomic_int muted;

void log_mute(int by)
{
	atomic_fetch_add_explicit(&muted, by, memory_order_relaxed);
}

bool log_is_muted(void)
{
	return atomic_load_explicit(&muted, memory_order_relaxed) > 0;
}

void log_set_sink(log_sink_fn *fn, void *arg, enum log_level min)
{
	sink.fn = fn;
	sink.arg = arg;
	sink.min = min;
}

bool log_enabled(enum log_level level)
{
	return sink.fn && level >= sink.min;
}

void log_write(const struct log_record *r)
{
	if (log_enabled(r->level))
		sink.fn(sink.arg, r);
}
