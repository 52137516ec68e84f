/*
 * env_expand.c - variables in the data of entries: `<field>_env` and placeholders.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "registry/env_storage.h"

/* -- <field>_env ----------------------------------------------------------------------------------------- */

static int lookup_stored(struct env *env, const char *ns, const char *name, char **ret, struct err *e)
{
	struct env_variable *v;
	int rc;

	if (env_variable_find(env, ns, name, &v, e) < 0)
		return -1;
	rc = env_variable_get_stored(env, v, ret, e);
	env_variable_unref(v);
	return rc;
}

int env_field(struct env *env, const char *ns, const struct value *data, const char *field, enum env_field_rule rule,
	char **ret, struct err *e)
{
	char *env_key = xasprintf("%s_env", field);
	const char *text = "", *name = "";
	char *found = NULL;
	struct err why;
	int rc = -1;

	if (env_read_text(data, field, &text, e) < 0 || env_read_text(data, env_key, &name, e) < 0)
		goto out;
	rc = 0;
	if (name[0] && rule == ENV_FIELD_INLINE_WINS && !text[0]) {
		rc = env_lookup(env, ns, name, &found, e);
		if (rc < 0)
			err_prefix(e, "field '%s': %.256s", env_key, name);
	} else if (name[0] && rule == ENV_FIELD_VARIABLE_WINS && lookup_stored(env, ns, name, &found, &why) < 0) {
		log_warn("env", "a variable that an entry names has no value; the entry's own is used",
			LOG_STR("field", env_key), LOG_STR("variable", name), LOG_STR("error", why.text));
	}
	if (rc == 0)
		*ret = found ? found : text[0] ? xstrdup(text) : NULL;
out:
	free(env_key);
	return rc;
}

/* -- placeholders ---------------------------------------------------------------------------------------- */

/* A piece of a string, all borrowed from it. */
struct piece {
	enum { PIECE_TEXT, PIECE_VARIABLE } type;
	const char *text; /* PIECE_TEXT */
	size_t len;
	const char *name; /* PIECE_VARIABLE */
	size_t name_len;
	const char *fallback; /* NULL when there is none */
	size_t fallback_len;
};

static bool is_short_name(const char *s, size_t len)
{
	return len > 0 && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") >= len;
}

/* Reads a placeholder at s[0..len), which begins with "${". 1: it is one, *ret_len bytes of it are used; 0: plain
 * text; -1. */
static int parse_placeholder(const char *s, size_t len, struct piece *ret, size_t *ret_len, struct err *e)
{
	const char *close = memchr(s, '}', len);
	bool named = len >= 6 && memcmp(s, "${env:", 6) == 0;
	const char *name = s + (named ? 6 : 2), *bar;

	if (!close)
		return named ? err_set(e, ERR_INVALID,
				       "a placeholder ${env:... has no closing brace; write $${ for a literal ${")
			     : 0;
	bar = memchr(name, '|', (size_t)(close - name));
	*ret = (struct piece){.type = PIECE_VARIABLE, .name = name, .name_len = (size_t)((bar ? bar : close) - name)};
	if (bar) {
		ret->fallback = bar + 1;
		ret->fallback_len = (size_t)(close - bar - 1);
	}
	if (!named && (!bar || !is_short_name(name, ret->name_len)))
		return 0;
	if (ret->name_len == 0 || memchr(name, '\0', ret->name_len))
		return err_set(
			e, ERR_INVALID, "a placeholder ${env:...} names no variable; write $${ for a literal ${");
	*ret_len = (size_t)(close - s) + 1;
	return 1;
}

/* The piece at *pos, which moves behind it. 1, 0 at the end, -1. */
static int next_piece(const char *s, size_t len, size_t *pos, struct piece *ret, struct err *e)
{
	size_t at = *pos, used = 0;

	if (at >= len)
		return 0;
	if (len - at >= 3 && memcmp(s + at, "$${", 3) == 0) {
		*ret = (struct piece){.type = PIECE_TEXT, .text = s + at + 1, .len = 2};
		*pos = at + 3;
		return 1;
	}
	if (len - at >= 2 && memcmp(s + at, "${", 2) == 0) {
		int rc = parse_placeholder(s + at, len - at, ret, &used, e);

		if (rc != 0) {
			*pos = at + used;
			return rc;
		}
	}
	/* Text up to the next dollar sign that could begin something; the one at `at` did not. */
	for (used = 1; at + used < len && s[at + used] != '$'; used++)
		;
	*ret = (struct piece){.type = PIECE_TEXT, .text = s + at, .len = used};
	*pos = at + used;
	return 1;
}

struct expansion {
	struct env *env;
	const char *ns;
	size_t left;          /* bytes that may still come out of placeholders */
	const char *verbatim; /* a field of the uppermost map, NULL: none */
};

/* malloc'd; *ret_fell_back: no variable, so the text is the fallback's. */
static int resolve(struct expansion *x, const struct piece *p, char **ret, struct err *e)
{
	char *name = xmemdupz(p->name, p->name_len);
	struct err why;
	char *text = NULL;
	int rc = 0;

	if (env_lookup(x->env, x->ns, name, &text, &why) < 0) {
		if (why.kind == ERR_NOT_FOUND && p->fallback) {
			text = xmemdupz(p->fallback, p->fallback_len);
		} else {
			if (e)
				*e = why;
			/* Whoever exported it in a shell wonders. */
			if (why.kind == ERR_NOT_FOUND)
				err_set(e, ERR_NOT_FOUND, "%.512s: no entry env.variable gives it a value", why.text);
			rc = err_prefix(e, "placeholder ${env:%.256s}", name);
		}
	}
	if (rc == 0 && strlen(text) > x->left) {
		rc = err_set(e, ERR_INVALID, "placeholders make the entry's data larger than %d bytes",
			ENV_EXPANDED_BYTES_MAX);
		env_text_free(text);
	} else if (rc == 0) {
		x->left -= strlen(text);
		*ret = text;
	}
	free(name);
	return rc;
}

/* -- typed values ---------------------------------------------------------------------------------------- */

/* true, false, -12, 1.5, 2e3 as JSON writes them; NULL for any other text. */
static struct value *scalar_of(const char *s)
{
	const char *digits = s + (*s == '-');
	size_t n = strspn(digits, "0123456789");
	char *end;

	if (strcmp(s, "true") == 0 || strcmp(s, "false") == 0)
		return value_bool(*s == 't');
	if (n == 0 || (n > 1 && *digits == '0') || s[strspn(s, "0123456789.eE+-")])
		return NULL;
	errno = 0;
	if (!digits[n]) {
		long long i = strtoll(s, &end, 10);

		return errno == 0 && !*end ? value_int(i) : NULL;
	}
	if (digits[n] == '.' && !strspn(digits + n + 1, "0123456789"))
		return NULL;
	{
		double f = strtod(s, &end);

		return !*end && isfinite(f) ? value_float(f) : NULL;
	}
}

/* The value of a string that is one placeholder: of the type its fallback has. */
static int expand_whole(struct expansion *x, const struct piece *p, struct value **ret, struct err *e)
{
	char *fallback = p->fallback ? xmemdupz(p->fallback, p->fallback_len) : NULL;
	struct value *like = fallback ? scalar_of(fallback) : NULL, *v;
	char *text;
	int rc = -1;

	if (resolve(x, p, &text, e) < 0)
		goto out;
	v = like ? scalar_of(text) : value_cstring(text);
	if (v && value_type(like) == VALUE_FLOAT && value_type(v) == VALUE_INT) {
		double f = value_get_float(v);

		value_unref(v);
		v = value_float(f);
	}
	env_text_free(text);
	if (like && (!v || value_type(v) != value_type(like))) {
		value_unref(v);
		err_set(e, ERR_INVALID, "placeholder ${env:%.*s}: the variable's value is no %s, as its fallback is",
			(int)(p->name_len < 256 ? p->name_len : 256), p->name, value_type_name(like));
		goto out;
	}
	*ret = v;
	rc = 0;
out:
	value_unref(like);
	free(fallback);
	return rc;
}

/* -- trees ----------------------------------------------------------------------------------------------- */

static bool may_have_placeholder(const struct value *v)
{
	enum value_type type = value_type(v);
	const char *s;
	size_t len;

	if (type == VALUE_STRING) {
		s = value_get_string(v, &len);
		return memmem(s, len, "${", 2) != NULL;
	}
	for (size_t i = 0; i < value_count(v); i++) {
		if (may_have_placeholder(type == VALUE_LIST ? value_at(v, i) : value_pair(v, i, NULL, NULL)))
			return true;
	}
	return false;
}

static int expand_string(struct expansion *x, const struct value *v, struct value **ret, struct err *e)
{
	struct buf out = BUF_INIT;
	struct piece p;
	size_t len, pos = 0;
	const char *s = value_get_string(v, &len);
	int rc = next_piece(s, len, &pos, &p, e);

	if (rc > 0 && p.type == PIECE_VARIABLE && pos == len)
		return expand_whole(x, &p, ret, e);
	for (; rc > 0; rc = next_piece(s, len, &pos, &p, e)) {
		char *text;

		if (p.type == PIECE_TEXT) {
			buf_add(&out, p.text, p.len);
			continue;
		}
		rc = resolve(x, &p, &text, e);
		if (rc < 0)
			break;
		buf_adds(&out, text);
		env_text_free(text);
	}
	if (rc == 0)
		*ret = value_string(buf_str(&out), buf_len(&out));
	buf_done(&out);
	return rc;
}

static int expand_tree(
	struct expansion *x, const struct value *v, const char *field, struct value **ret, struct err *e);

static int expand_children(
	struct expansion *x, const struct value *v, const char *field, struct value **ret, struct err *e)
{
	bool is_list = value_type(v) == VALUE_LIST;
	struct value *copy = is_list ? value_list() : value_map();

	for (size_t i = 0; i < value_count(v); i++) {
		const char *key = NULL;
		uint32_t line = 0;
		const struct value *item = is_list ? value_at(v, i) : value_pair(v, i, &key, &line);
		char *path =
			is_list ? xasprintf("%s[%zu]", field, i) : xasprintf("%s%s%s", field, field[0] ? "." : "", key);
		struct value *fresh = NULL;
		int rc = 0;

		if (x->verbatim && !is_list && !field[0] && strcmp(key, x->verbatim) == 0)
			fresh = value_ref((struct value *)item);
		else
			rc = expand_tree(x, item, path, &fresh, e);
		free(path);
		if (rc < 0) {
			value_unref(copy);
			return -1;
		}
		if (is_list)
			value_list_append(copy, fresh);
		else
			value_map_set_at(copy, key, line, fresh);
	}
	*ret = copy;
	return 0;
}

/* Recursion is bounded by the readers of YAML and JSON. */
static int expand_tree(struct expansion *x, const struct value *v, const char *field, struct value **ret, struct err *e)
{
	if (!may_have_placeholder(v)) {
		*ret = value_ref((struct value *)v);
		return 0;
	}
	if (value_type(v) == VALUE_STRING) {
		if (expand_string(x, v, ret, e) < 0)
			return err_prefix(e, "line %u: field '%.256s'", value_line(v), field);
	} else if (expand_children(x, v, field, ret, e) < 0) {
		return -1;
	}
	value_set_position(*ret, value_line(v), value_column(v));
	return 0;
}

int env_expand_except(struct env *env, const char *ns, const struct value *data, const char *verbatim,
	struct value **ret, struct err *e)
{
	struct expansion x = {.env = env, .ns = ns, .left = ENV_EXPANDED_BYTES_MAX, .verbatim = verbatim};

	return expand_tree(&x, data, "", ret, e);
}

int env_expand(struct env *env, const char *ns, const struct value *data, struct value **ret, struct err *e)
{
	return env_expand_except(env, ns, data, NULL, ret, e);
}

void env_references(const struct value *data, void (*fn)(void *arg, const char *name), void *arg)
{
	enum value_type type = value_type(data);
	size_t len, pos = 0;
	struct piece p;
	const char *s;

	if (type == VALUE_STRING) {
		s = value_get_string(data, &len);
		while (next_piece(s, len, &pos, &p, NULL) > 0) {
			if (p.type == PIECE_VARIABLE) {
				char *name = xmemdupz(p.name, p.name_len);

				fn(arg, name);
				free(name);
			}
		}
		return;
	}
	for (size_t i = 0; i < value_count(data); i++)
		env_references(type == VALUE_LIST ? value_at(data, i) : value_pair(data, i, NULL, NULL), fn, arg);
}
