/*
 * log.c - see log.h
 */
#include "base/log.h"

/* Written before any other thread exists, only read afterwards. */
static struct {
	log_sink_fn *fn;
	void *arg;
	enum log_level min;
} sink;

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
