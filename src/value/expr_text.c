/*
 * expr_text.c - functions of the expression language over text, and between types.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/number.h"
#include "base/utf8.h"
#include "value/expr_node.h"
#include "value/json.h"
#include "value/letter_case.h"

struct text {
	const char *s;
	size_t len;
};

static int need_text(struct expr_run *r, const char *name, const struct value *v, struct text *ret_text)
{
	if (value_type(v) != VALUE_STRING)
		return expr_fail(r, "invalid argument for %s (type %s)", name, expr_type_name(v));
	ret_text->s = value_get_string(v, &ret_text->len);
	return expr_steps(r, ret_text->len / 64);
}

static int take_buf(struct expr_run *r, struct buf *b, struct value **ret_value)
{
	int rc = expr_string(r, buf_data(b), buf_len(b), ret_value);

	buf_done(b);
	return rc;
}

static size_t one_character(const char *s, size_t len)
{
	size_t n = utf8_sequence(s, len, NULL);

	return n > 0 ? n : 1;
}

static size_t characters(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; n++)
		i += one_character(s + i, len - i);
	return n;
}

/* -- case and edges ----------------------------------------------------------------------------------- */

static int call_upper(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct buf out = BUF_INIT;
	struct text t = {"", 0};

	(void)nargs;
	if (need_text(r, "upper", args[0], &t) < 0)
		return -1;
	letter_upper(&out, t.s, t.len);
	return take_buf(r, &out, ret_value);
}

static int call_lower(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct buf out = BUF_INIT;
	struct text t = {"", 0};

	(void)nargs;
	if (need_text(r, "lower", args[0], &t) < 0)
		return -1;
	letter_lower(&out, t.s, t.len);
	return take_buf(r, &out, ret_value);
}

static int call_trim(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct text t = {"", 0}, set = {" \t\n\v\f\r", 6};

	if (need_text(r, "trim", args[0], &t) < 0 || (nargs > 1 && need_text(r, "trim", args[1], &set) < 0))
		return -1;
	while (t.len > 0) {
		size_t n = one_character(t.s, t.len);

		if (!memmem(set.s, set.len, t.s, n))
			break;
		t.s += n;
		t.len -= n;
	}
	while (t.len > 0) {
		size_t n = 1;

		while (n < 4 && n < t.len && ((unsigned char)t.s[t.len - n] & 0xc0) == 0x80)
			n++;
		if (!memmem(set.s, set.len, t.s + t.len - n, n))
			break;
		t.len -= n;
	}
	return expr_string(r, t.s, t.len, ret_value);
}

static bool begins(struct text t, struct text part)
{
	return t.len >= part.len && memcmp(t.s, part.s, part.len) == 0;
}

static bool ends(struct text t, struct text part)
{
	return t.len >= part.len && memcmp(t.s + t.len - part.len, part.s, part.len) == 0;
}

static int two_texts(
	struct expr_run *r, const char *name, struct value *const *args, struct text *ret_a, struct text *ret_b)
{
	return need_text(r, name, args[0], ret_a) < 0 || need_text(r, name, args[1], ret_b) < 0 ? -1 : 0;
}

static int call_trim_prefix(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct text t = {"", 0}, part = {"", 0};

	(void)nargs;
	if (two_texts(r, "trimPrefix", args, &t, &part) < 0)
		return -1;
	if (begins(t, part)) {
		t.s += part.len;
		t.len -= part.len;
	}
	return expr_string(r, t.s, t.len, ret_value);
}

static int call_trim_suffix(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct text t = {"", 0}, part = {"", 0};

	(void)nargs;
	if (two_texts(r, "trimSuffix", args, &t, &part) < 0)
		return -1;
	if (ends(t, part))
		t.len -= part.len;
	return expr_string(r, t.s, t.len, ret_value);
}

static int call_has_prefix(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct text t = {"", 0}, part = {"", 0};

	(void)nargs;
	if (two_texts(r, "hasPrefix", args, &t, &part) < 0)
		return -1;
	*ret_value = value_bool(begins(t, part));
	return 0;
}

static int call_has_suffix(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct text t = {"", 0}, part = {"", 0};

	(void)nargs;
	if (two_texts(r, "hasSuffix", args, &t, &part) < 0)
		return -1;
	*ret_value = value_bool(ends(t, part));
	return 0;
}

/* -- searching ---------------------------------------------------------------------------------------- */

static int call_index_of(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct text t = {"", 0}, part = {"", 0};
	const char *at;

	(void)nargs;
	if (two_texts(r, "indexOf", args, &t, &part) < 0)
		return -1;
	at = memmem(t.s, t.len, part.s, part.len);
	*ret_value = value_int(at ? (int64_t)characters(t.s, (size_t)(at - t.s)) : -1);
	return 0;
}

static int call_last_index_of(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct text t = {"", 0}, part = {"", 0};

	(void)nargs;
	if (two_texts(r, "lastIndexOf", args, &t, &part) < 0)
		return -1;
	if (part.len > 0 && expr_steps(r, t.len / 64 * (1 + part.len / 64)) < 0)
		return -1;
	for (size_t n = part.len > t.len ? 0 : t.len - part.len + 1; n-- > 0;) {
		if (memcmp(t.s + n, part.s, part.len) == 0) {
			*ret_value = value_int((int64_t)characters(t.s, n));
			return 0;
		}
	}
	*ret_value = value_int(-1);
	return 0;
}

/* -- cutting and joining ------------------------------------------------------------------------------ */

static int add_part(struct expr_run *r, struct value *list, const char *s, size_t len)
{
	struct value *v;

	if (expr_steps(r, 1) < 0 || expr_string(r, s, len, &v) < 0)
		return -1;
	value_list_append(list, v);
	return 0;
}

/* `keep`: how much of the separator stays with the part before it. No separator: every character is a part. */
static int split(struct expr_run *r, const char *name, struct value *const *args, size_t nargs, bool keep,
	struct value **ret_value)
{
	struct value *list;
	struct text t = {"", 0}, sep = {"", 0};
	int64_t n = -1;

	if (two_texts(r, name, args, &t, &sep) < 0)
		return -1;
	if (nargs > 2) {
		if (value_type(args[2]) != VALUE_INT)
			return expr_fail(r, "invalid argument for %s (type %s)", name, expr_type_name(args[2]));
		n = value_get_int(args[2]);
	}
	list = value_list();
	while (n != 0) {
		const char *at = NULL;

		if (sep.len == 0) {
			size_t c = t.len > 0 ? one_character(t.s, t.len) : 0;

			if (t.len == 0)
				break;
			at = n != 1 && c < t.len ? t.s + c : NULL;
		} else if (n != 1) {
			at = memmem(t.s, t.len, sep.s, sep.len);
		}
		if (!at) {
			if (add_part(r, list, t.s, t.len) < 0)
				goto fail;
			break;
		}
		if (add_part(r, list, t.s, (size_t)(at - t.s) + (keep ? sep.len : 0)) < 0)
			goto fail;
		t.len -= (size_t)(at - t.s) + sep.len;
		t.s = at + sep.len;
		n -= n > 0;
	}
	*ret_value = list;
	return 0;
fail:
	value_unref(list);
	return -1;
}

static int call_split(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	return split(r, "split", args, nargs, false, ret_value);
}

static int call_split_after(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	return split(r, "splitAfter", args, nargs, true, ret_value);
}

static int call_join(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct text glue = {"", 0}, t = {"", 0};
	struct buf out = BUF_INIT;

	if (value_type(args[0]) != VALUE_LIST)
		return expr_fail(r, "invalid argument for join (type %s)", expr_type_name(args[0]));
	if (nargs > 1 && need_text(r, "join", args[1], &glue) < 0)
		return -1;
	for (size_t i = 0; i < value_count(args[0]); i++) {
		if (need_text(r, "join", value_at(args[0], i), &t) < 0 || expr_steps(r, 1) < 0 ||
			expr_made(r, t.len + glue.len) < 0) {
			buf_done(&out);
			return -1;
		}
		if (i > 0)
			buf_add(&out, glue.s, glue.len);
		buf_add(&out, t.s, t.len);
	}
	return take_buf(r, &out, ret_value);
}

/* An empty `old` is found before every character and at the end. */
static int call_replace(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct text t = {"", 0}, old = {"", 0}, by = {"", 0};
	struct buf out = BUF_INIT;
	int64_t n = -1;

	if (two_texts(r, "replace", args, &t, &old) < 0 || need_text(r, "replace", args[2], &by) < 0)
		return -1;
	if (nargs > 3) {
		if (value_type(args[3]) != VALUE_INT)
			return expr_fail(r, "invalid argument for replace (type %s)", expr_type_name(args[3]));
		n = value_get_int(args[3]);
	}
	for (bool begun = false; n != 0; begun = true, n -= n > 0) {
		const char *at;

		if (old.len == 0) {
			size_t c = begun && t.len > 0 ? one_character(t.s, t.len) : 0;

			if (begun && t.len == 0)
				break;
			at = t.s + c;
		} else {
			at = memmem(t.s, t.len, old.s, old.len);
			if (!at)
				break;
		}
		if (expr_steps(r, 1) < 0 || expr_made(r, (size_t)(at - t.s) + by.len) < 0) {
			buf_done(&out);
			return -1;
		}
		buf_add(&out, t.s, (size_t)(at - t.s));
		buf_add(&out, by.s, by.len);
		t.len -= (size_t)(at - t.s) + old.len;
		t.s = at + old.len;
	}
	buf_add(&out, t.s, t.len);
	return take_buf(r, &out, ret_value);
}

static int call_repeat(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct buf out = BUF_INIT;
	struct text t = {"", 0};
	int64_t n;

	(void)nargs;
	if (need_text(r, "repeat", args[0], &t) < 0)
		return -1;
	if (value_type(args[1]) != VALUE_INT || value_get_int(args[1]) < 0)
		return expr_fail(r, "invalid argument for repeat (expected positive integer)");
	n = value_get_int(args[1]);
	if (n > EXPR_STEPS_MAX || expr_steps(r, (size_t)n / 16) < 0 || expr_made(r, (size_t)n * t.len) < 0)
		return expr_fail(r, "repeat() makes too long a string");
	for (int64_t i = 0; t.len > 0 && i < n; i++)
		buf_add(&out, t.s, t.len);
	return take_buf(r, &out, ret_value);
}

/* -- types -------------------------------------------------------------------------------------------- */

static int call_len(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct text t = {"", 0};

	(void)nargs;
	switch (value_type(args[0])) {
	case VALUE_STRING:
		if (need_text(r, "len", args[0], &t) < 0)
			return -1;
		*ret_value = value_int((int64_t)characters(t.s, t.len));
		return 0;
	case VALUE_LIST:
	case VALUE_MAP:
		*ret_value = value_int((int64_t)value_count(args[0]));
		return 0;
	default:
		return expr_fail(r, "invalid argument for len (type %s)", expr_type_name(args[0]));
	}
}

static int call_type(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	const char *name = expr_type_name(args[0]);

	(void)nargs;
	return expr_string(r, name, strlen(name), ret_value);
}

static int call_int(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	char *end;
	struct text t = {"", 0};
	long long i;
	double f;

	(void)nargs;
	if (value_type(args[0]) == VALUE_INT) {
		*ret_value = expr_keep(args[0]);
		return 0;
	}
	if (value_type(args[0]) == VALUE_FLOAT) {
		f = trunc(value_get_float(args[0]));
		if (!(f >= -0x1p63 && f < 0x1p63))
			return expr_fail(r, "invalid operation: int() of a number beyond 64 bits");
		*ret_value = value_int((int64_t)f);
		return 0;
	}
	if (need_text(r, "int", args[0], &t) < 0)
		return -1;
	errno = 0;
	i = strtoll(t.s, &end, 10);
	if (t.len == 0 || end != t.s + t.len || errno || strchr(" \t\n\v\f\r", t.s[0]))
		return expr_fail(r, "invalid operation: int(%.60s)", t.s);
	*ret_value = value_int(i);
	return 0;
}

static int call_float(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	char *end;
	struct text t = {"", 0};
	double f;

	(void)nargs;
	if (expr_is_number(args[0])) {
		*ret_value = value_float(value_get_float(args[0]));
		return 0;
	}
	if (need_text(r, "float", args[0], &t) < 0)
		return -1;
	f = strtod(t.s, &end);
	if (t.len == 0 || end != t.s + t.len || strchr(" \t\n\v\f\r", t.s[0]))
		return expr_fail(r, "invalid operation: float(%.60s)", t.s);
	*ret_value = value_float(f);
	return 0;
}

static int text_of(struct expr_run *r, const struct value *v, struct buf *out, unsigned depth)
{
	char number[NUMBER_TEXT_MAX];
	const char *key, *s;
	size_t len;

	if (depth == 2 * MADE_DEEP_MAX)
		return expr_fail(r, "the value is nested too deeply");
	if (expr_steps(r, 1) < 0)
		return -1;
	switch (value_type(v)) {
	case VALUE_NIL:
		buf_adds(out, "<nil>");
		return 0;
	case VALUE_BOOL:
		buf_adds(out, value_get_bool(v) ? "true" : "false");
		return 0;
	case VALUE_INT:
		buf_add(out, number, number_format_int(value_get_int(v), number));
		return 0;
	case VALUE_FLOAT:
		buf_add(out, number, number_format_float(value_get_float(v), number));
		return 0;
	case VALUE_STRING:
		s = value_get_string(v, &len);
		if (expr_made(r, len) < 0)
			return -1;
		buf_add(out, s, len);
		return 0;
	case VALUE_LIST:
		buf_addc(out, '[');
		for (size_t i = 0; i < value_count(v); i++) {
			if (i > 0)
				buf_addc(out, ' ');
			if (text_of(r, value_at(v, i), out, depth + 1) < 0)
				return -1;
		}
		buf_addc(out, ']');
		return 0;
	case VALUE_MAP:
		buf_adds(out, "map[");
		for (size_t i = 0; i < value_count(v); i++) {
			const struct value *item = value_pair(v, i, &key, NULL);

			buf_addf(out, "%s%s:", i > 0 ? " " : "", key);
			if (expr_made(r, strlen(key)) < 0 || text_of(r, item, out, depth + 1) < 0)
				return -1;
		}
		buf_addc(out, ']');
		return 0;
	}
	return 0;
}

int expr_text(struct expr_run *r, const struct value *v, struct buf *out)
{
	return text_of(r, v, out, 0);
}

static int call_string(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct buf out = BUF_INIT;

	(void)nargs;
	if (expr_text(r, args[0], &out) < 0) {
		buf_done(&out);
		return -1;
	}
	return take_buf(r, &out, ret_value);
}

/* -- encodings ---------------------------------------------------------------------------------------- */

/* What the JSON of a value may take, escapes and indents included; the writer knows no bound. */
static int count_json(struct expr_run *r, const struct value *v, unsigned depth)
{
	const char *key = "";
	size_t len = 0;
	int rc;

	if (depth == JSON_DEPTH_MAX)
		return expr_fail(r, "toJSON(): the value is nested too deeply");
	if (value_type(v) == VALUE_STRING)
		value_get_string(v, &len);
	rc = expr_steps(r, 1) < 0 || expr_made(r, 6 * len + 2 * depth + NUMBER_TEXT_MAX) < 0 ? -1 : 0;
	for (size_t i = 0; rc == 0 && i < value_count(v); i++) {
		const struct value *item = value_type(v) == VALUE_LIST ? value_at(v, i) : value_pair(v, i, &key, NULL);

		rc = expr_made(r, 6 * strlen(key));
		if (rc == 0)
			rc = count_json(r, item, depth + 1);
	}
	return rc;
}

int expr_json(struct expr_run *r, const struct value *v, struct buf *out)
{
	if (count_json(r, v, 0) < 0)
		return -1;
	json_write(v, out);
	return 0;
}

static int call_to_json(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct buf out = BUF_INIT;

	(void)nargs;
	if (count_json(r, args[0], 0) < 0)
		return -1;
	json_write_pretty(args[0], &out);
	return take_buf(r, &out, ret_value);
}

static int call_from_json(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct err e = {0};
	struct text t = {"", 0};

	(void)nargs;
	if (need_text(r, "fromJSON", args[0], &t) < 0 || expr_steps(r, t.len / 8) < 0 ||
		expr_made(r, t.len * EXPR_ITEM_BYTES) < 0)
		return -1;
	if (json_parse(t.s, t.len, ret_value, &e) < 0)
		return expr_fail(r, "fromJSON: %s", e.text);
	return 0;
}

static int call_to_base64(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct buf out = BUF_INIT;
	struct text t = {"", 0};

	(void)nargs;
	if (need_text(r, "toBase64", args[0], &t) < 0)
		return -1;
	base64_encode(&out, t.s, t.len);
	return take_buf(r, &out, ret_value);
}

static int call_from_base64(struct expr_run *r, struct value *const *args, size_t nargs, struct value **ret_value)
{
	struct buf out = BUF_INIT;
	struct err e = {0};
	struct text t = {"", 0};

	(void)nargs;
	if (need_text(r, "fromBase64", args[0], &t) < 0)
		return -1;
	if (base64_decode(&out, t.s, t.len, &e) < 0) {
		buf_done(&out);
		return expr_fail(r, "%s", e.text);
	}
	return take_buf(r, &out, ret_value);
}

const struct expr_function expr_text_functions[] = {
	{"len", 1, 1, call_len, NULL},
	{"upper", 1, 1, call_upper, NULL},
	{"lower", 1, 1, call_lower, NULL},
	{"trim", 1, 2, call_trim, NULL},
	{"trimPrefix", 2, 2, call_trim_prefix, NULL},
	{"trimSuffix", 2, 2, call_trim_suffix, NULL},
	{"hasPrefix", 2, 2, call_has_prefix, NULL},
	{"hasSuffix", 2, 2, call_has_suffix, NULL},
	{"indexOf", 2, 2, call_index_of, NULL},
	{"lastIndexOf", 2, 2, call_last_index_of, NULL},
	{"split", 2, 3, call_split, NULL},
	{"splitAfter", 2, 3, call_split_after, NULL},
	{"join", 1, 2, call_join, NULL},
	{"replace", 3, 4, call_replace, NULL},
	{"repeat", 2, 2, call_repeat, NULL},
	{"type", 1, 1, call_type, NULL},
	{"int", 1, 1, call_int, NULL},
	{"float", 1, 1, call_float, NULL},
	{"string", 1, 1, call_string, NULL},
	{"toJSON", 1, 1, call_to_json, NULL},
	{"fromJSON", 1, 1, call_from_json, NULL},
	{"toBase64", 1, 1, call_to_base64, NULL},
	{"fromBase64", 1, 1, call_from_base64, NULL},
	{NULL, 0, 0, NULL, NULL},
};
