#include "service/lifecycle.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "value/value.h"

enum {
	START_TIMEOUT_MS = 10000,
	STOP_TIMEOUT_MS = 10000,
	STABLE_THRESHOLD_MS = 5000,
};

static const struct backoff default_restart = {
	.initial_ns = 1000ull * 1000 * 1000,
	.max_ns = 90ull * 1000 * 1000 * 1000,
	.factor = 2.0,
	.jitter = 0.1,
};

void lifecycle_require(struct lifecycle *lc, const char *id, bool implied)
{
	for (size_t i = 0; i < lc->nrequires; i++) {
		if (strcmp(lc->requires[i].id, id) != 0)
			continue;
		lc->requires[i].implied &= implied;
		return;
	}
	lc->requires = xreallocarray(lc->requires, lc->nrequires + 1, sizeof(*lc->requires));
	lc->requires[lc->nrequires++] = (struct requirement){xstrdup(id), implied};
}

void lifecycle_done(struct lifecycle *lc)
{
	for (size_t i = 0; i < lc->nrequires; i++)
		free(lc->requires[i].id);
	free(lc->requires);
	*lc = (struct lifecycle){0};
}

static int read_names(struct lifecycle *lc, const struct value *block, const char *key, const char *ns, struct err *err)
{
	const struct value *list = value_get(block, key);

	if (!list || value_type(list) == VALUE_NIL)
		return 0;
	if (value_type(list) != VALUE_LIST)
		return err_set(err, ERR_INVALID, "field '%s': expected list, got %s", key, value_type_name(list));
	for (size_t i = 0; i < value_count(list); i++) {
		const struct value *v = value_at(list, i);
		char *id;

		if (value_type(v) != VALUE_STRING || !*value_get_string(v, NULL))
			return err_set(
				err, ERR_INVALID, "field '%s': expected service ids, got %s", key, value_type_name(v));
		id = entry_id_resolve(value_get_string(v, NULL), ns);
		lifecycle_require(lc, id, false);
		free(id);
	}
	return 0;
}

/* Nanoseconds; absent and 0 leave the default. */
static int read_duration(const struct value *block, const char *key, uint64_t *ret_ns, struct err *err)
{
	int64_t ns = 0;

	if (value_read_duration(block, key, &ns, err) < 0)
		return -1;
	if (ns < 0)
		return err_set(err, ERR_INVALID, "field '%s': must not be negative", key);
	if (ns > 0)
		*ret_ns = (uint64_t)ns;
	return 0;
}

static int read_ms(const struct value *block, const char *key, uint64_t *ret_ms, struct err *err)
{
	uint64_t ns = *ret_ms * 1000000;

	if (read_duration(block, key, &ns, err) < 0)
		return -1;
	*ret_ms = (ns + 999999) / 1000000;
	return 0;
}

static int read_number(const struct value *block, const char *key, double min, double max, double *ret, struct err *err)
{
	const struct value *v = value_get(block, key);
	double d;

	if (!v || value_type(v) == VALUE_NIL)
		return 0;
	if (value_type(v) != VALUE_INT && value_type(v) != VALUE_FLOAT)
		return err_set(err, ERR_INVALID, "field '%s': expected number, got %s", key, value_type_name(v));
	d = value_get_float(v);
	if (d == 0)
		return 0;
	if (!(d >= min && d <= max))
		return err_set(err, ERR_INVALID, "field '%s': must be between %g and %g", key, min, max);
	*ret = d;
	return 0;
}

static int read_restart(struct lifecycle *lc, const struct value *block, struct err *err)
{
	int64_t max_attempts = 0;

	if (!block || value_type(block) == VALUE_NIL)
		return 0;
	if (value_type(block) != VALUE_MAP)
		return err_set(err, ERR_INVALID, "field 'restart': expected map, got %s", value_type_name(block));
	if (read_duration(block, "initial_delay", &lc->restart.initial_ns, err) < 0 ||
		read_duration(block, "max_delay", &lc->restart.max_ns, err) < 0 ||
		read_number(block, "backoff_factor", 1, 1000, &lc->restart.factor, err) < 0 ||
		read_number(block, "jitter", 0, 1, &lc->restart.jitter, err) < 0 ||
		value_read_int(block, "max_attempts", &max_attempts, err) < 0)
		return err_prefix(err, "restart");
	if (max_attempts < 0 || max_attempts > INT32_MAX)
		return err_set(err, ERR_INVALID, "field 'restart.max_attempts': must not be negative");
	lc->max_attempts = (unsigned)max_attempts;
	return 0;
}

static int read_startup(struct lifecycle *lc, const struct value *block, struct err *err)
{
	const char *startup = "required";

	if (value_read_string(block, "startup", &startup, err) < 0)
		return -1;
	lc->optional = strcmp(startup, "optional") == 0;
	if (!lc->optional && *startup && strcmp(startup, "required") != 0)
		return err_set(
			err, ERR_INVALID, "field 'startup': must be required or optional, got \"%.100s\"", startup);
	return 0;
}

int lifecycle_read(struct lifecycle *lc, const struct entry *e, struct err *err)
{
	const struct value *block = value_get(e->data, "lifecycle");

	*lc = (struct lifecycle){
		.start_timeout_ms = START_TIMEOUT_MS,
		.stop_timeout_ms = STOP_TIMEOUT_MS,
		.stable_threshold_ms = STABLE_THRESHOLD_MS,
		.restart = default_restart,
	};
	if (!block || value_type(block) == VALUE_NIL)
		return 0;
	if (value_type(block) != VALUE_MAP)
		return err_set(err, ERR_INVALID, "field 'lifecycle': expected map, got %s", value_type_name(block));
	if (value_read_bool(block, "auto_start", &lc->auto_start, err) < 0 ||
		read_ms(block, "start_timeout", &lc->start_timeout_ms, err) < 0 ||
		read_ms(block, "stop_timeout", &lc->stop_timeout_ms, err) < 0 ||
		read_ms(block, "stable_threshold", &lc->stable_threshold_ms, err) < 0 ||
		read_startup(lc, block, err) < 0 || read_restart(lc, value_get(block, "restart"), err) < 0 ||
		read_names(lc, block, "requires", e->ns, err) < 0 ||
		read_names(lc, block, "depends_on", e->ns, err) < 0) {
		lifecycle_done(lc);
		return err_prefix(err, "lifecycle");
	}
	return 0;
}
