/*
 * metrics.h - counters, gauges and histograms with labels, and their text form.
 *
 * Any thread. A series is found and changed without a lock; making a new one takes a lock. Series are never removed, so their number is bounded:
 * beyond METRICS_SERIES_MAX new ones are dropped, and the log says so once.
 *
 * Names are made fit for the text form: what is no letter, digit, '_' (or ':' in a metric's name) becomes '_'; labels that begin with "__" are dropped. A name is of
 * one type: the first use decides.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
	METRICS_SERIES_MAX = 10000,
	METRICS_NAME_BYTES_MAX = 256,
	METRICS_LABEL_BYTES_MAX = 1024,
	METRICS_LABELS_MAX = 32,
};

struct metrics;

/* Borrowed; values may be any bytes without NUL, what is no UTF-8 is replaced. */
struct metric_label {
	const char *name;
	const char *value;
};

/* Never NULL. */
struct metrics *metrics_new(void);
void metrics_free(struct metrics *m); /* NULL is fine; nobody uses it any more */

/* INVALID: an empty or too long name, too many labels, a name of another type, a counter that would go down, a value that is no number (NaN). A
 * series dropped for the limit is no error. Histograms have the buckets .005 .01 .025 .05 .1 .25 .5 1 2.5 5 10. */
int metrics_count(
	struct metrics *m, const char *name, const struct metric_label *labels, size_t n, double by, struct err *e);
int metrics_gauge_set(
	struct metrics *m, const char *name, const struct metric_label *labels, size_t n, double value, struct err *e);
int metrics_gauge_add(
	struct metrics *m, const char *name, const struct metric_label *labels, size_t n, double by, struct err *e);
int metrics_observe(
	struct metrics *m, const char *name, const struct metric_label *labels, size_t n, double value, struct err *e);

size_t metrics_series(const struct metrics *m);

/* Everything in the text exposition format of Prometheus, version 0.0.4 ("text/plain; version=0.0.4; charset=utf-8"): metrics in order of their names, each with a
 * TYPE line; appended. */
void metrics_write(struct metrics *m, struct buf *out);

#endif
