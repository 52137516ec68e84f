#include "app/lint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "app/cli.h"
#include "app/lists.h"
#include "app/start.h"
#include "base/alloc.h"

static struct {
	const char *level;
	const char *limit;
	const char *lock;
	struct option_list namespaces;
	struct option_list codes;
	struct start_flags flags;
	bool summary;
	bool json;
	bool rules;
	bool no_color;
	bool cache_reset;
} opt = {.level = "warning"};

static const struct option *lint_options(void)
{
	static const struct option table[] = {
		{"level", 0, OPTION_TEXT, &opt.level, "LEVEL",
			"least severity shown: error, warning, hint (default warning)"},
		{"ns", 0, OPTION_LIST, &opt.namespaces, "NAMESPACE", "only these: app, or app.* for it and all below"},
		{"code", 0, OPTION_LIST, &opt.codes, "CODE", "only these codes: E0105, or several with commas"},
		{"limit", 0, OPTION_TEXT, &opt.limit, "N", "show at most so many"},
		{"rules", 0, OPTION_SWITCH, &opt.rules, NULL, "style as well: unused and shadowed names and the like"},
		{"summary", 0, OPTION_SWITCH, &opt.summary, NULL, "numbers by namespace and code"},
		{"json", 0, OPTION_SWITCH, &opt.json, NULL, "one JSON object"},
		{"no-color", 0, OPTION_SWITCH, &opt.no_color, NULL, "no colours on a terminal"},
		{"lock-file", 'l', OPTION_TEXT, &opt.lock, "FILE", "the project's lock file (default wippy.lock)"},
		START_OPTION_SET(opt.flags),
		START_OPTION_PROFILE(opt.flags),
		{"cache-reset", 0, OPTION_SWITCH, &opt.cache_reset, NULL, "accepted; nothing is kept between runs"},
		{0},
	};

	return table;
}

/* -- filter ----------------------------------------------------------------------------------------------- */

/* Is one of the words, separated by commas, accepted? */
static bool any_word(const struct option_list *list, const char *text,
	bool (*accepts)(const char *word, size_t len, const char *text))
{
	for (size_t i = 0; i < list->count; i++) {
		const char *at = list->items[i];

		for (;;) {
			size_t len = strcspn(at, ",");

			if (accepts(at, len, text))
				return true;
			if (!at[len])
				break;
			at += len + 1;
		}
	}
	return false;
}

/* "x.*" and "x.**" are x and everything below it. */
static bool accepts_namespace(const char *word, size_t len, const char *ns)
{
	size_t plain = len;

	if ((len == 1 && word[0] == '*') || (len == 2 && memcmp(word, "**", 2) == 0))
		return true;
	if (len > 3 && memcmp(word + len - 3, ".**", 3) == 0)
		plain = len - 3;
	else if (len > 2 && memcmp(word + len - 2, ".*", 2) == 0)
		plain = len - 2;
	return strncmp(ns, word, plain) == 0 && (ns[plain] == '\0' || (plain < len && ns[plain] == '.'));
}

static bool accepts_code(const char *word, size_t len, const char *code)
{
	return strlen(code) == len && strncasecmp(word, code, len) == 0;
}

static bool lint_wants_namespace(const struct lint_filter *f, const char *ns)
{
	return f->namespaces->count == 0 || any_word(f->namespaces, ns, accepts_namespace);
}

void findings_add(struct findings *f, const struct entry *e, const char *code, enum severity severity, struct spot spot,
	char *message)
{
	const struct lint_filter *filter = f->filter;
	struct finding *item;

	if (severity < filter->level || (filter->codes->count && !any_word(filter->codes, code, accepts_code))) {
		free(message);
		return;
	}
	if (f->count == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 64;
		f->items = xreallocarray(f->items, f->cap, sizeof(*f->items));
	}
	item = &f->items[f->count++];
	*item = (struct finding){.entry = e, .code = code, .severity = severity, .message = message};
	f->by_severity[severity]++;
	sources_locate(f->sources, item, spot);
}

static void findings_done(struct findings *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->items[i].message);
		free(f->items[i].file);
		free(f->items[i].excerpt);
	}
	free(f->items);
	sources_free(f->sources);
}

static int by_position(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;
	int order = strcmp(x->file, y->file);

	if (order == 0)
		order = (x->line > y->line) - (x->line < y->line);
	if (order == 0)
		order = (x->column > y->column) - (x->column < y->column);
	if (order == 0)
		order = strcmp(x->entry->id, y->entry->id);
	if (order == 0)
		order = strcmp(x->code, y->code);
	return order ? order : strcmp(x->message, y->message);
}

/* -- the command ------------------------------------------------------------------------------------------ */

static int read_level(const char *text, enum severity *ret, struct err *e)
{
	static const char *const names[] = {"hint", "warning", "error"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum severity)i;
			return 0;
		}
	}
	return err_set(e, ERR_INVALID, "invalid --level \"%s\", expected error, warning or hint", text);
}

static int read_limit(const char *text, size_t *ret, struct err *e)
{
	char *end;
	unsigned long n = 0;

	if (text) {
		n = strtoul(text, &end, 10);
		if (text[0] < '0' || text[0] > '9' || *end || n > PROJECT_ENTRIES_MAX)
			return err_set(e, ERR_INVALID, "invalid --limit \"%s\", expected a number from 0 to %d", text,
				PROJECT_ENTRIES_MAX);
	}
	*ret = n;
	return 0;
}

static size_t check_all(const struct project_entries *p, const struct members *m, struct findings *out)
{
	struct units us;
	size_t n = 0;

	units_init(&us, p);
	for (size_t i = 0; i < us.count; i++) {
		if (!lint_wants_namespace(out->filter, us.items[i].entry->ns))
			continue;
		lint_check_unit(&us, &us.items[i], m, out);
		n++;
	}
	units_done(&us);
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), by_position);
	return n;
}

static void print(const struct findings *f, size_t limit, size_t nentries)
{
	if (opt.json) {
		lint_print_json(f, limit, nentries);
		return;
	}
	if (opt.summary)
		lint_print_summary(f, limit);
	else
		lint_print_text(f, limit, !opt.no_color && cli_colours(STDOUT_FILENO));
	lint_print_count(f, nentries);
}

static int lint_run(const struct cli_globals *g, int argc, char **argv, struct err *e)
{
	struct start_options so = {
		.globals = g,
		.flags = &opt.flags,
		.lock_path = opt.lock,
		.quiet = opt.json || (!g->verbose && !g->very_verbose && !g->console),
		.lock_required = true,
	};
	struct lint_filter filter = {.namespaces = &opt.namespaces, .codes = &opt.codes, .rules = opt.rules};
	struct findings found = {.filter = &filter};
	struct start s = {0};
	struct members *members = NULL;
	size_t limit = 0, nentries;
	char *dir = NULL;
	int code = -1;

	if (argc > 0) {
		err_set(e, ERR_INVALID, "lint takes no arguments, got \"%s\"; --ns chooses namespaces", argv[0]);
		goto out;
	}
	if (read_level(opt.level, &filter.level, e) < 0 || read_limit(opt.limit, &limit, e) < 0 ||
		start_read(&so, &s, e) < 0 || members_new(&app_modules, &members, e) < 0)
		goto out;
	dir = start_project_dir(&so);
	found.sources = sources_new(dir);
	nentries = check_all(&s.entries, members, &found);
	print(&found, limit, nentries);
	code = EXIT_OK;
	if (found.by_severity[SEVERITY_ERROR])
		code = err_set(e, ERR_INVALID, "lint failed: %zu errors, %zu warnings",
			found.by_severity[SEVERITY_ERROR], found.by_severity[SEVERITY_WARNING]);
out:
	findings_done(&found);
	free(dir);
	members_free(members);
	start_done(&s);
	option_list_done(&opt.namespaces);
	option_list_done(&opt.codes);
	start_flags_done(&opt.flags);
	return code;
}

const struct command lint_command = {
	.name = "lint",
	.arguments = "",
	.summary = "Check the Lua sources of the project without running them",
	.details = "Reports syntax errors (P0001), names that are not there (E0101 to E0108) and, with --rules, style\n"
		   "(W0001 to W0007): empty blocks, global assignments, comparisons with itself, unused and shadowed\n"
		   "names. Names that begin with '_' are never called unused. Exits with 1 when there are errors.\n",
	.options = lint_options,
	.run = lint_run,
};
