#include "app/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static const struct option *find_long(const struct option *table, const char *name, size_t len)
{
	for (; table && table->name; table++) {
		if (strlen(table->name) == len && memcmp(table->name, name, len) == 0)
			return table;
	}
	return NULL;
}

static const struct option *find_letter(const struct option *table, char letter)
{
	for (; table && table->name; table++) {
		if (table->letter == letter)
			return table;
	}
	return NULL;
}

const struct option *options_find(const struct option *table, const char *word)
{
	if (word[0] == '-' && word[1] == '-')
		return find_long(table, word + 2, strlen(word + 2));
	return word[0] == '-' && word[1] && !word[2] ? find_letter(table, word[1]) : NULL;
}

static void store(const struct option *o, const char *value)
{
	struct option_list *list = o->target;

	switch (o->type) {
	case OPTION_SWITCH:
		*(bool *)o->target = true;
		break;
	case OPTION_TEXT:
		*(const char **)o->target = value;
		break;
	case OPTION_LIST:
		list->items = xreallocarray(list->items, list->count + 1, sizeof(*list->items));
		list->items[list->count++] = value;
		break;
	}
}

struct cursor {
	char **argv;
	int argc;
	int at;
	const struct option *own;
	const struct option *global;
};

static int parse_long(struct cursor *c, const char *text, struct err *e)
{
	const char *equals = strchr(text, '=');
	size_t len = equals ? (size_t)(equals - text) : strlen(text);
	const struct option *o = find_long(c->own, text, len);

	if (!o)
		o = find_long(c->global, text, len);
	if (!o)
		return err_set(e, ERR_INVALID, "unknown flag: --%.*s", (int)len, text);
	if (o->type == OPTION_SWITCH) {
		if (equals && strcmp(equals + 1, "true") != 0 && strcmp(equals + 1, "false") != 0)
			return err_set(e, ERR_INVALID, "flag --%s takes no value", o->name);
		if (!equals || strcmp(equals + 1, "true") == 0)
			store(o, NULL);
		return 0;
	}
	if (equals) {
		store(o, equals + 1);
		return 0;
	}
	if (c->at + 1 >= c->argc)
		return err_set(e, ERR_INVALID, "flag needs an argument: --%s", o->name);
	store(o, c->argv[++c->at]);
	return 0;
}

static int parse_letters(struct cursor *c, const char *text, struct err *e)
{
	for (; *text; text++) {
		const struct option *o = find_letter(c->own, *text);

		if (!o)
			o = find_letter(c->global, *text);
		if (!o)
			return err_set(e, ERR_INVALID, "unknown shorthand flag: '%c' in -%s", *text, text);
		if (o->type == OPTION_SWITCH) {
			store(o, NULL);
			continue;
		}
		if (text[1]) {
			store(o, text[1] == '=' ? text + 2 : text + 1);
			return 0;
		}
		if (c->at + 1 >= c->argc)
			return err_set(e, ERR_INVALID, "flag needs an argument: '%c' in -%c", *text, *text);
		store(o, c->argv[++c->at]);
	}
	return 0;
}

int options_parse(char **argv, int argc, const struct option *own, const struct option *global, struct err *e)
{
	struct cursor c = {argv, argc, 0, own, global};
	bool ended = false;
	int kept = 0;

	for (; c.at < argc; c.at++) {
		char *text = argv[c.at];

		if (ended || text[0] != '-' || text[1] == '\0') {
			argv[kept++] = text;
			continue;
		}
		if (strcmp(text, "--") == 0) {
			ended = true;
			continue;
		}
		if ((text[1] == '-' ? parse_long(&c, text + 2, e) : parse_letters(&c, text + 1, e)) < 0)
			return -1;
	}
	return kept;
}

void options_print(const struct option *table)
{
	int width = 0;

	for (const struct option *o = table; o->name; o++) {
		int w = (int)strlen(o->name) + (o->value ? (int)strlen(o->value) + 1 : 0);

		if (w > width)
			width = w;
	}
	for (const struct option *o = table; o->name; o++) {
		char left[96];

		snprintf(left, sizeof(left), "%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
		if (o->letter)
			printf("  -%c, --%-*s  %s\n", o->letter, width, left, o->help);
		else
			printf("      --%-*s  %s\n", width, left, o->help);
	}
}

void option_list_done(struct option_list *l)
{
	free(l->items);
	*l = (struct option_list){0};
}
