#include "registry/filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "value/regex.h"

enum criterion_type { BY_KIND, BY_NAME, BY_NS, BY_ID, EQUALS, FINDS, CONTAINS, BEGINS, ENDS };

struct criterion {
	enum criterion_type type;
	char *field; /* of meta */
	struct value *value;
	struct regex *regex; /* FINDS */
};

struct filter {
	struct criterion *items;
	size_t count;
};

struct filter *filter_new(void)
{
	return xcalloc(1, sizeof(struct filter));
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->count; i++) {
		free(f->items[i].field);
		value_unref(f->items[i].value);
		regex_unref(f->items[i].regex);
	}
	free(f->items);
	free(f);
}

/* The field of a meta criterion, or NULL. */
static const char *read_key(const char *key, enum criterion_type *ret)
{
	static const char *const columns[] = {
		[BY_KIND] = ".kind", [BY_NAME] = ".name", [BY_NS] = ".ns", [BY_ID] = ".id"};
	/* In the order of the types, beginning with EQUALS, which has none. */
	static const char signs[] = {'\0', '~', '*', '^', '$'};

	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		if (strcmp(key, columns[i]) == 0) {
			*ret = (enum criterion_type)i;
			return "";
		}
	}
	*ret = EQUALS;
	for (size_t i = 1; i < ARRAY_LEN(signs); i++) {
		if (key[0] == signs[i] && signs[i]) {
			*ret = (enum criterion_type)(EQUALS + i);
			key++;
			break;
		}
	}
	return strncmp(key, "meta.", 5) == 0 && key[5] ? key + 5 : NULL;
}

static struct regex *compile(const char *key, const struct value *v)
{
	struct regex *r;
	struct err e;
	size_t len;
	const char *text = value_get_string(v, &len);

	if (regex_compile(text, len, &r, &e) == 0)
		return r;
	log_warn("registry", "a search criterion is ignored: its regular expression is invalid", LOG_STR("key", key),
		LOG_STR("error", e.text));
	return NULL;
}

void filter_add(struct filter *f, const char *key, const struct value *v)
{
	struct criterion c = {0};
	const char *field = read_key(key, &c.type);

	if (!field) {
		log_warn("registry", "a search criterion is ignored: its key begins with neither '.' nor 'meta.'",
			LOG_STR("key", key));
		return;
	}
	if (c.type != EQUALS && value_type(v) != VALUE_STRING)
		return;
	if (c.type == FINDS) {
		c.regex = compile(key, v);
		if (!c.regex)
			return;
	}
	c.field = xstrdup(field);
	c.value = value_ref((struct value *)(uintptr_t)v);
	f->items = xreallocarray(f->items, f->count + 1, sizeof(*f->items));
	f->items[f->count++] = c;
}

/* One `*` at most; without one the texts are equal. */
static bool wildcard_matches(const char *pattern, const char *text)
{
	const char *star = strchr(pattern, '*');
	size_t before, after, len = strlen(text);

	if (!star)
		return strcmp(pattern, text) == 0;
	before = (size_t)(star - pattern);
	after = strlen(star + 1);
	return len >= before + after && memcmp(pattern, text, before) == 0 &&
	       memcmp(star + 1, text + len - after, after) == 0;
}

static bool contains(const struct value *v, const char *needle)
{
	if (value_type(v) == VALUE_STRING)
		return strstr(value_get_string(v, NULL), needle) != NULL;
	for (size_t i = 0; value_type(v) == VALUE_LIST && i < value_count(v); i++) {
		const struct value *item = value_at(v, i);

		if (value_type(item) == VALUE_STRING && strstr(value_get_string(item, NULL), needle))
			return true;
	}
	return false;
}

static bool holds(const struct criterion *c, const struct entry *e)
{
	const struct value *v = c->field[0] ? value_get(e->meta, c->field) : NULL;
	const char *wanted = value_type(c->value) == VALUE_STRING ? value_get_string(c->value, NULL) : "";
	bool is_text = value_type(v) == VALUE_STRING;
	const char *text = "";
	size_t len = 0, n = strlen(wanted);

	if (is_text)
		text = value_get_string(v, &len);
	switch (c->type) {
	case BY_KIND:
		return wildcard_matches(wanted, e->kind);
	case BY_NAME:
		return wildcard_matches(wanted, e->name);
	case BY_NS:
		return wildcard_matches(wanted, e->ns);
	case BY_ID:
		return wildcard_matches(wanted, e->id);
	case EQUALS:
		return v && value_equal(v, c->value);
	case FINDS:
		return is_text && regex_matches(c->regex, text, len);
	case CONTAINS:
		return contains(v, wanted);
	case BEGINS:
		return is_text && strncmp(text, wanted, n) == 0;
	case ENDS:
		return is_text && len >= n && memcmp(text + len - n, wanted, n) == 0;
	}
	return false;
}

bool filter_matches(const struct filter *f, const struct entry *e)
{
	for (size_t i = 0; i < f->count; i++) {
		if (!holds(&f->items[i], e))
			return false;
	}
	return true;
}
