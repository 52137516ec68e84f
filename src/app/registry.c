#include "app/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "registry/filter.h"
#include "registry/secret.h"
#include "value/json.h"
#include "value/yaml.h"

enum { ID_WIDTH_MAX = 50, KIND_WIDTH_MAX = 30 };

static struct {
	const char *kind;
	const char *ns;
	const char *name;
	struct option_list meta;
	const char *field;
	bool json;
	bool yaml;
	bool raw;
	const char *lock_file;
	struct start_flags flags;
} opt;

static const struct option *registry_options(void)
{
	static const struct option table[] = {
		{"kind", 'k', OPTION_TEXT, &opt.kind, "GLOB", "list: entries of this kind, one * allowed"},
		{"ns", 'n', OPTION_TEXT, &opt.ns, "GLOB", "list: entries of this namespace"},
		{"name", 0, OPTION_TEXT, &opt.name, "GLOB", "list: entries of this name"},
		{"meta", 0, OPTION_LIST, &opt.meta, "F=V",
			"list: field of meta; F=V equal, F~V expression, F*V contains, F^V begins, F$V ends"},
		{"field", 'f', OPTION_TEXT, &opt.field, "FIELD", "show: only this field of the data"},
		{"raw", 0, OPTION_SWITCH, &opt.raw, NULL, "show: the data alone, a text as it is"},
		{"json", 0, OPTION_SWITCH, &opt.json, NULL, "print JSON"},
		{"yaml", 0, OPTION_SWITCH, &opt.yaml, NULL, "print YAML"},
		{"lock-file", 'l', OPTION_TEXT, &opt.lock_file, "FILE",
			"lock file of the project (default wippy.lock)"},
		START_OPTION_SET(opt.flags),
		START_OPTION_PROFILE(opt.flags),
		{0},
	};

	return table;
}

static enum registry_format format(void)
{
	return opt.json ? REGISTRY_JSON : opt.yaml ? REGISTRY_YAML : REGISTRY_TEXT;
}

void registry_print(struct value *v, enum registry_format f)
{
	struct buf text = BUF_INIT;

	if (f == REGISTRY_JSON)
		json_write_pretty(v, &text);
	else
		yaml_write(v, &text);
	if (buf_len(&text) == 0 || buf_data(&text)[buf_len(&text) - 1] != '\n')
		buf_addc(&text, '\n');
	fwrite(buf_data(&text), 1, buf_len(&text), stdout);
	buf_done(&text);
	value_unref(v);
}

/* -- list ----------------------------------------------------------------------------------------- */

/* "team=infra" and its like, as a criterion. */
static int add_meta(struct filter *f, const char *text, struct err *e)
{
	size_t at = strcspn(text, "~*^$");
	const char *sign = text[at] ? text + at : strchr(text, '=');
	struct value *v;
	char *key;

	if (!sign || sign == text)
		return err_set(
			e, ERR_INVALID, "invalid --meta \"%s\": expected FIELD=VALUE, or ~ * ^ $ in place of =", text);
	key = *sign == '=' ? xasprintf("meta.%.*s", (int)(sign - text), text)
			   : xasprintf("%cmeta.%.*s", *sign, (int)(sign - text), text);
	v = value_cstring(sign + 1);
	filter_add(f, key, v);
	value_unref(v);
	free(key);
	return 0;
}

static void add_glob(struct filter *f, const char *key, const char *glob)
{
	struct value *v;

	if (!glob)
		return;
	v = value_cstring(glob);
	filter_add(f, key, v);
	value_unref(v);
}

static int make_filter(struct filter *f, struct err *e)
{
	add_glob(f, ".kind", opt.kind);
	add_glob(f, ".ns", opt.ns);
	add_glob(f, ".name", opt.name);
	for (size_t i = 0; i < opt.meta.count; i++) {
		if (add_meta(f, opt.meta.items[i], e) < 0)
			return -1;
	}
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct entry *const *x = a, *const *y = b;

	return strcmp((*x)->id, (*y)->id);
}

static struct value *summary(const struct entry *e)
{
	struct value *v = value_map();

	value_map_set(v, "id", value_cstring(e->id));
	value_map_set(v, "kind", value_cstring(e->kind));
	value_map_set(v, "meta", secret_redact("", e->meta));
	return v;
}

static int width_of(const char *text, int max)
{
	size_t len = strlen(text);

	return len > (size_t)max ? max : (int)len;
}

/* `text` in `width` columns, what is too long cut. */
static void print_cell(const char *text, int width)
{
	if ((int)strlen(text) <= width)
		printf("%-*s", width, text);
	else
		printf("%.*s...", width - 3, text);
}

static void print_dashes(int n)
{
	while (n-- > 0)
		putchar('-');
}

static void print_table(const struct entry *const *list, size_t n)
{
	int ids = 2, kinds = 4;

	if (n == 0) {
		printf("No entries found\n");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		int id = width_of(list[i]->id, ID_WIDTH_MAX), kind = width_of(list[i]->kind, KIND_WIDTH_MAX);

		ids = id > ids ? id : ids;
		kinds = kind > kinds ? kind : kinds;
	}
	printf("%-*s  KIND\n", ids, "ID");
	print_dashes(ids);
	printf("  ");
	print_dashes(kinds);
	putchar('\n');
	for (size_t i = 0; i < n; i++) {
		print_cell(list[i]->id, ids);
		printf("  ");
		print_cell(list[i]->kind, width_of(list[i]->kind, KIND_WIDTH_MAX));
		putchar('\n');
	}
	printf("\nTotal: %zu %s\n", n, n == 1 ? "entry" : "entries");
}

static int list(const struct project_entries *p, struct err *e)
{
	struct filter *f = filter_new();
	const struct entry **found = xcalloc(p->count + 1, sizeof(*found));
	size_t n = 0;
	int rc = make_filter(f, e);

	for (size_t i = 0; rc == 0 && i < p->count; i++) {
		if (filter_matches(f, p->items[i]))
			found[n++] = p->items[i];
	}
	qsort(found, n, sizeof(*found), by_id);
	if (rc == 0 && format() == REGISTRY_TEXT) {
		print_table(found, n);
	} else if (rc == 0) {
		struct value *all = value_list();

		for (size_t i = 0; i < n; i++)
			value_list_append(all, summary(found[i]));
		registry_print(all, format());
	}
	free(found);
	filter_free(f);
	return rc;
}

/* -- show ----------------------------------------------------------------------------------------- */

/* The entry with that id, or the only one with that name: NOT_FOUND "entry not found: x", INVALID `ambiguous entry name "x", use full ID (namespace:name)`. */
static const struct entry *registry_entry_find(const struct project_entries *p, const char *id, struct err *e)
{
	const struct entry *found = NULL;
	bool full = strchr(id, ':') != NULL;

	for (size_t i = 0; i < p->count; i++) {
		if (strcmp(full ? p->items[i]->id : p->items[i]->name, id) != 0)
			continue;
		if (found) {
			err_set(e, ERR_INVALID, "ambiguous entry name \"%s\", use full ID (namespace:name)", id);
			return NULL;
		}
		found = p->items[i];
	}
	if (!found)
		err_set(e, ERR_NOT_FOUND, "entry not found: %s; `wippy registry list` shows those there are", id);
	return found;
}

static void print_indented(const struct value *v)
{
	struct buf text = BUF_INIT;
	const char *at, *end;

	yaml_write(v, &text);
	at = buf_str(&text);
	for (end = at + buf_len(&text); at < end;) {
		size_t len = strcspn(at, "\n");

		printf("%s%.*s\n", len ? "  " : "", (int)len, at);
		at += len + 1;
	}
	buf_done(&text);
}

static int by_key(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* The keys in order. */
static struct value *sorted(const struct value *map)
{
	size_t n = value_count(map);
	const char **keys = xcalloc(n + 1, sizeof(*keys));
	struct value *v = value_map();

	for (size_t i = 0; i < n; i++)
		value_pair(map, i, &keys[i], NULL);
	qsort(keys, n, sizeof(*keys), by_key);
	for (size_t i = 0; i < n; i++)
		value_map_set(v, keys[i], value_ref((struct value *)(uintptr_t)value_get(map, keys[i])));
	free(keys);
	return v;
}

static void print_whole(const struct entry *e, const struct value *meta, const struct value *data)
{
	struct value *in_order = sorted(meta);

	printf("ID:   %s\nKind: %s\n", e->id, e->kind);
	if (e->file[0])
		printf("File: %s:%u\n", e->file, e->line);
	if (value_count(in_order) > 0) {
		printf("Metadata:\n");
		print_indented(in_order);
	}
	if (data && (value_count(data) > 0 || value_type(data) < VALUE_LIST)) {
		printf("Data:\n");
		print_indented(data);
	}
	value_unref(in_order);
}

static void print_bare(const struct value *v)
{
	size_t len;
	const char *text;

	if (format() != REGISTRY_TEXT || value_type(v) != VALUE_STRING) {
		registry_print(value_ref((struct value *)(uintptr_t)v), format());
		return;
	}
	text = value_get_string(v, &len);
	fwrite(text, 1, len, stdout);
	if (len == 0 || text[len - 1] != '\n')
		putchar('\n');
}

static int show(const struct project_entries *p, const char *id, struct err *e)
{
	const struct entry *found = registry_entry_find(p, id, e);
	struct value *meta, *data;
	const struct value *field;
	int rc = 0;

	if (!found)
		return -1;
	meta = secret_redact("", found->meta);
	data = secret_redact(found->kind, found->data);
	field = opt.field ? value_get(data, opt.field) : NULL;
	if (opt.field && !field) {
		rc = err_set(e, ERR_NOT_FOUND, "field \"%s\" not found in entry data", opt.field);
	} else if (opt.field || opt.raw) {
		print_bare(opt.field ? field : data);
	} else if (format() == REGISTRY_TEXT) {
		print_whole(found, meta, data);
	} else {
		struct value *v = summary(found);

		if (data)
			value_map_set(v, "data", value_ref(data));
		registry_print(v, format());
	}
	value_unref(meta);
	value_unref(data);
	return rc;
}

/* -- the command ---------------------------------------------------------------------------------- */

static int tree(const struct project_entries *p, const char *id, struct err *e)
{
	const struct entry *found;

	if (!id) {
		registry_print_namespaces(p, format());
		return 0;
	}
	found = registry_entry_find(p, id, e);
	if (!found)
		return -1;
	registry_print_references(p, found, format());
	return 0;
}

static int check_words(int argc, char **argv, struct err *e)
{
	if (argc == 0)
		return err_set(e, ERR_INVALID, "say what to do: wippy registry list, show or tree");
	if (strcmp(argv[0], "list") == 0)
		return argc == 1 ? 0 : err_set(e, ERR_INVALID, "list takes no arguments, got \"%s\"", argv[1]);
	if (strcmp(argv[0], "show") == 0)
		return argc == 2 ? 0 : err_set(e, ERR_INVALID, "show takes one argument: the entry, namespace:name");
	if (strcmp(argv[0], "tree") == 0)
		return argc <= 2 ? 0 : err_set(e, ERR_INVALID, "tree takes one argument at most: an entry");
	return err_set(e, ERR_INVALID, "unknown command \"%s\" for \"wippy registry\"; there are list, show and tree",
		argv[0]);
}

static int registry_run(const struct cli_globals *g, int argc, char **argv, struct err *e)
{
	struct start_options so = {
		.globals = g,
		.flags = &opt.flags,
		.lock_path = opt.lock_file,
		.quiet = !g->verbose && !g->very_verbose && !g->console,
		.lock_required = true,
	};
	struct start s = {0};
	int rc = -1;

	if (check_words(argc, argv, e) == 0 && start_read(&so, &s, e) == 0) {
		if (argv[0][0] == 'l')
			rc = list(&s.entries, e);
		else if (argv[0][0] == 's')
			rc = show(&s.entries, argv[1], e);
		else
			rc = tree(&s.entries, argc > 1 ? argv[1] : NULL, e);
		start_done(&s);
	}
	option_list_done(&opt.meta);
	start_flags_done(&opt.flags);
	return rc < 0 ? -1 : EXIT_OK;
}

const struct command registry_command = {
	.name = "registry",
	.arguments = "list | show ENTRY | tree [ENTRY]",
	.summary = "Show what the project defines, without starting it",
	.details =
		"  list         the entries, one a line\n"
		"  show ENTRY   one entry: where it is, its metadata and data\n"
		"  tree         the namespaces, and how many entries of which kinds they hold\n"
		"  tree ENTRY   what the entry refers to, and what refers to it\n"
		"\n"
		"Entries are shown as they would be applied: after overrides and linking. Passwords, keys and other\n"
		"secrets are shown as [redacted], and nothing is taken from the environment.\n",
	.options = registry_options,
	.run = registry_run,
};
