/*
 * project.c - from the definition files of a source root to a list of entries.
 */
#include "registry/project.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "registry/source.h"
#include "value/yaml.h"

enum { DIR_DEPTH_MAX = 64 };

struct loader {
	const char *root;           /* source root on disk */
	const char *shown;          /* the same, as people know it */
	const char *module;         /* what the root holds: "org/module", NULL for the application */
	const char *module_version; /* NULL when not known */
	project_problem_fn *problem;
	void *arg;
	struct project_entries *out;
	size_t cap;
	struct map *by_id; /* id -> struct entry, to notice duplicates */
	size_t nproblems;
	struct err first;
};

static void note_problem(struct loader *l, const struct err *e)
{
	if (l->nproblems++ == 0)
		l->first = *e;
	if (l->problem)
		l->problem(l->arg, e);
}

static void keep_entry(struct loader *l, struct entry *e)
{
	struct entry *other = map_get(l->by_id, e->id);

	if (other || l->out->count >= PROJECT_ENTRIES_MAX) {
		struct err err = {0};

		if (other)
			err_set(&err, ERR_INVALID, "already defined at %s:%u; rename one of them", other->file,
				other->line);
		else
			err_set(&err, ERR_INVALID, "more than %d entries", PROJECT_ENTRIES_MAX);
		entry_prefix(&err, e, NULL);
		note_problem(l, &err);
		entry_unref(e);
		return;
	}
	map_set(l->by_id, e->id, e);
	if (l->out->count == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 64;
		l->out->items = xreallocarray(l->out->items, l->cap, sizeof(*l->out->items));
	}
	l->out->items[l->out->count++] = e;
}

/* `own` over `shared`, key by key. Both may be NULL. */
static struct value *merge_meta(const struct value *shared, const struct value *own)
{
	struct value *m = value_map();
	const struct value *sources[] = {shared, own};

	for (size_t s = 0; s < ARRAY_LEN(sources); s++) {
		for (size_t i = 0; i < value_count(sources[s]); i++) {
			const char *key;
			const struct value *v = value_pair(sources[s], i, &key, NULL);

			value_map_set(m, key, value_ref((struct value *)v));
		}
	}
	value_set_position(m, value_line(own), value_column(own));
	return m;
}

/* What an entry holds besides its name: the value of `data`, or all other keys: an empty map for a kind without
 * fields. */
static struct value *entry_data(const struct value *def, const char *const *skip, size_t nskip)
{
	const struct value *data = value_get(def, "data");
	struct value *rest;

	if (data)
		return value_ref((struct value *)data);
	rest = value_map();
	for (size_t i = 0; i < value_count(def); i++) {
		const char *key;
		const struct value *v = value_pair(def, i, &key, NULL);
		bool skipped = false;

		for (size_t j = 0; j < nskip && !skipped; j++)
			skipped = strcmp(skip[j], key) == 0;
		if (skipped)
			continue;
		value_map_set(rest, key, value_ref((struct value *)v));
	}
	value_set_position(rest, value_line(def), value_column(def));
	return rest;
}

struct definition {
	const char *file; /* as shown */
	const char *ns;
	const struct value *meta; /* of the file */
	struct source_root root;
	const char *shown;  /* the root, as people know it */
	const char *module; /* as in struct loader */
	const char *module_version;
};

static int read_name(const struct value *def, const char *field, const char *where, const char **ret, struct err *e)
{
	const struct value *v = value_get(def, field);
	const char *text = value_text(v, "");

	if (text[strspn(text, " \t")] == '\0')
		return err_set(
			e, ERR_INVALID, "%s.%s: %s is required and must be a non-empty string", where, field, field);
	*ret = text;
	return 0;
}

/* "a.lua\nb.lua\n" below `root`; NULL for none. */
static char *shown_sources(const char *root, struct buf *read)
{
	struct buf out = BUF_INIT;
	char *save = NULL, *all = buf_detach(read, NULL);

	for (char *one = all ? strtok_r(all, "\n", &save) : NULL; one; one = strtok_r(NULL, "\n", &save))
		buf_addf(&out, "%s/%s\n", root, one);
	free(all);
	return buf_len(&out) ? buf_detach(&out, NULL) : NULL;
}

static int make_entry(const struct definition *d, const struct value *def, const char *where, const char *const *skip,
	size_t nskip, struct entry **ret, struct err *e)
{
	const struct value *meta = value_get(def, "meta");
	struct value *inlined_meta = NULL, *data = NULL, *merged = NULL;
	struct buf read = BUF_INIT;
	struct source_root root = {d->root.path, d->root.dir, &read};
	const char *name, *kind;
	struct entry *fresh;

	if (value_type(def) != VALUE_MAP)
		return err_set(e, ERR_INVALID, "line %u: %s: expected a map, got %s", value_line(def), where,
			value_type_name(def));
	if (read_name(def, "name", where, &name, e) < 0 || read_name(def, "kind", where, &kind, e) < 0)
		return err_prefix(e, "line %u", value_line(def));
	if (strchr(name, ':'))
		return err_set(e, ERR_INVALID,
			"line %u: %s.name: '%s' must not contain ':'; the namespace is added by the file",
			value_line(def), where, name);
	if (meta && value_type(meta) != VALUE_MAP && value_type(meta) != VALUE_NIL)
		return err_set(e, ERR_INVALID, "line %u: %s.meta: expected a map, got %s", value_line(meta), where,
			value_type_name(meta));

	fresh = xcalloc(1, sizeof(*fresh));
	refcount_init(&fresh->refs);
	fresh->id = xasprintf("%s:%s", d->ns, name);
	fresh->ns = xstrdup(d->ns);
	fresh->name = xstrdup(name);
	fresh->kind = xstrdup(kind);
	fresh->file = xstrdup(d->file);
	fresh->line = value_line(def);
	merged = merge_meta(d->meta, meta);
	if (d->module)
		value_map_set(merged, "module", value_cstring(d->module));
	if (d->module_version)
		value_map_set(merged, "module_version", value_cstring(d->module_version));
	data = entry_data(def, skip, nskip);
	if (source_inline(&root, merged, "meta", &inlined_meta, e) < 0 ||
		source_inline(&root, data, "", &fresh->data, e) < 0) {
		err_prefix(e, "entry %s", fresh->id);
		entry_unref(fresh);
		fresh = NULL;
	} else {
		fresh->meta = value_ref(inlined_meta);
		fresh->sources = shown_sources(d->shown, &read);
	}
	buf_done(&read);
	value_unref(inlined_meta);
	value_unref(merged);
	value_unref(data);
	*ret = fresh;
	return fresh ? 0 : -1;
}

static void read_document(struct loader *l, const struct definition *d, const struct value *doc)
{
	static const char *const batch_skip[] = {"name", "kind", "meta", "data"};
	static const char *const single_skip[] = {
		"namespace", "name", "kind", "meta", "version", "requirements", "entries"};
	const struct value *entries = value_get(doc, "entries");
	struct entry *made;
	struct err e = {0};

	if (!entries) {
		if (!value_get(doc, "name") && !value_get(doc, "kind"))
			err_set(&e, ERR_INVALID,
				"entries: either entries array or single entry (name/kind) must be provided");
		else if (make_entry(d, doc, "entry", single_skip, ARRAY_LEN(single_skip), &made, &e) == 0) {
			keep_entry(l, made);
			return;
		}
		err_prefix(&e, "%s", d->file);
		note_problem(l, &e);
		return;
	}
	if (value_type(entries) != VALUE_LIST && value_type(entries) != VALUE_NIL) {
		err_set(&e, ERR_INVALID, "%s: line %u: entries: expected a list, got %s", d->file, value_line(entries),
			value_type_name(entries));
		note_problem(l, &e);
		return;
	}
	for (size_t i = 0; i < value_count(entries); i++) {
		char where[48];

		snprintf(where, sizeof(where), "entry[%zu]", i);
		if (make_entry(d, value_at(entries, i), where, batch_skip, ARRAY_LEN(batch_skip), &made, &e) == 0) {
			keep_entry(l, made);
			continue;
		}
		err_prefix(&e, "%s", d->file);
		note_problem(l, &e);
	}
}

static void read_definition(struct loader *l, const char *dir, const char *name)
{
	char *shown = xasprintf("%s/%s%s%s", l->shown, dir, dir[0] ? "/" : "", name);
	char *path = xasprintf("%s/%s%s%s", l->root, dir, dir[0] ? "/" : "", name);
	struct value *doc = NULL;
	const struct value *ns, *meta;
	struct err e = {0};

	if (yaml_read(path, &doc, &e) < 0) {
		/* The reader names the file as it opened it; people know it relative to the project. */
		const char *rest = strncmp(e.text, path, strlen(path)) == 0 ? e.text + strlen(path) : NULL;
		struct err again = {0};

		err_set(&again, e.kind, "%s%s%s", shown, rest ? "" : ": ", rest ? rest : e.text);
		note_problem(l, &again);
		goto out;
	}
	/* Without a namespace it is somebody else's file. */
	ns = value_get(doc, "namespace");
	if (value_type(ns) != VALUE_STRING)
		goto out;
	if (value_get_string(ns, NULL)[strspn(value_get_string(ns, NULL), " \t")] == '\0')
		goto out;
	meta = value_get(doc, "meta");
	if (value_get(doc, "entries") == NULL)
		meta = NULL; /* in the single form the file's meta is the entry's own */
	if (meta && value_type(meta) != VALUE_MAP && value_type(meta) != VALUE_NIL) {
		err_set(&e, ERR_INVALID, "%s: line %u: meta: expected a map, got %s", shown, value_line(meta),
			value_type_name(meta));
		note_problem(l, &e);
		goto out;
	}
	struct definition d = {
		shown, value_get_string(ns, NULL), meta, {l->root, dir, NULL}, l->shown, l->module, l->module_version};

	read_document(l, &d, doc);
out:
	value_unref(doc);
	free(shown);
	free(path);
}

bool project_is_definition(const char *name)
{
	const char *dot = strrchr(name, '.');

	/* ".#name" is a lock of Emacs: a link to nowhere. */
	return dot && strncmp(name, ".#", 2) != 0 &&
	       (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0 || strcmp(dot, ".json") == 0);
}

static int no_dots(const struct dirent *d)
{
	return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}

static int bytewise(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* `dir` is relative to the root, "" for the root itself. */
static void scan(struct loader *l, const char *dir, unsigned depth)
{
	char *full = xasprintf("%s/%s", l->root, dir);
	struct dirent **names = NULL;
	int n = scandir(full, &names, no_dots, bytewise);

	if (n < 0) {
		struct err e = {0};

		err_set_errno(&e, ERR_INVALID, errno, "%s/%s: cannot read the directory", l->shown, dir);
		note_problem(l, &e);
	}
	free(full);
	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;
		char *rel = xasprintf("%s%s%s", dir, dir[0] ? "/" : "", name);
		char *path = xasprintf("%s/%s", l->root, rel);
		struct stat st;

		/* A link to a directory is not entered: it could lead in circles. */
		if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
			if (depth < DIR_DEPTH_MAX && strcmp(name, "node_modules") != 0)
				scan(l, rel, depth + 1);
		} else if (project_is_definition(name)) {
			read_definition(l, dir, name);
		}
		free(path);
		free(rel);
		free(names[i]);
	}
	free(names);
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* `path` is relative to `dir` unless absolute; with a folder src/ in it, that is the root. */
static void scan_root(struct loader *l, const char *dir, const char *path, bool prefers_src)
{
	const char *shown = strncmp(path, "./", 2) == 0 && path[2] ? path + 2 : path;
	char *root = path[0] == '/' ? xstrdup(path) : xasprintf("%s/%s", dir, shown);
	char *root_src = xasprintf("%s/src", root), *shown_src = xasprintf("%s/src", shown);
	bool below = prefers_src && is_directory(root_src);

	l->root = below ? root_src : root;
	l->shown = below ? shown_src : shown;
	if (is_directory(l->root))
		scan(l, "", 0);
	else
		log_warn("project", "source root does not exist; nothing is loaded from it", LOG_STR("path", path));
	free(root_src);
	free(shown_src);
	free(root);
}

static bool is_replaced(const struct value *replacements, const char *module)
{
	for (size_t i = 0; i < value_count(replacements); i++) {
		const char *from = value_text(value_get(value_at(replacements, i), "from"), NULL);

		if (from && strcmp(from, module) == 0)
			return true;
	}
	return false;
}

static void scan_modules(struct loader *l, const struct project_lock *lock, const char *dir)
{
	const struct value *replacements = value_get(lock->root, "replacements");
	const struct value *modules = value_get(lock->root, "modules");
	size_t len = strlen(lock->modules);
	bool is_vendor = len >= 6 && strcmp(lock->modules + len - 6, "vendor") == 0;

	for (size_t i = 0; i < value_count(replacements); i++) {
		l->module = value_text(value_get(value_at(replacements, i), "from"), NULL);
		scan_root(l, dir, value_text(value_get(value_at(replacements, i), "to"), NULL), true);
	}
	for (size_t i = 0; i < value_count(modules); i++) {
		char *path;

		l->module = value_text(value_get(value_at(modules, i), "name"), NULL);
		l->module_version = value_text(value_get(value_at(modules, i), "version"), NULL);
		if (is_replaced(replacements, l->module))
			continue;
		path = xasprintf("%s%s/%s", lock->modules, is_vendor ? "" : "/vendor", l->module);
		scan_root(l, dir, path, false);
		free(path);
	}
}

int project_load(const struct project_lock *lock, const char *dir, project_problem_fn *problem, void *arg,
	struct project_entries *ret, struct err *e)
{
	struct project_entries out = {0};
	struct loader l = {.problem = problem, .arg = arg, .out = &out, .by_id = map_new()};
	int rc = -1;

	scan_root(&l, dir, lock->src, false);
	scan_modules(&l, lock, dir);
	if (l.nproblems == 0) {
		*ret = out;
		out = (struct project_entries){0};
		rc = 0;
	} else {
		*e = l.first;
	}
	project_entries_done(&out);
	map_free(l.by_id, NULL);
	return rc;
}

void project_entries_done(struct project_entries *p)
{
	for (size_t i = 0; i < p->count; i++)
		entry_unref(p->items[i]);
	free(p->items);
	*p = (struct project_entries){0};
}
