#include "app/config_merge.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "value/yaml.h"

/* `over` laid over `under`, leaf by leaf; a new reference. */
static struct value *merge(const struct value *under, const struct value *over)
{
	struct value *m;

	if (value_type(under) != VALUE_MAP || value_type(over) != VALUE_MAP)
		return value_ref((struct value *)over);
	m = value_map();
	for (size_t i = 0; i < value_count(under); i++) {
		const char *key;
		const struct value *v = value_pair(under, i, &key, NULL);

		value_map_set(m, key, value_ref((struct value *)v));
	}
	for (size_t i = 0; i < value_count(over); i++) {
		const char *key;
		const struct value *v = value_pair(over, i, &key, NULL);

		value_map_set(m, key, merge(value_get(under, key), v));
	}
	value_set_position(m, value_line(over), value_column(over));
	return m;
}

static void merge_into(struct value **tree, const struct value *over)
{
	struct value *m = merge(*tree, over);

	value_unref(*tree);
	*tree = m;
}

static int read_file(const char *path, struct value **ret, struct err *e)
{
	struct value *doc = NULL;
	const struct value *version;

	if (yaml_read(path, &doc, e) < 0)
		return err_prefix(e, e->kind == ERR_NOT_FOUND ? "failed to read config file" : "failed to parse YAML");
	version = value_get(doc, "version");
	if (value_type(doc) != VALUE_MAP || !version)
		err_set(e, ERR_INVALID, "%s: missing version field; the file must begin with version: \"1.0\"", path);
	else if (value_type(version) != VALUE_STRING || strcmp(value_get_string(version, NULL), "1.0") != 0)
		err_set(e, ERR_INVALID, "%s:%u: unsupported version; this build reads version: \"1.0\" (in quotes)",
			path, value_line(version));
	else {
		for (size_t i = 0; i < value_count(doc); i++) {
			const char *key;
			const struct value *section = value_pair(doc, i, &key, NULL);

			if (section != version && value_type(section) != VALUE_MAP &&
				value_type(section) != VALUE_NIL) {
				err_set(e, ERR_INVALID, "%s:%u: section '%s': expected a map, got %s", path,
					value_line(section), key, value_type_name(section));
				value_unref(doc);
				return -1;
			}
		}
		*ret = doc;
		return 0;
	}
	value_unref(doc);
	return -1;
}

/* -- interpolation -- */

static int lookup_variable(const char *name, size_t len, const struct value *vars, struct buf *out, struct err *e)
{
	char *key = xmemdupz(name, len);
	const struct value *v;
	int rc = 0;

	if (strncmp(key, "env:", 4) == 0) {
		const char *text = getenv(key + 4);

		if (text)
			buf_adds(out, text);
		else
			rc = err_set(e, ERR_INVALID, "environment variable %s is not set", key + 4);
	} else {
		v = value_get(vars, key);
		if (value_type(v) == VALUE_STRING)
			buf_adds(out, value_get_string(v, NULL));
		else if (value_type(v) == VALUE_INT)
			buf_addf(out, "%lld", (long long)value_get_int(v));
		else
			rc = err_set(e, ERR_INVALID, "variable '%s' is not defined under vars", key);
	}
	free(key);
	return rc;
}

static int interpolate_text(const struct value *v, const struct value *vars, struct value **ret, struct err *e)
{
	size_t len;
	const char *text = value_get_string(v, &len), *open;
	struct buf out = BUF_INIT;

	while ((open = strstr(text, "${"))) {
		const char *close = strchr(open, '}');

		if (!close)
			break;
		buf_add(&out, text, (size_t)(open - text));
		if (lookup_variable(open + 2, (size_t)(close - open - 2), vars, &out, e) < 0) {
			buf_done(&out);
			return err_prefix(e, "line %u", value_line(v));
		}
		text = close + 1;
	}
	buf_adds(&out, text);
	*ret = value_string(buf_str(&out), buf_len(&out));
	value_set_position(*ret, value_line(v), value_column(v));
	buf_done(&out);
	return 0;
}

static int interpolate(const struct value *v, const struct value *vars, struct value **ret, struct err *e)
{
	bool is_map = value_type(v) == VALUE_MAP;
	struct value *copy;

	if (value_type(v) == VALUE_STRING && strstr(value_get_string(v, NULL), "${"))
		return interpolate_text(v, vars, ret, e);
	if (!is_map && value_type(v) != VALUE_LIST) {
		*ret = value_ref((struct value *)v);
		return 0;
	}
	copy = is_map ? value_map() : value_list();
	value_set_position(copy, value_line(v), value_column(v));
	for (size_t i = 0; i < value_count(v); i++) {
		const char *key = NULL;
		const struct value *item = is_map ? value_pair(v, i, &key, NULL) : value_at(v, i);
		struct value *fresh = NULL;

		if (interpolate(item, vars, &fresh, e) < 0) {
			value_unref(copy);
			return -1;
		}
		if (is_map)
			value_map_set(copy, key, fresh);
		else
			value_list_append(copy, fresh);
	}
	*ret = copy;
	return 0;
}

/* -- --set -- */

static bool looks_like_int(const char *text)
{
	const char *p = text + (*text == '-');

	/* Canonical only: "007" stays a string. */
	if (!isdigit((unsigned char)*p) || (*p == '0' && p[1]) || strlen(p) > 18)
		return false;
	return p[strspn(p, "0123456789")] == '\0';
}

struct value *config_coerce(const char *text)
{
	char *end;
	double d;

	if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0)
		return value_bool(text[0] == 't' || text[0] == 'T');
	if (looks_like_int(text))
		return value_int(strtoll(text, NULL, 10));
	if (strpbrk(text, ".eE") && strspn(text, "+-.0123456789eE") == strlen(text)) {
		d = strtod(text, &end);
		if (end != text && *end == '\0')
			return value_float(d);
	}
	return value_cstring(text);
}

static int apply_set(struct value **tree, const char *text, void (*warn)(const char *), struct err *e)
{
	const char *equals = strchr(text, '=');
	const char *dot;
	struct value *one, *empty;
	char *key;

	if (!equals || equals == text)
		return err_set(e, ERR_INVALID, "invalid --set \"%s\": expected section.path=value", text);
	key = xmemdupz(text, (size_t)(equals - text));
	dot = strchr(key, '.');
	if (!dot || dot == key || !dot[1]) {
		err_set(e, ERR_INVALID, "invalid --set \"%s\": key must be section.path (e.g. shutdown.timeout)", key);
		free(key);
		return -1;
	}
	empty = value_map();
	one = value_with_path(empty, key, config_coerce(equals + 1));
	config_check_keys("--set", one, warn);
	merge_into(tree, one);
	value_unref(one);
	value_unref(empty);
	free(key);
	return 0;
}

/* What a machine has in its environment is not for variables of a profile: `vars` of the file may take it. */
static int check_profile_vars(const char *name, const struct value *vars, struct err *e)
{
	for (size_t i = 0; i < value_count(vars); i++) {
		const char *key;
		const struct value *v = value_pair(vars, i, &key, NULL);

		if (value_type(v) == VALUE_STRING && strstr(value_get_string(v, NULL), "${env:"))
			return err_set(e, ERR_INVALID,
				"line %u: profile '%s': ${env:...} is not allowed in its variable '%s'", value_line(v),
				name, key);
	}
	return 0;
}

static bool list_has(const struct value *list, const struct value *item)
{
	for (size_t i = 0; value_type(list) == VALUE_LIST && i < value_count(list); i++) {
		if (value_equal(value_at(list, i), item))
			return true;
	}
	return false;
}

/* Append the items of `from` that are not in `without`. */
static void append_others(struct value *to, const struct value *from, const struct value *without)
{
	for (size_t i = 0; value_type(from) == VALUE_LIST && i < value_count(from); i++) {
		if (!list_has(without, value_at(from, i)))
			value_list_append(to, value_ref((struct value *)value_at(from, i)));
	}
}

/* `disable.entries: {add: [...], remove: [...]}` in the body of a profile becomes the list so far, with those and without
 * those. */
static int edit_list(
	struct value **body, const struct value *tree, const char *profile, const char *path, struct err *e)
{
	const struct value *edit = value_path(*body, path), *add = value_get(edit, "add"),
			   *gone = value_get(edit, "remove");
	struct value *list, *edited;

	if (value_type(edit) != VALUE_MAP)
		return 0;
	if ((add && value_type(add) != VALUE_LIST) || (gone && value_type(gone) != VALUE_LIST))
		return err_set(e, ERR_INVALID, "line %u: profile '%s': %s: add and remove are lists of patterns",
			value_line(edit), profile, path);
	list = value_list();
	append_others(list, value_path(tree, path), gone);
	append_others(list, add, NULL);
	edited = value_with_path(*body, path, list);
	value_unref(*body);
	*body = edited;
	return 0;
}

static int apply_profile(struct value **tree, const char *name, struct err *e)
{
	const struct value *found = value_get(value_get(*tree, "profiles"), name);
	struct value *body;
	int rc = -1;

	if (value_type(found) != VALUE_MAP)
		return err_set(e, ERR_INVALID,
			"unknown profile '%s'; profiles are defined under 'profiles' in " CONFIG_DEFAULT_FILE, name);
	if (check_profile_vars(name, value_get(found, "vars"), e) < 0)
		return -1;
	body = value_ref((struct value *)found);
	if (edit_list(&body, *tree, name, "disable.namespaces", e) == 0 &&
		edit_list(&body, *tree, name, "disable.entries", e) == 0) {
		merge_into(tree, body);
		rc = 0;
	}
	value_unref(body);
	return rc;
}

int config_merge(const struct config_sources *src, void (*warn)(const char *text), struct value **ret, struct err *e)
{
	static const char *const default_file[] = {CONFIG_DEFAULT_FILE};
	bool is_default = src->files->count == 0;
	const char *const *files = is_default ? default_file : src->files->items;
	size_t nfiles = is_default ? 1 : src->files->count;
	struct value *tree = value_map(), *done = NULL;
	int rc = -1;

	for (size_t i = 0; i < nfiles; i++) {
		struct value *doc = NULL;

		if (read_file(files[i], &doc, e) < 0) {
			if (is_default && e->kind == ERR_NOT_FOUND)
				continue;
			goto out;
		}
		config_check_keys(files[i], doc, warn);
		merge_into(&tree, doc);
		value_unref(doc);
	}
	for (size_t i = 0; i < src->profiles->count; i++) {
		if (apply_profile(&tree, src->profiles->items[i], e) < 0)
			goto out;
	}
	for (size_t i = 0; i < src->sets->count; i++) {
		if (apply_set(&tree, src->sets->items[i], warn, e) < 0)
			goto out;
	}
	/* Profiles may hold variables that only other machines have: they go before anything is filled in. */
	struct value *bare = value_with_path(tree, "profiles", value_nil());

	rc = interpolate(bare, value_get(tree, "vars"), &done, e);
	value_unref(bare);
	if (rc == 0)
		*ret = done;
	else
		err_prefix(e, "%s", files[0]);
out:
	value_unref(tree);
	return rc;
}
