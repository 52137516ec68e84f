#include "app/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static const char *command_name(const struct entry *e)
{
	const struct value *v = value_path(e->meta, "command.name");

	if (strncmp(e->kind, "process.", 8) != 0 || value_type(v) != VALUE_STRING)
		return NULL;
	return value_get_string(v, NULL);
}

const struct entry *command_entry_find(const struct project_entries *p, const char *name)
{
	const struct entry *found = NULL;

	for (size_t i = 0; i < p->count; i++) {
		const char *own = command_name(p->items[i]);

		/* With duplicates the smallest id, so that the choice does not change from run to run. */
		if (own && strcmp(own, name) == 0 && (!found || strcmp(p->items[i]->id, found->id) < 0))
			found = p->items[i];
	}
	return found;
}

static int by_name(const void *a, const void *b)
{
	const struct entry *const *x = a, *const *y = b;

	return strcmp(command_name(*x), command_name(*y));
}

int commands_list(struct start_options *o, struct err *e)
{
	struct start s = {0};
	const struct entry **list;
	size_t n = 0;
	int width = 0;

	o->quiet = !o->globals->verbose && !o->globals->console;
	o->lock_required = true;
	if (start_read(o, &s, e) < 0)
		return -1;
	list = xcalloc(s.entries.count + 1, sizeof(*list));
	for (size_t i = 0; i < s.entries.count; i++) {
		const char *name = command_name(s.entries.items[i]);

		if (!name)
			continue;
		list[n++] = s.entries.items[i];
		if ((int)strlen(name) > width)
			width = (int)strlen(name);
	}
	qsort(list, n, sizeof(*list), by_name);
	if (n == 0) {
		printf("No commands found.\n\n"
		       "A command is a process entry with a name:\n\n"
		       "  - name: hello\n"
		       "    kind: process.lua\n"
		       "    meta:\n"
		       "      command:\n"
		       "        name: hello\n"
		       "        short: Say hello\n"
		       "    source: file://hello.lua\n");
	} else {
		printf("Available commands:\n\n");
		for (size_t i = 0; i < n; i++) {
			printf("  %-*s  %s  (%s)\n", width, command_name(list[i]),
				value_text(value_path(list[i]->meta, "command.short"), ""), list[i]->id);
		}
		printf("\nRun with: wippy run <command>\n");
	}
	free(list);
	start_done(&s);
	return EXIT_OK;
}
