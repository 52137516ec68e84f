/*
 * schema.c - compiling: every keyword is looked at once, so that validation meets nothing it does not understand. See
 * schema.h
 */
#include "value/schema.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hex.h"
#include "value/schema_internal.h"

/* What the value of a keyword must be. */
enum shape {
	SHAPE_ANY,
	SHAPE_SCHEMA,
	SHAPE_SCHEMAS,     /* a list of schemas, not empty */
	SHAPE_SCHEMA_MAP,  /* a map of schemas */
	SHAPE_PATTERN_MAP, /* the same, its keys are patterns */
	SHAPE_TYPE,        /* the name of a type, or a list of them */
	SHAPE_LIST,
	SHAPE_STRINGS,     /* a list of strings */
	SHAPE_STRINGS_MAP, /* a map of lists of strings */
	SHAPE_NUMBER,
	SHAPE_POSITIVE,
	SHAPE_COUNT, /* an integer from 0 */
	SHAPE_BOOL,
	SHAPE_PATTERN,
	SHAPE_ANCHOR,
	SHAPE_REF,
	SHAPE_UNSUPPORTED,
};

static const struct keyword {
	const char *name;
	enum shape shape;
} keywords[] = {
	{"$anchor", SHAPE_ANCHOR},
	{"$defs", SHAPE_SCHEMA_MAP},
	{"$dynamicRef", SHAPE_UNSUPPORTED},
	{"$recursiveRef", SHAPE_UNSUPPORTED},
	{"$ref", SHAPE_REF},
	{"additionalProperties", SHAPE_SCHEMA},
	{"allOf", SHAPE_SCHEMAS},
	{"anyOf", SHAPE_SCHEMAS},
	{"contains", SHAPE_SCHEMA},
	{"definitions", SHAPE_SCHEMA_MAP},   /* what $defs was called before 2019 */
	{"dependencies", SHAPE_UNSUPPORTED}, /* until 2019; now dependentRequired and dependentSchemas */
	{"dependentRequired", SHAPE_STRINGS_MAP},
	{"dependentSchemas", SHAPE_SCHEMA_MAP},
	{"else", SHAPE_SCHEMA},
	{"enum", SHAPE_LIST},
	{"exclusiveMaximum", SHAPE_NUMBER},
	{"exclusiveMinimum", SHAPE_NUMBER},
	{"if", SHAPE_SCHEMA},
	{"items", SHAPE_SCHEMA},
	{"maxContains", SHAPE_COUNT},
	{"maxItems", SHAPE_COUNT},
	{"maxLength", SHAPE_COUNT},
	{"maxProperties", SHAPE_COUNT},
	{"maximum", SHAPE_NUMBER},
	{"minContains", SHAPE_COUNT},
	{"minItems", SHAPE_COUNT},
	{"minLength", SHAPE_COUNT},
	{"minProperties", SHAPE_COUNT},
	{"minimum", SHAPE_NUMBER},
	{"multipleOf", SHAPE_POSITIVE},
	{"not", SHAPE_SCHEMA},
	{"oneOf", SHAPE_SCHEMAS},
	{"pattern", SHAPE_PATTERN},
	{"patternProperties", SHAPE_PATTERN_MAP},
	{"prefixItems", SHAPE_SCHEMAS},
	{"properties", SHAPE_SCHEMA_MAP},
	{"propertyNames", SHAPE_SCHEMA},
	{"required", SHAPE_STRINGS},
	{"then", SHAPE_SCHEMA},
	{"type", SHAPE_TYPE},
	{"unevaluatedItems", SHAPE_UNSUPPORTED},
	{"unevaluatedProperties", SHAPE_UNSUPPORTED},
	{"uniqueItems", SHAPE_BOOL},
};

static const char *const types[] = {"array", "boolean", "integer", "null", "number", "object", "string"};

struct compiler {
	struct schema *s;
	struct buf at;    /* the path of what is looked at, "#/..." */
	struct map *refs; /* texts of references that were followed */
	unsigned depth;
	struct err *e;
};

static int fail(struct compiler *c, const char *what)
{
	return err_set(c->e, ERR_INVALID, "at '%s': %s", buf_str(&c->at), what);
}

static int compile(struct compiler *c, const struct value *v);

/* -- references (RFC 6901) ---------------------------------------------------------------------------- */

/* One step of a pointer, without its slash, decoded: percent signs (it is part of a URI), then "~1" and "~0". */
static char *pointer_step(const char *p, size_t len)
{
	struct buf out = BUF_INIT;
	char *text;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int byte = p[i] == '%' && i + 2 < len ? hex_byte(p + i + 1) : -1;

		if (byte >= 0) {
			buf_addc(&out, (char)byte);
			i += 2;
		} else {
			buf_addc(&out, p[i]);
		}
	}
	text = buf_detach(&out, NULL);
	for (const char *from = text; *from; from++) {
		if (from[0] == '~' && (from[1] == '0' || from[1] == '1'))
			text[n++] = *++from == '0' ? '~' : '/';
		else
			text[n++] = *from;
	}
	text[n] = '\0';
	return text;
}

static const struct value *step_into(const struct value *v, const char *step)
{
	unsigned long i;
	char *end;

	if (value_type(v) == VALUE_MAP)
		return value_get(v, step);
	if (value_type(v) != VALUE_LIST || *step < '0' || *step > '9')
		return NULL;
	i = strtoul(step, &end, 10);
	return *end == '\0' && i < value_count(v) ? value_at(v, i) : NULL;
}

const struct value *schema_resolve(const struct schema *s, const char *ref)
{
	const struct value *v = s->doc;

	if (*ref++ != '#')
		return NULL;
	if (*ref != '\0' && *ref != '/')
		return map_get(s->anchors, ref);
	while (v && *ref == '/') {
		size_t len = strcspn(ref + 1, "/");
		char *step = pointer_step(ref + 1, len);

		v = step_into(v, step);
		free(step);
		ref += len + 1;
	}
	return v;
}

/* -- shapes ------------------------------------------------------------------------------------------- */

static int add_pattern(struct compiler *c, const char *text, size_t len)
{
	struct pattern *p;

	if (strlen(text) != len)
		return fail(c, "the pattern contains a NUL");
	if (map_has(c->s->patterns, text))
		return 0;
	if (map_count(c->s->patterns) == SCHEMA_PATTERNS_MAX)
		return fail(c, "there are too many patterns");
	if (pattern_compile(text, len, &p, c->e) < 0)
		return err_prefix(c->e, "at '%s'", buf_str(&c->at));
	map_set(c->s->patterns, text, p);
	return 0;
}

/* Compile what stands one step further down. */
static int compile_at(struct compiler *c, const char *step, const struct value *v)
{
	size_t len = buf_len(&c->at);
	int rc;

	buf_addf(&c->at, "/%s", step);
	rc = compile(c, v);
	buf_truncate(&c->at, len);
	return rc;
}

static int compile_list(struct compiler *c, const struct value *v)
{
	char step[24];

	if (value_type(v) != VALUE_LIST || value_count(v) == 0)
		return fail(c, "a list of schemas is expected");
	for (size_t i = 0; i < value_count(v); i++) {
		snprintf(step, sizeof(step), "%zu", i);
		if (compile_at(c, step, value_at(v, i)) < 0)
			return -1;
	}
	return 0;
}

static int compile_map(struct compiler *c, const struct value *v, bool patterns)
{
	if (!schema_is_map(v))
		return fail(c, "a map of schemas is expected");
	for (size_t i = 0; i < value_count(v); i++) {
		const char *key;
		const struct value *item = value_pair(v, i, &key, NULL);

		if (patterns && add_pattern(c, key, strlen(key)) < 0)
			return -1;
		if (compile_at(c, key, item) < 0)
			return -1;
	}
	return 0;
}

static bool is_string(const struct value *v)
{
	return value_type(v) == VALUE_STRING;
}

static bool are_strings(const struct value *v)
{
	if (!schema_is_list(v))
		return false;
	for (size_t i = 0; value_type(v) == VALUE_LIST && i < value_count(v); i++) {
		if (!is_string(value_at(v, i)))
			return false;
	}
	return true;
}

static bool are_lists_of_strings(const struct value *v)
{
	if (!schema_is_map(v))
		return false;
	for (size_t i = 0; i < value_count(v); i++) {
		if (!are_strings(value_pair(v, i, NULL, NULL)))
			return false;
	}
	return true;
}

static bool names_type(const struct value *v)
{
	for (size_t i = 0; is_string(v) && i < ARRAY_LEN(types); i++) {
		if (strcmp(types[i], value_get_string(v, NULL)) == 0)
			return true;
	}
	return false;
}

static bool names_types(const struct value *v)
{
	if (value_type(v) != VALUE_LIST)
		return names_type(v);
	for (size_t i = 0; i < value_count(v); i++) {
		if (!names_type(value_at(v, i)))
			return false;
	}
	return value_count(v) > 0;
}

static bool is_count(const struct value *v)
{
	double f = schema_is_number(v) ? value_get_float(v) : -1;

	return f >= 0 && f < 0x1p53 && f == floor(f);
}

static int check_ref(struct compiler *c, const struct value *v)
{
	const char *ref = is_string(v) ? value_get_string(v, NULL) : NULL;

	if (!ref)
		return fail(c, "a string is expected");
	if (ref[0] != '#')
		return fail(c, "references lead only to places in the same schema: '#/...'");
	return 0;
}

static int add_anchor(struct compiler *c, const struct value *schema, const struct value *v)
{
	const void *old;

	if (!is_string(v) || *value_get_string(v, NULL) == '\0')
		return fail(c, "a name is expected");
	old = map_set(c->s->anchors, value_get_string(v, NULL), (void *)schema);
	if (old && old != schema)
		return fail(c, "the same name is given to two schemas");
	return 0;
}

static int expect(struct compiler *c, bool yes, const char *what)
{
	return yes ? 0 : fail(c, what);
}

static int check_keyword(struct compiler *c, const struct value *schema, const struct keyword *k, const struct value *v)
{
	const char *text;
	size_t len;

	switch (k->shape) {
	case SHAPE_ANY:
		return 0;
	case SHAPE_SCHEMA:
		return compile(c, v);
	case SHAPE_SCHEMAS:
		return compile_list(c, v);
	case SHAPE_SCHEMA_MAP:
	case SHAPE_PATTERN_MAP:
		return compile_map(c, v, k->shape == SHAPE_PATTERN_MAP);
	case SHAPE_TYPE:
		return expect(c, names_types(v), "a name of a type, or a list of such names, is expected");
	case SHAPE_LIST:
		return expect(c, schema_is_list(v), "a list is expected");
	case SHAPE_STRINGS:
		return expect(c, are_strings(v), "a list of strings is expected");
	case SHAPE_STRINGS_MAP:
		return expect(c, are_lists_of_strings(v), "a map of lists of strings is expected");
	case SHAPE_NUMBER:
		return expect(c, schema_is_number(v), "a number is expected");
	case SHAPE_POSITIVE:
		return expect(c, schema_is_number(v) && value_get_float(v) > 0, "a number greater than 0 is expected");
	case SHAPE_COUNT:
		return expect(c, is_count(v), "an integer of at least 0 is expected");
	case SHAPE_BOOL:
		return expect(c, value_type(v) == VALUE_BOOL, "a boolean is expected");
	case SHAPE_PATTERN:
		if (!is_string(v))
			return fail(c, "a string is expected");
		text = value_get_string(v, &len);
		return add_pattern(c, text, len);
	case SHAPE_ANCHOR:
		return add_anchor(c, schema, v);
	case SHAPE_REF:
		return check_ref(c, v);
	case SHAPE_UNSUPPORTED:
		return fail(c, "this keyword is not supported");
	}
	return 0;
}

static int compile(struct compiler *c, const struct value *v)
{
	int rc = 0;

	if (value_type(v) == VALUE_BOOL)
		return 0;
	if (!schema_is_map(v))
		return fail(c, "a schema must be an object or a boolean");
	if (++c->depth > SCHEMA_DEPTH_MAX)
		return fail(c, "it is nested too deeply");
	for (size_t i = 0; value_type(v) == VALUE_MAP && i < ARRAY_LEN(keywords) && rc == 0; i++) {
		const struct value *item = value_get(v, keywords[i].name);
		size_t len = buf_len(&c->at);

		if (!item)
			continue;
		buf_addf(&c->at, "/%s", keywords[i].name);
		rc = check_keyword(c, v, &keywords[i], item);
		buf_truncate(&c->at, len);
	}
	c->depth--;
	return rc;
}

/* Each reference must lead to a schema. It may stand outside of all keywords, so it is compiled, too. */
static int check_ref_target(struct compiler *c, const char *ref)
{
	const struct value *target;

	if (map_has(c->refs, ref))
		return 0;
	map_set(c->refs, ref, c);
	target = schema_resolve(c->s, ref);
	if (!target)
		return err_set(c->e, ERR_INVALID, "$ref '%.256s' leads to nothing", ref);
	buf_clear(&c->at);
	buf_adds(&c->at, ref);
	return compile(c, target);
}

/* Once all anchors are known. */
static int check_refs(struct compiler *c, const struct value *v, unsigned depth)
{
	const struct value *ref;

	if (depth > SCHEMA_DEPTH_MAX)
		return fail(c, "it is nested too deeply");
	for (size_t i = 0; value_type(v) == VALUE_LIST && i < value_count(v); i++) {
		if (check_refs(c, value_at(v, i), depth + 1) < 0)
			return -1;
	}
	if (value_type(v) != VALUE_MAP)
		return 0;
	ref = value_get(v, "$ref");
	if (is_string(ref) && value_get_string(ref, NULL)[0] == '#' &&
		check_ref_target(c, value_get_string(ref, NULL)) < 0)
		return -1;
	for (size_t i = 0; i < value_count(v); i++) {
		if (check_refs(c, value_pair(v, i, NULL, NULL), depth + 1) < 0)
			return -1;
	}
	return 0;
}

static void free_pattern(void *p)
{
	pattern_free(p);
}

void schema_free(struct schema *s)
{
	if (!s)
		return;
	map_free(s->patterns, free_pattern);
	map_free(s->anchors, NULL);
	value_unref(s->doc);
	free(s);
}

int schema_compile(struct value *doc, struct schema **ret_schema, struct err *e)
{
	struct schema *s = xcalloc(1, sizeof(*s));
	struct compiler c = {.s = s, .refs = map_new(), .e = e};
	int rc;

	s->doc = value_ref(doc);
	s->patterns = map_new();
	s->anchors = map_new();
	buf_addc(&c.at, '#');
	rc = compile(&c, doc);
	if (rc == 0)
		rc = check_refs(&c, doc, 0);
	buf_done(&c.at);
	map_free(c.refs, NULL);
	if (rc < 0)
		schema_free(s);
	else
		*ret_schema = s;
	return rc;
}
