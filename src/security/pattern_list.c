#include "security/pattern_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static bool pattern_matches(const struct pattern *p, const char *text, size_t len)
{
	if (p->type == PATTERN_EXACT ? len != p->len : len < p->len)
		return false;
	return memcmp(p->text, text, p->len) == 0;
}

/* Does `p` match all that `q` matches? */
static bool covers(const struct pattern *p, const struct pattern *q)
{
	if (p->type == PATTERN_EXACT && q->type == PATTERN_PREFIX)
		return false;
	return pattern_matches(p, q->text, q->len);
}

static void remove_at(struct pattern_list *l, size_t i)
{
	free(l->items[i].text);
	l->items[i] = l->items[--l->count];
}

static void add(struct pattern_list *l, const char *text, size_t len)
{
	struct pattern p = {PATTERN_EXACT, len, NULL};

	if (len > 0 && text[len - 1] == '*') {
		p.type = PATTERN_PREFIX;
		p.len = len - 1;
		if (p.len > 0 && text[p.len - 1] == '.')
			p.len--;
	}
	p.text = xmemdupz(text, p.len);
	for (size_t i = 0; i < l->count; i++) {
		if (covers(&l->items[i], &p)) {
			free(p.text);
			return;
		}
	}
	for (size_t i = l->count; i > 0; i--) {
		if (covers(&p, &l->items[i - 1]))
			remove_at(l, i - 1);
	}
	l->items[l->count++] = p;
}

int pattern_list_read(struct pattern_list *ret, const struct value *v, const char *what, struct err *e)
{
	struct pattern_list l = {0};
	size_t n = 1, len;
	const char *text;

	if (value_type(v) == VALUE_STRING) {
		text = value_get_string(v, &len);
		if (len == 0)
			return err_set(e, ERR_INVALID, "%s string cannot be empty", what);
		l.items = xcalloc(1, sizeof(*l.items));
		add(&l, text, len);
		*ret = l;
		return 0;
	}
	if (value_type(v) != VALUE_LIST)
		return err_set(e, ERR_INVALID, "%s must be a string or list", what);
	n = value_count(v);
	if (n == 0)
		return err_set(e, ERR_INVALID, "%s list cannot be empty", what);
	l.items = xcalloc(n, sizeof(*l.items));
	for (size_t i = 0; i < n; i++) {
		if (value_type(value_at(v, i)) != VALUE_STRING)
			continue;
		text = value_get_string(value_at(v, i), &len);
		add(&l, text, len);
	}
	*ret = l;
	return 0;
}

void pattern_list_done(struct pattern_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->items[i].text);
	free(l->items);
	*l = (struct pattern_list){0};
}

bool pattern_list_matches(const struct pattern_list *l, const char *text, size_t len)
{
	for (size_t i = 0; i < l->count; i++) {
		if (pattern_matches(&l->items[i], text, len))
			return true;
	}
	return false;
}

bool pattern_list_is_any(const struct pattern_list *l)
{
	return l->count == 1 && l->items[0].type == PATTERN_PREFIX && l->items[0].len == 0;
}
