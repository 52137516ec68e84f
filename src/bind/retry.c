#include "bind/retry.h"

#include <math.h>
#include <string.h>

enum { ATTEMPTS_MAX = 1000000 };

static const struct backoff default_backoff = {
	.initial_ns = 100ull * 1000 * 1000,
	.max_ns = 10ull * 1000 * 1000 * 1000,
	.factor = 2.0,
	.jitter = 0.1,
};

static bool is_number(const struct value *v)
{
	return value_type(v) == VALUE_INT || value_type(v) == VALUE_FLOAT;
}

/* A number of milliseconds or a duration's text; 0 and nothing leave the default. */
static int read_delay(const struct value *map, const char *key, uint64_t *ret_ns, struct err *e)
{
	const struct value *v = value_get(map, key);
	int64_t ns = 0;

	if (is_number(v)) {
		double d = value_get_float(v) * 1e6;

		if (!(d >= 0 && d < 9e18))
			return err_set(e, ERR_INVALID, "field '%s': must not be negative", key);
		ns = (int64_t)d;
	} else if (value_read_duration(map, key, &ns, e) < 0) {
		return -1;
	}
	if (ns < 0)
		return err_set(e, ERR_INVALID, "field '%s': must not be negative", key);
	if (ns > 0)
		*ret_ns = (uint64_t)ns;
	return 0;
}

static int read_number(const struct value *map, const char *key, double min, double max, double *ret, struct err *e)
{
	const struct value *v = value_get(map, key);
	double d;

	if (!v || value_type(v) == VALUE_NIL)
		return 0;
	if (!is_number(v))
		return err_set(e, ERR_INVALID, "field '%s': expected number, got %s", key, value_type_name(v));
	d = value_get_float(v);
	if (d == 0)
		return 0;
	if (!(d >= min && d <= max))
		return err_set(e, ERR_INVALID, "field '%s': must be between %g and %g", key, min, max);
	*ret = d;
	return 0;
}

static int read_kinds(const struct value *map, const char *key, struct value **ret, struct err *e)
{
	const struct value *v = value_get(map, key);

	if (!v || value_type(v) == VALUE_NIL)
		return 0;
	/* An empty table has no keys to tell a list by. */
	if (value_count(v) == 0 && (value_type(v) == VALUE_LIST || value_type(v) == VALUE_MAP))
		return 0;
	if (value_type(v) != VALUE_LIST)
		return err_set(e, ERR_INVALID, "field '%s': expected list, got %s", key, value_type_name(v));
	for (size_t i = 0; i < value_count(v); i++)
		if (value_type(value_at(v, i)) != VALUE_STRING)
			return err_set(e, ERR_INVALID, "field '%s': expected kinds of errors", key);
	*ret = value_ref((struct value *)(uintptr_t)v);
	return 0;
}

int retry_read(struct retry *r, const struct value *option, struct err *e)
{
	double attempts = 0;

	*r = (struct retry){.backoff = default_backoff};
	if (!option || value_type(option) == VALUE_NIL)
		return 0;
	/* An empty table has no keys to tell a map by. */
	if (value_type(option) == VALUE_LIST && value_count(option) == 0)
		return 0;
	if (value_type(option) != VALUE_MAP)
		return err_set(e, ERR_INVALID, "option 'retry': expected table, got %s", value_type_name(option));
	if (read_number(option, "max_attempts", 0, ATTEMPTS_MAX, &attempts, e) < 0 ||
		read_delay(option, "initial_delay", &r->backoff.initial_ns, e) < 0 ||
		read_delay(option, "max_delay", &r->backoff.max_ns, e) < 0 ||
		read_number(option, "backoff_factor", 1, 1000, &r->backoff.factor, e) < 0 ||
		read_number(option, "jitter", 0, 1, &r->backoff.jitter, e) < 0 ||
		read_kinds(option, "retry_kinds", &r->retry_kinds, e) < 0 ||
		read_kinds(option, "skip_kinds", &r->skip_kinds, e) < 0) {
		retry_done(r);
		return err_prefix(e, "option 'retry'");
	}
	r->max_attempts = (unsigned)attempts;
	return 0;
}

void retry_done(struct retry *r)
{
	value_unref(r->retry_kinds);
	value_unref(r->skip_kinds);
	*r = (struct retry){0};
}

static bool lists(const struct value *kinds, const char *kind)
{
	for (size_t i = 0; i < value_count(kinds); i++)
		if (strcmp(value_get_string(value_at(kinds, i), NULL), kind) == 0)
			return true;
	return false;
}

bool retry_wants(const struct retry *r, unsigned n, const struct failure *f)
{
	enum err_kind kind = err_kind_from_name(f->kind);

	if (n >= r->max_attempts || f->retry == ERR_RETRY_NO || kind == ERR_CANCELED || lists(r->skip_kinds, f->kind))
		return false;
	if (r->retry_kinds)
		return lists(r->retry_kinds, f->kind);
	return kind != ERR_INVALID && kind != ERR_PERMISSION_DENIED && kind != ERR_INTERNAL;
}
