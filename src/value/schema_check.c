/*
 * schema_check.c - validating. See schema.h
 *
 * The schema was compiled, so every keyword has the shape it should. Each check of one value against one schema is a
 * step; when steps or depth run out everything stops at once (`broken`), since neither yes nor no would be true then,
 * and "not" would turn one into the other.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "value/schema_internal.h"

struct checker {
	const struct schema *s;
	struct buf at;     /* path in the data */
	struct buf report; /* what is wrong */
	unsigned quiet;    /* > 0: alternatives are tried, nothing is reported */
	unsigned depth;
	unsigned long steps;
	bool empty_is_either;
	const char *broken;
};

enum { REPORT_BYTES_MAX = 800 };

static bool check(struct checker *c, const struct value *schema, const struct value *v);

/* Report and return false. */
static bool __attribute__((format(printf, 3, 4))) no(struct checker *c, const char *keyword, const char *fmt, ...)
{
	va_list ap;

	if (c->quiet > 0 || c->broken || buf_len(&c->report) > REPORT_BYTES_MAX)
		return false;
	buf_addf(&c->report, "%sat '%.200s': %s: ", buf_len(&c->report) > 0 ? "; " : "", buf_str(&c->at), keyword);
	va_start(ap, fmt);
	buf_vaddf(&c->report, fmt, ap);
	va_end(ap);
	return false;
}

static bool step(struct checker *c, unsigned long n)
{
	c->steps += n;
	if (c->steps > SCHEMA_STEPS_MAX)
		c->broken = "the data or the schema are too large to check";
	return !c->broken;
}

/* Would it match? Reports nothing. */
static bool matches(struct checker *c, const struct value *schema, const struct value *v)
{
	bool yes;

	c->quiet++;
	yes = check(c, schema, v);
	c->quiet--;
	return yes;
}

static bool check_at(struct checker *c, const char *name, const struct value *schema, const struct value *v)
{
	size_t len = buf_len(&c->at);
	bool yes;

	buf_addf(&c->at, "/%s", name);
	yes = check(c, schema, v);
	buf_truncate(&c->at, len);
	return yes;
}

static bool check_index(struct checker *c, size_t i, const struct value *schema, const struct value *v)
{
	char name[24];

	snprintf(name, sizeof(name), "%zu", i);
	return check_at(c, name, schema, v);
}

/* -- any value ---------------------------------------------------------------------------------------- */

static bool is_integer(const struct value *v)
{
	return value_type(v) == VALUE_INT || (value_type(v) == VALUE_FLOAT && isfinite(value_get_float(v)) &&
						     value_get_float(v) == floor(value_get_float(v)));
}

/* A list without items that may as well be a map. */
static bool is_either(const struct checker *c, const struct value *v)
{
	return c->empty_is_either && value_type(v) == VALUE_LIST && value_count(v) == 0;
}

static bool has_type(const struct checker *c, const struct value *v, const char *type)
{
	switch (type[0]) {
	case 'a':
		return value_type(v) == VALUE_LIST;
	case 'b':
		return value_type(v) == VALUE_BOOL;
	case 'i':
		return is_integer(v);
	case 'n':
		return strcmp(type, "null") == 0 ? value_type(v) == VALUE_NIL : schema_is_number(v);
	case 'o':
		return value_type(v) == VALUE_MAP || is_either(c, v);
	default:
		return value_type(v) == VALUE_STRING;
	}
}

static bool check_type(struct checker *c, const struct value *want, const struct value *v)
{
	if (value_type(want) == VALUE_STRING) {
		const char *type = value_get_string(want, NULL);

		return has_type(c, v, type) || no(c, "type", "%s expected", type);
	}
	for (size_t i = 0; i < value_count(want); i++) {
		if (has_type(c, v, value_get_string(value_at(want, i), NULL)))
			return true;
	}
	return no(c, "type", "none of the types that are allowed");
}

/* `want` stands in the schema, whose empty lists may be maps, too. */
static bool is_same(const struct checker *c, const struct value *want, const struct value *v)
{
	return value_equal(want, v) || (is_either(c, v) && value_type(want) == VALUE_MAP && value_count(want) == 0);
}

static bool check_values(struct checker *c, const struct value *schema, const struct value *v)
{
	const struct value *want = value_get(schema, "enum");
	bool ok = true;

	if (want) {
		size_t i = 0, n = value_count(want);

		while (i < n && step(c, 1) && !is_same(c, value_at(want, i), v))
			i++;
		if (i == n)
			ok = no(c, "enum", "none of the values that are allowed");
	}
	want = value_get(schema, "const");
	if (want && !is_same(c, want, v))
		ok = no(c, "const", "another value is required");
	return ok;
}

/* -- numbers ------------------------------------------------------------------------------------------ */

/* Below, equal, above: -1, 0, 1; 2 when a NaN is involved. A long double holds every 64-bit integer and every double.
 * */
static int compare_numbers(const struct value *a, const struct value *b)
{
	long double x = value_type(a) == VALUE_INT ? (long double)value_get_int(a) : (long double)value_get_float(a);
	long double y = value_type(b) == VALUE_INT ? (long double)value_get_int(b) : (long double)value_get_float(b);

	return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2;
}

/* Both numbers were decimal text once, so the quotient may be off by their rounding. */
static bool is_multiple(const struct value *v, const struct value *of)
{
	double a = value_get_float(v), b = value_get_float(of), q = a / b;

	if (value_type(v) == VALUE_INT && value_type(of) == VALUE_INT)
		return value_get_int(v) % value_get_int(of) == 0;
	if (fmod(a, b) == 0)
		return true;
	return isfinite(q) && fabs(q - round(q)) <= 2 * DBL_EPSILON * fabs(q);
}

static bool check_number(struct checker *c, const struct value *schema, const struct value *v)
{
	const struct value *limit;
	bool ok = true;

	limit = value_get(schema, "minimum");
	if (limit && compare_numbers(v, limit) != 0 && compare_numbers(v, limit) != 1)
		ok = no(c, "minimum", "the number is less than %.15g", value_get_float(limit));
	limit = value_get(schema, "maximum");
	if (limit && compare_numbers(v, limit) != 0 && compare_numbers(v, limit) != -1)
		ok = no(c, "maximum", "the number is greater than %.15g", value_get_float(limit));
	limit = value_get(schema, "exclusiveMinimum");
	if (limit && compare_numbers(v, limit) != 1)
		ok = no(c, "exclusiveMinimum", "the number is not greater than %.15g", value_get_float(limit));
	limit = value_get(schema, "exclusiveMaximum");
	if (limit && compare_numbers(v, limit) != -1)
		ok = no(c, "exclusiveMaximum", "the number is not less than %.15g", value_get_float(limit));
	limit = value_get(schema, "multipleOf");
	if (limit && !is_multiple(v, limit))
		ok = no(c, "multipleOf", "the number is no multiple of %.15g", value_get_float(limit));
	return ok;
}

/* -- strings ------------------------------------------------------------------------------------------ */

/* Is `n` in the bounds of these two keywords? */
static bool check_count(struct checker *c, const struct value *schema, const char *min, const char *max, size_t n)
{
	const struct value *limit = value_get(schema, min);
	bool ok = true;

	if (limit && (double)n < value_get_float(limit))
		ok = no(c, min, "%zu where %.0f is the least", n, value_get_float(limit));
	limit = value_get(schema, max);
	if (limit && (double)n > value_get_float(limit))
		ok = no(c, max, "%zu where %.0f is the most", n, value_get_float(limit));
	return ok;
}

/* Characters; a byte that is not UTF-8 counts as one. */
static size_t count_characters(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; n++) {
		size_t bytes = utf8_sequence(s + i, len - i, NULL);

		i += bytes ? bytes : 1;
	}
	return n;
}

static bool check_string(struct checker *c, const struct value *schema, const struct value *v)
{
	const struct value *pattern = value_get(schema, "pattern");
	size_t len;
	const char *s = value_get_string(v, &len);
	bool ok = true;

	if (value_get(schema, "minLength") || value_get(schema, "maxLength"))
		ok = check_count(c, schema, "minLength", "maxLength", count_characters(s, len));
	if (pattern && step(c, 1 + len / 64)) {
		const char *text = value_get_string(pattern, NULL);

		if (!pattern_matches(map_get(c->s->patterns, text), s, len))
			ok = no(c, "pattern", "does not match '%.200s'", text);
	}
	return ok;
}

/* -- lists -------------------------------------------------------------------------------------------- */

/* Equal values have equal hashes; a map's does not depend on its order. */
static uint64_t hash_value(const struct value *v)
{
	uint64_t h = 0xcbf29ce484222325;
	const char *s = NULL;
	size_t len = 0;
	double f;

	switch (value_type(v)) {
	case VALUE_NIL:
		return 1;
	case VALUE_BOOL:
		return value_get_bool(v) ? 2 : 3;
	case VALUE_INT:
	case VALUE_FLOAT:
		f = value_get_float(v) + 0.0; /* -0 is 0 */
		s = (const char *)&f;
		len = sizeof(f);
		break;
	case VALUE_STRING:
		s = value_get_string(v, &len);
		break;
	case VALUE_LIST:
		for (size_t i = 0; i < value_count(v); i++)
			h = (h ^ hash_value(value_at(v, i))) * 0x100000001b3;
		return h;
	case VALUE_MAP:
		for (size_t i = 0; i < value_count(v); i++) {
			const char *key;
			uint64_t item = hash_value(value_pair(v, i, &key, NULL));

			for (; *key; key++)
				item = (item ^ (unsigned char)*key) * 0x100000001b3;
			h += item;
		}
		return h;
	}
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)s[i]) * 0x100000001b3;
	return h;
}

struct hashed {
	uint64_t hash;
	const struct value *v;
};

static int compare_hashed(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static bool all_differ(struct checker *c, const struct value *list)
{
	size_t n = value_count(list);
	struct hashed *items;
	bool differ = true;

	if (n < 2 || !step(c, n))
		return true;
	items = xcalloc(n, sizeof(*items));
	for (size_t i = 0; i < n; i++)
		items[i] = (struct hashed){hash_value(value_at(list, i)), value_at(list, i)};
	qsort(items, n, sizeof(*items), compare_hashed);
	for (size_t i = 0; i < n && differ && !c->broken; i++) {
		for (size_t k = i + 1; k < n && items[k].hash == items[i].hash && differ && step(c, 1); k++)
			differ = !value_equal(items[i].v, items[k].v);
	}
	free(items);
	return differ;
}

static bool check_contains(struct checker *c, const struct value *schema, const struct value *list)
{
	const struct value *contains = value_get(schema, "contains"), *min = value_get(schema, "minContains"),
			   *max = value_get(schema, "maxContains");
	size_t found = 0;

	for (size_t i = 0; i < value_count(list); i++)
		found += matches(c, contains, value_at(list, i));
	if ((double)found < (min ? value_get_float(min) : 1))
		return no(c, "contains", "%zu items match, which are too few", found);
	if (max && (double)found > value_get_float(max))
		return no(c, "contains", "%zu items match, which are too many", found);
	return true;
}

static bool check_list(struct checker *c, const struct value *schema, const struct value *v)
{
	const struct value *prefix = value_get(schema, "prefixItems"), *items = value_get(schema, "items"),
			   *unique = value_get(schema, "uniqueItems");
	size_t n = value_count(v);
	bool ok = check_count(c, schema, "minItems", "maxItems", n);

	for (size_t i = 0; i < n && !c->broken; i++) {
		const struct value *each = i < value_count(prefix) ? value_at(prefix, i) : items;

		if (each && !check_index(c, i, each, value_at(v, i)))
			ok = false;
	}
	if (value_get(schema, "contains") && !check_contains(c, schema, v))
		ok = false;
	if (unique && value_get_bool(unique) && !all_differ(c, v))
		ok = no(c, "uniqueItems", "two items are equal");
	return ok;
}

/* -- maps --------------------------------------------------------------------------------------------- */

static bool check_required(struct checker *c, const char *keyword, const struct value *names, const struct value *v)
{
	bool ok = true;

	for (size_t i = 0; i < value_count(names) && step(c, 1); i++) {
		const char *name = value_get_string(value_at(names, i), NULL);

		if (!value_get(v, name))
			ok = no(c, keyword, "'%.100s' is missing", name);
	}
	return ok;
}

static bool check_property(struct checker *c, const struct value *schema, const char *name, const struct value *item)
{
	const struct value *properties = value_get(schema, "properties"),
			   *patterns = value_get(schema, "patternProperties"),
			   *rest = value_get(schema, "additionalProperties"),
			   *names = value_get(schema, "propertyNames");
	const struct value *own = value_get(properties, name);
	bool ok = true, known = own != NULL;

	if (own && !check_at(c, name, own, item))
		ok = false;
	for (size_t i = 0; i < value_count(patterns); i++) {
		const char *text;
		const struct value *each = value_pair(patterns, i, &text, NULL);

		if (!step(c, 1) || !pattern_matches(map_get(c->s->patterns, text), name, strlen(name)))
			continue;
		known = true;
		if (!check_at(c, name, each, item))
			ok = false;
	}
	if (!known && rest) {
		if (value_type(rest) == VALUE_BOOL && !value_get_bool(rest))
			ok = no(c, "additionalProperties", "'%.100s' is not allowed", name);
		else if (!check_at(c, name, rest, item))
			ok = false;
	}
	if (names) {
		struct value *text = value_cstring(name);

		if (!matches(c, names, text))
			ok = no(c, "propertyNames", "the name '%.100s' is not allowed", name);
		value_unref(text);
	}
	return ok;
}

static bool check_map(struct checker *c, const struct value *schema, const struct value *v)
{
	const struct value *required = value_get(schema, "dependentRequired"),
			   *dependent = value_get(schema, "dependentSchemas");
	bool ok = check_count(c, schema, "minProperties", "maxProperties", value_count(v));
	const char *name;

	if (!check_required(c, "required", value_get(schema, "required"), v))
		ok = false;
	for (size_t i = 0; i < value_count(v) && !c->broken; i++) {
		const struct value *item = value_pair(v, i, &name, NULL);

		if (!check_property(c, schema, name, item))
			ok = false;
	}
	for (size_t i = 0; i < value_count(required); i++) {
		const struct value *names = value_pair(required, i, &name, NULL);

		if (value_get(v, name) && !check_required(c, "dependentRequired", names, v))
			ok = false;
	}
	for (size_t i = 0; i < value_count(dependent); i++) {
		const struct value *more = value_pair(dependent, i, &name, NULL);

		if (value_get(v, name) && !check(c, more, v))
			ok = false;
	}
	return ok;
}

/* -- schemas of schemas ------------------------------------------------------------------------------- */

static bool check_combined(struct checker *c, const struct value *schema, const struct value *v)
{
	const struct value *of = value_get(schema, "allOf"), *other;
	size_t n = 0, count;
	bool ok = true;

	for (size_t i = 0; i < value_count(of); i++)
		ok &= check(c, value_at(of, i), v);
	of = value_get(schema, "anyOf");
	count = value_count(of);
	while (n < count && !matches(c, value_at(of, n), v))
		n++;
	if (of && n == count)
		ok = no(c, "anyOf", "no alternative matches");
	of = value_get(schema, "oneOf");
	n = 0;
	for (size_t i = 0; i < value_count(of) && n < 2; i++)
		n += matches(c, value_at(of, i), v);
	if (of && n != 1)
		ok = no(c, "oneOf", n == 0 ? "no alternative matches" : "more than one alternative matches");
	other = value_get(schema, "not");
	if (other && matches(c, other, v))
		ok = no(c, "not", "matches what it must not match");
	other = value_get(schema, "if");
	if (other) {
		other = value_get(schema, matches(c, other, v) ? "then" : "else");
		if (other && !check(c, other, v))
			ok = false;
	}
	return ok;
}

static bool check(struct checker *c, const struct value *schema, const struct value *v)
{
	const struct value *item;
	bool ok = true, either;
	const char *type;

	if (!step(c, 1))
		return false;
	if (value_type(schema) == VALUE_BOOL)
		return value_get_bool(schema) || no(c, "false", "nothing is allowed here");
	if (value_type(schema) != VALUE_MAP)
		return true; /* an empty list: the schema without keywords */
	if (++c->depth > SCHEMA_DEPTH_MAX) {
		c->broken = "the data or the schema are nested too deeply";
		return false;
	}
	item = value_get(schema, "$ref");
	if (item && !check(c, schema_resolve(c->s, value_get_string(item, NULL)), v))
		ok = false;
	item = value_get(schema, "type");
	if (item && !check_type(c, item, v))
		ok = false;
	if (!check_values(c, schema, v))
		ok = false;
	if (schema_is_number(v) && !check_number(c, schema, v))
		ok = false;
	if (value_type(v) == VALUE_STRING && !check_string(c, schema, v))
		ok = false;
	/* What may be either is what the schema's type says; without one the keywords of both count. */
	either = is_either(c, v);
	item = either ? value_get(schema, "type") : NULL;
	type = value_text(item, "");
	if (value_type(v) == VALUE_LIST && strcmp(type, "object") != 0 && !check_list(c, schema, v))
		ok = false;
	if ((value_type(v) == VALUE_MAP || either) && strcmp(type, "array") != 0 && !check_map(c, schema, v))
		ok = false;
	if (!check_combined(c, schema, v))
		ok = false;
	c->depth--;
	return ok && !c->broken;
}

int schema_validate(const struct schema *s, const struct value *v, bool empty_is_either, struct err *e)
{
	struct checker c = {.s = s, .empty_is_either = empty_is_either};
	bool ok = check(&c, s->doc, v);

	if (c.broken)
		err_set(e, ERR_INVALID, "%s", c.broken);
	else if (!ok)
		err_set(e, ERR_INVALID, "%s", buf_str(&c.report));
	buf_done(&c.at);
	buf_done(&c.report);
	return ok && !c.broken ? 0 : -1;
}
