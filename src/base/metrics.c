/*
 * metrics.c - a hash table that only grows: chains of series that never change but for their numbers.
 *
 * A reader follows atomic pointers; a writer of a new series holds the lock and puts it in front of its chain when it is complete.
 */
#include "base/metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/number.h"
#include "base/utf8.h"

enum { BUCKETS = 4096 };

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

static const double bounds[] = {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};

/* Numbers are doubles as bits: those that are added to are exchanged until nobody came between. */
struct series {
	struct series *next; /* fixed before it is reachable */
	uint64_t hash;
	enum metric_type type;
	size_t key_len;
	char *key;                    /* name NUL label="value",... : as it is written */
	atomic_uint_fast64_t value;   /* a histogram's sum */
	atomic_uint_fast64_t *counts; /* of a histogram: each bucket alone, the last is what is above all bounds */
};

struct metrics {
	pthread_mutex_t lock; /* for new series */
	_Atomic(struct series *) chains[BUCKETS];
	_Atomic(struct series *) names[BUCKETS]; /* one a name: its type */
	atomic_size_t nseries;
	bool warned;
};

struct metrics *metrics_new(void)
{
	struct metrics *m = xcalloc(1, sizeof(*m));

	pthread_mutex_init(&m->lock, NULL);
	return m;
}

static void free_chain(struct series *s)
{
	while (s) {
		struct series *next = s->next;

		free(s->key);
		free(s->counts);
		free(s);
		s = next;
	}
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		free_chain(atomic_load(&m->chains[i]));
		free_chain(atomic_load(&m->names[i]));
	}
	pthread_mutex_destroy(&m->lock);
	free(m);
}

size_t metrics_series(const struct metrics *m)
{
	return atomic_load_explicit(&m->nseries, memory_order_relaxed);
}

/* -- keys --------------------------------------------------------------------------------------------- */

static void add_name(struct buf *b, const char *name, bool is_label)
{
	for (const char *p = name; *p; p++) {
		bool letter =
			(*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_' || (*p == ':' && !is_label);
		bool digit = *p >= '0' && *p <= '9';

		if (digit && p == name)
			buf_addc(b, '_');
		buf_addc(b, letter || digit ? *p : '_');
	}
}

static void add_value(struct buf *b, const char *s, size_t len)
{
	while (len > 0) {
		size_t n = utf8_sequence(s, len, NULL);

		if (n == 0) {
			buf_adds(b, "\xef\xbf\xbd");
			n = 1;
		} else if (*s == '\\' || *s == '"') {
			buf_addc(b, '\\');
			buf_addc(b, *s);
		} else if (*s == '\n') {
			buf_adds(b, "\\n");
		} else {
			buf_add(b, s, n);
		}
		s += n;
		len -= n;
	}
}

static int by_name(const void *a, const void *b)
{
	const struct metric_label *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* The same labels in another order are the same series. */
static int make_key(struct buf *b, const char *name, const struct metric_label *labels, size_t n, struct err *e)
{
	struct metric_label sorted[METRICS_LABELS_MAX];
	char last[METRICS_NAME_BYTES_MAX * 2 + 2] = "";
	size_t len = strnlen(name, METRICS_NAME_BYTES_MAX + 1), used = 0;

	if (len == 0 || len > METRICS_NAME_BYTES_MAX)
		return err_set(e, ERR_INVALID, "the name of a metric must have 1 to %d bytes", METRICS_NAME_BYTES_MAX);
	if (n > METRICS_LABELS_MAX)
		return err_set(e, ERR_INVALID, "a metric has at most %d labels", METRICS_LABELS_MAX);
	if (n > 0) {
		memcpy(sorted, labels, n * sizeof(*labels));
		qsort(sorted, n, sizeof(*sorted), by_name);
	}
	add_name(b, name, false);
	buf_addc(b, '\0');
	for (size_t i = 0; i < n; i++) {
		size_t value_len = strnlen(sorted[i].value, METRICS_LABEL_BYTES_MAX + 1);
		size_t name_len = strnlen(sorted[i].name, METRICS_NAME_BYTES_MAX + 1);
		struct buf clean = BUF_INIT;

		if (name_len > METRICS_NAME_BYTES_MAX || value_len > METRICS_LABEL_BYTES_MAX)
			return err_set(e, ERR_INVALID, "a label's name has at most %d bytes, its value %d",
				METRICS_NAME_BYTES_MAX, METRICS_LABEL_BYTES_MAX);
		if (name_len == 0)
			continue;
		add_name(&clean, sorted[i].name, true);
		if (strcmp(buf_str(&clean), "le") == 0) { /* a histogram's own */
			buf_clear(&clean);
			buf_adds(&clean, "exported_le");
		}
		/* Names kept for the collecting server; and two that became the same. */
		if (strncmp(buf_str(&clean), "__", 2) != 0 && strcmp(buf_str(&clean), last) != 0) {
			memcpy(last, buf_str(&clean), buf_len(&clean) + 1);
			if (used++ > 0)
				buf_addc(b, ',');
			buf_adds(b, buf_str(&clean));
			buf_adds(b, "=\"");
			add_value(b, sorted[i].value, value_len);
			buf_addc(b, '"');
		}
		buf_done(&clean);
	}
	return 0;
}

static uint64_t hash_of(const char *s, size_t len)
{
	uint64_t h = 0xcbf29ce484222325; /* FNV-1a: chains stay short enough for a bounded number of series */

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)s[i]) * 0x100000001b3;
	return h ^ h >> 29;
}

/* -- series ------------------------------------------------------------------------------------------- */

static struct series *find(_Atomic(struct series *) *chains, uint64_t hash, const char *key, size_t len)
{
	struct series *s = atomic_load_explicit(&chains[hash % BUCKETS], memory_order_acquire);

	while (s && (s->hash != hash || s->key_len != len || memcmp(s->key, key, len) != 0))
		s = s->next;
	return s;
}

static struct series *add(
	_Atomic(struct series *) *chains, uint64_t hash, const char *key, size_t len, enum metric_type type)
{
	struct series *s = xcalloc(1, sizeof(*s));

	s->hash = hash;
	s->type = type;
	s->key = xmemdupz(key, len);
	s->key_len = len;
	if (type == METRIC_HISTOGRAM)
		s->counts = xcalloc(ARRAY_LEN(bounds) + 1, sizeof(*s->counts));
	s->next = atomic_load_explicit(&chains[hash % BUCKETS], memory_order_relaxed);
	atomic_store_explicit(&chains[hash % BUCKETS], s, memory_order_release);
	return s;
}

static struct series *add_locked(struct metrics *m, uint64_t hash, const char *key, size_t len, enum metric_type type,
	bool *ret_full, enum metric_type *ret_type)
{
	size_t name_len = strlen(key);
	uint64_t name_hash = hash_of(key, name_len);
	struct series *s = find(m->chains, hash, key, len), *name;

	if (s)
		return s;
	name = find(m->names, name_hash, key, name_len);
	if (name && name->type != type) {
		*ret_type = name->type;
		return NULL;
	}
	if (atomic_load_explicit(&m->nseries, memory_order_relaxed) >= METRICS_SERIES_MAX) {
		*ret_full = true;
		return NULL;
	}
	if (!name)
		add(m->names, name_hash, key, name_len, type);
	atomic_fetch_add_explicit(&m->nseries, 1, memory_order_relaxed);
	return add(m->chains, hash, key, len, type);
}

static const char *type_name(enum metric_type type)
{
	static const char *const names[] = {"counter", "gauge", "histogram"};

	return names[type];
}

/* 0 and the series, or NULL in it when there are too many. */
static int series_of(struct metrics *m, const char *name, const struct metric_label *labels, size_t n,
	enum metric_type type, struct series **ret, struct err *e)
{
	enum metric_type other = type;
	struct buf key = BUF_INIT;
	struct series *s = NULL;
	bool full = false, warn = false;
	uint64_t hash;
	int rc = -1;

	if (make_key(&key, name, labels, n, e) < 0)
		goto out;
	hash = hash_of(buf_data(&key), buf_len(&key));
	s = find(m->chains, hash, buf_data(&key), buf_len(&key));
	if (!s) {
		pthread_mutex_lock(&m->lock);
		s = add_locked(m, hash, buf_data(&key), buf_len(&key), type, &full, &other);
		warn = full && !m->warned;
		m->warned = m->warned || full;
		pthread_mutex_unlock(&m->lock);
	}
	if (s)
		other = s->type;
	if (other != type) {
		err_set(e, ERR_INVALID, "metric '%.128s' is a %s, not a %s", name, type_name(other), type_name(type));
		goto out;
	}
	if (warn)
		log_warn("metrics", "too many series: new ones are dropped; use labels with fewer values",
			LOG_INT("series", METRICS_SERIES_MAX), LOG_STR("metric", name));
	*ret = s;
	rc = 0;
out:
	buf_done(&key);
	return rc;
}

/* -- numbers ------------------------------------------------------------------------------------------ */

static uint64_t bits_of(double d)
{
	uint64_t u;

	memcpy(&u, &d, sizeof(u));
	return u;
}

static double double_of(uint64_t u)
{
	double d;

	memcpy(&d, &u, sizeof(d));
	return d;
}

static void add_to(atomic_uint_fast64_t *a, double by)
{
	uint_fast64_t old = atomic_load_explicit(a, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(
		a, &old, bits_of(double_of(old) + by), memory_order_relaxed, memory_order_relaxed))
		;
}

int metrics_count(
	struct metrics *m, const char *name, const struct metric_label *labels, size_t n, double by, struct err *e)
{
	struct series *s;

	if (!(by >= 0) || isinf(by))
		return err_set(e, ERR_INVALID, "a counter only goes up: the value must be a number not below 0");
	if (series_of(m, name, labels, n, METRIC_COUNTER, &s, e) < 0)
		return -1;
	if (s)
		add_to(&s->value, by);
	return 0;
}

static int check_number(double v, struct err *e)
{
	return isnan(v) ? err_set(e, ERR_INVALID, "the value is not a number (NaN)") : 0;
}

int metrics_gauge_set(
	struct metrics *m, const char *name, const struct metric_label *labels, size_t n, double value, struct err *e)
{
	struct series *s;

	if (check_number(value, e) < 0 || series_of(m, name, labels, n, METRIC_GAUGE, &s, e) < 0)
		return -1;
	if (s)
		atomic_store_explicit(&s->value, bits_of(value), memory_order_relaxed);
	return 0;
}

int metrics_gauge_add(
	struct metrics *m, const char *name, const struct metric_label *labels, size_t n, double by, struct err *e)
{
	struct series *s;

	if (check_number(by, e) < 0 || series_of(m, name, labels, n, METRIC_GAUGE, &s, e) < 0)
		return -1;
	if (s)
		add_to(&s->value, by);
	return 0;
}

int metrics_observe(
	struct metrics *m, const char *name, const struct metric_label *labels, size_t n, double value, struct err *e)
{
	struct series *s;
	size_t i = 0;

	if (check_number(value, e) < 0 || series_of(m, name, labels, n, METRIC_HISTOGRAM, &s, e) < 0)
		return -1;
	if (!s)
		return 0;
	while (i < ARRAY_LEN(bounds) && value > bounds[i])
		i++;
	add_to(&s->value, value);
	atomic_fetch_add_explicit(&s->counts[i], 1, memory_order_relaxed);
	return 0;
}

/* -- text --------------------------------------------------------------------------------------------- */

static void add_number(struct buf *out, double v)
{
	char text[NUMBER_TEXT_MAX];

	number_format_float(v, text);
	buf_adds(out, text);
	buf_addc(out, '\n');
}

/* name_suffix{labels,le="..."} */
static void add_series_name(struct buf *out, const struct series *s, const char *suffix, const char *le)
{
	const char *labels = s->key + strlen(s->key) + 1;

	buf_adds(out, s->key);
	buf_adds(out, suffix);
	if (labels[0] || le) {
		buf_addc(out, '{');
		buf_adds(out, labels);
		if (le)
			buf_addf(out, "%sle=\"%s\"", labels[0] ? "," : "", le);
		buf_addc(out, '}');
	}
	buf_addc(out, ' ');
}

/* The count is that of the last bucket, so that they agree whatever is observed meanwhile. */
static void write_histogram(struct buf *out, struct series *s)
{
	uint64_t count = 0;

	for (size_t i = 0; i <= ARRAY_LEN(bounds); i++) {
		char le[NUMBER_TEXT_MAX] = "+Inf";

		if (i < ARRAY_LEN(bounds))
			number_format_float(bounds[i], le);
		count += atomic_load_explicit(&s->counts[i], memory_order_relaxed);
		add_series_name(out, s, "_bucket", le);
		buf_addf(out, "%llu\n", (unsigned long long)count);
	}
	add_series_name(out, s, "_sum", NULL);
	add_number(out, double_of(atomic_load_explicit(&s->value, memory_order_relaxed)));
	add_series_name(out, s, "_count", NULL);
	buf_addf(out, "%llu\n", (unsigned long long)count);
}

static int by_key(const void *a, const void *b)
{
	const struct series *x = *(struct series *const *)a, *y = *(struct series *const *)b;
	size_t n = x->key_len < y->key_len ? x->key_len : y->key_len;
	int c = memcmp(x->key, y->key, n);

	return c ? c : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

void metrics_write(struct metrics *m, struct buf *out)
{
	struct series **all = xcalloc(METRICS_SERIES_MAX, sizeof(struct series *));
	size_t n = 0;

	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct series *s = atomic_load_explicit(&m->chains[i], memory_order_acquire);
			s && n < METRICS_SERIES_MAX; s = s->next)
			all[n++] = s;
	}
	qsort(all, n, sizeof(*all), by_key);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || strcmp(all[i]->key, all[i - 1]->key) != 0)
			buf_addf(out, "# TYPE %s %s\n", all[i]->key, type_name(all[i]->type));
		if (all[i]->type == METRIC_HISTOGRAM) {
			write_histogram(out, all[i]);
		} else {
			add_series_name(out, all[i], "", NULL);
			add_number(out, double_of(atomic_load_explicit(&all[i]->value, memory_order_relaxed)));
		}
	}
	free(all);
}
