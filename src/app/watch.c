#include "app/watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/config_merge.h"
#include "app/watch_files.h"
#include "base/alloc.h"
#include "base/map.h"
#include "base/secret.h"
#include "service/runtime.h"
#include "value/yaml.h"

struct watch {
	struct runtime *rt;
	struct start_options options;
	struct watch_files *files;
	struct project_entries entries; /* what the files said when they were good last */
	struct value *config; /* the part of the configuration that needs a restart, as it was told about last */
	bool refused;         /* what the files say now does not run */
	bool gone;            /* definition files were missing; they have had their time */
};

/* -- saying --------------------------------------------------------------------------------------------- */

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* One write, so that it does not mix with what programs print; and printable, whatever files are called. */
static void say(const char *fmt, ...)
{
	struct buf text = BUF_INIT, line = BUF_INIT;
	char *hidden;
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	buf_adds(&line, "watch: ");
	hidden = secret_hide(buf_str(&text));
	for (const char *p = hidden ? hidden : buf_str(&text); *p; p++)
		buf_addc(&line, (unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p);
	fprintf(stderr, "%s\n", buf_str(&line));
	free(hidden);
	buf_done(&text);
	buf_done(&line);
}

static void refuse(struct watch *w, const struct err *e)
{
	say("%s; still running the previous state", e->text);
	w->refused = true;
	watch_files_any(w->files, true);
}

/* -- what to watch -------------------------------------------------------------------------------------- */

static char *below(const char *dir, const char *path)
{
	return path[0] == '/' || strcmp(dir, ".") == 0 ? xstrdup(path) : xasprintf("%s/%s", dir, path);
}

static void watch_root(struct watch *w, const char *dir, const struct value *path)
{
	char *full, *src;
	struct stat st;

	if (value_type(path) != VALUE_STRING)
		return;
	full = below(dir, value_get_string(path, NULL));
	src = xasprintf("%s/src", full);
	watch_files_file(w->files, src);
	watch_files_tree(w->files, stat(src, &st) == 0 && S_ISDIR(st.st_mode) ? src : full);
	free(src);
	free(full);
}

static void watch_lock(struct watch *w, const char *dir)
{
	const char *path = w->options.lock_path ? w->options.lock_path : "wippy.lock";
	struct project_lock lock = {0};
	const struct value *replacements;
	struct err ignored;
	char *full;

	watch_files_file(w->files, path);
	if (project_lock_read(path, &lock, &ignored) < 0)
		return;
	full = below(dir, lock.src);
	watch_files_tree(w->files, full);
	free(full);
	replacements = value_get(lock.root, "replacements");
	for (size_t i = 0; i < value_count(replacements); i++)
		watch_root(w, dir, value_get(value_at(replacements, i), "to"));
	if (value_count(value_get(lock.root, "modules")) > 0) {
		full = below(dir, lock.modules);
		watch_files_tree(w->files, full);
		free(full);
	}
	project_lock_done(&lock);
}

static void watch_config(struct watch *w)
{
	const struct option_list *files = &w->options.globals->config_files;

	if (files->count == 0)
		watch_files_file(w->files, CONFIG_DEFAULT_FILE);
	for (size_t i = 0; i < files->count; i++)
		watch_files_file(w->files, files->items[i]);
}

/* The files of the entries one by one: links, and what lies where trees are not watched. */
static void watch_entries(struct watch *w, const char *dir)
{
	struct map *seen = map_new();

	for (size_t i = 0; i < w->entries.count; i++) {
		const struct entry *e = w->entries.items[i];
		char *all = xasprintf("%s\n%s", e->file, e->sources ? e->sources : ""), *save = NULL;

		for (char *one = strtok_r(all, "\n", &save); one; one = strtok_r(NULL, "\n", &save)) {
			char *path = below(dir, one);

			if (!map_has(seen, path)) {
				map_set(seen, path, seen);
				watch_files_file(w->files, path);
			}
			free(path);
		}
		free(all);
	}
	map_free(seen, NULL);
}

/* Before files are read: what changes after they were is heard of. */
static void watch_all(struct watch *w)
{
	char *dir = start_project_dir(&w->options);

	watch_files_begin(w->files);
	watch_config(w);
	watch_lock(w, dir);
	watch_entries(w, dir);
	watch_files_end(w->files);
	free(dir);
}

/* -- files that give nothing any more ------------------------------------------------------------------- */

static struct map *files_of(const struct project_entries *p)
{
	struct map *files = map_new();

	for (size_t i = 0; i < p->count; i++) {
		if (!map_has(files, p->items[i]->file))
			map_set(files, p->items[i]->file, p->items[i]);
	}
	return files;
}

enum state { STATE_GOOD, STATE_GONE, STATE_EMPTY };

/* Of a definition file that had entries and has none. */
static enum state look_at(const char *path)
{
	enum state state = STATE_EMPTY;
	struct value *doc = NULL;
	struct err ignored;
	struct stat st;

	if (stat(path, &st) < 0)
		return STATE_GONE;
	if (yaml_read(path, &doc, &ignored) == 0 && value_type(value_get(doc, "namespace")) == VALUE_STRING)
		state = STATE_GOOD;
	value_unref(doc);
	return state;
}

/* False while what is missing may only be on its way. */
static bool is_complete(struct watch *w, const struct project_entries *now)
{
	struct map *had = files_of(&w->entries), *have = files_of(now);
	char *dir = start_project_dir(&w->options);
	bool complete = true, gone = false;
	const char *file;
	void *v;

	for (size_t i = 0; complete && map_next(had, &i, &file, &v);) {
		char *path = map_has(have, file) || !file[0] ? NULL : below(dir, file);
		enum state state = path ? look_at(path) : STATE_GOOD;
		struct err e;

		gone |= state == STATE_GONE;
		if (state == STATE_EMPTY) {
			err_set(&e, ERR_INVALID,
				"%s is empty or has no namespace any more (delete the file to remove its entries)",
				file);
			refuse(w, &e);
			complete = false;
		}
		free(path);
	}
	if (complete && gone && !w->gone) {
		w->gone = true;
		watch_files_again(w->files, WATCH_GONE_MS);
		complete = false;
	} else {
		w->gone = false;
	}
	free(dir);
	map_free(had, NULL);
	map_free(have, NULL);
	return complete;
}

/* -- configuration -------------------------------------------------------------------------------------- */

/* Without what is applied at once. */
static struct value *needs_restart(const struct value *root)
{
	struct value *rest = value_map();

	for (size_t i = 0; i < value_count(root); i++) {
		const char *key;
		const struct value *v = value_pair(root, i, &key, NULL);

		if (strcmp(key, "override") != 0 && strcmp(key, "disable") != 0)
			value_map_set(rest, key, value_ref((struct value *)(uintptr_t)v));
	}
	return rest;
}

static void compare_config(struct watch *w, const struct config *now)
{
	struct value *rest = needs_restart(now->root);
	struct buf keys = BUF_INIT;

	for (size_t i = 0; i < value_count(rest) + value_count(w->config); i++) {
		bool is_new = i < value_count(rest);
		const struct value *from = is_new ? rest : w->config, *other = is_new ? w->config : rest;
		const char *key;
		const struct value *v = value_pair(from, is_new ? i : i - value_count(rest), &key, NULL);

		if (is_new ? !value_equal(v, value_get(other, key)) : !value_get(other, key))
			buf_addf(&keys, "%s%s", buf_len(&keys) ? ", " : "", key);
	}
	if (buf_len(&keys) > 0)
		say("the configuration changed (%s): restart to apply that", buf_str(&keys));
	buf_done(&keys);
	value_unref(w->config);
	w->config = rest;
}

/* -- telling what changed ------------------------------------------------------------------------------- */

/* The file that was edited, where that can be told from where the entry is defined. */
static char *edited_file(const struct watch *w, const struct entry *e)
{
	char *dir = start_project_dir(&w->options), *all = xstrdup(e->sources ? e->sources : ""), *save = NULL,
	     *found = NULL;

	for (char *one = strtok_r(all, "\n", &save); one && !found; one = strtok_r(NULL, "\n", &save)) {
		char *path = below(dir, one);

		if (watch_files_touched(w->files, path))
			found = xstrdup(one);
		free(path);
	}
	free(all);
	free(dir);
	return found ? found : xstrdup(e->file);
}

static void tell_change(const struct watch *w, const struct change *c)
{
	const struct entry *e = c->type == CHANGE_DELETE ? c->previous : c->entry;
	const char *word = c->type == CHANGE_CREATE ? "created" : c->type == CHANGE_UPDATE ? "updated" : "removed";
	char *file = c->type == CHANGE_UPDATE ? edited_file(w, e) : xstrdup(e->file);

	say("%s %s%s%s%s", word, e->id, file[0] ? " (" : "", file, file[0] ? ")" : "");
	free(file);
}

static void add_count(struct buf *b, size_t n, const char *word)
{
	if (n > 0)
		buf_addf(b, "%s%zu %s", buf_len(b) ? ", " : "", n, word);
}

static void tell_changes(const struct watch *w, const struct changes *c)
{
	size_t counts[3] = {0};
	struct buf sum = BUF_INIT;

	for (size_t i = 0; i < c->count; i++) {
		if (i < WATCH_LINES_MAX)
			tell_change(w, &c->items[i]);
		counts[c->items[i].type]++;
	}
	if (c->count > WATCH_LINES_MAX)
		say("... and %zu more", c->count - WATCH_LINES_MAX);
	add_count(&sum, counts[CHANGE_UPDATE], "updated");
	add_count(&sum, counts[CHANGE_CREATE], "created");
	add_count(&sum, counts[CHANGE_DELETE], "removed");
	say("%s (v%llu)", buf_str(&sum), (unsigned long long)registry_version(w->rt->node.registry));
	buf_done(&sum);
}

/* What programs changed stays as they made it: then the file's edit does not show, which would be a riddle. */
static void tell_hidden(const struct watch *w, const struct project_entries *now, const struct snapshot *after)
{
	struct changes c = {0};

	registry_diff(w->entries.items, w->entries.count, now->items, now->count, &c);
	for (size_t i = 0; i < c.count && i < WATCH_LINES_MAX; i++) {
		const struct change *one = &c.items[i];
		const struct entry *live = snapshot_get(after, one->entry->id);

		if (one->type == CHANGE_DELETE ? live != NULL : !live || !entry_equal(live, one->entry))
			say("%s was changed by a program meanwhile and stays so; its file counts again at version 0",
				one->entry->id);
	}
	changes_done(&c);
}

/* -- applying ------------------------------------------------------------------------------------------- */

static void list_of(const struct snapshot *s, struct entry ***ret, size_t *ret_n)
{
	*ret_n = snapshot_count(s);
	*ret = xcalloc(*ret_n + 1, sizeof(struct entry *));
	for (size_t i = 0; i < *ret_n; i++)
		(*ret)[i] = snapshot_at(s, i);
}

static void difference(const struct snapshot *from, const struct snapshot *to, struct changes *ret)
{
	struct entry **a, **b;
	size_t na, nb;

	list_of(from, &a, &na);
	list_of(to, &b, &nb);
	registry_diff(a, na, b, nb, ret);
	free(a);
	free(b);
}

static void apply(struct watch *w, struct project_entries *now)
{
	struct snapshot *before = registry_snapshot(w->rt->node.registry), *after;
	struct changes c = {0};
	struct err e;

	if (runtime_reload(w->rt, now->items, now->count, NULL, &e) < 0) {
		refuse(w, &e);
		snapshot_unref(before);
		return;
	}
	after = registry_snapshot(w->rt->node.registry);
	difference(before, after, &c);
	if (c.count > 0)
		tell_changes(w, &c);
	else if (w->refused)
		say("the files are as what runs again (v%llu)",
			(unsigned long long)registry_version(w->rt->node.registry));
	tell_hidden(w, now, after);
	changes_done(&c);
	snapshot_unref(before);
	snapshot_unref(after);
	project_entries_done(&w->entries);
	w->entries = *now;
	*now = (struct project_entries){0};
	w->refused = false;
	watch_files_any(w->files, false);
	watch_files_forget(w->files);
	/* Files named for the first time, before anybody edits them. */
	watch_all(w);
}

static void on_changed(void *arg)
{
	struct watch *w = arg;
	struct start now = {0};
	struct err e;

	if (w->rt->stopping)
		return;
	watch_all(w);
	if (start_read_again(&w->options, "watch: ", &now, &e) < 0) {
		refuse(w, &e);
		return;
	}
	compare_config(w, &now.config);
	if (is_complete(w, &now.entries))
		apply(w, &now.entries);
	start_done(&now);
}

/* -- the watch ------------------------------------------------------------------------------------------ */

int watch_new(struct runtime *rt, const struct start_options *o, struct start *s, struct watch **ret, struct err *e)
{
	struct watch *w = xcalloc(1, sizeof(*w));

	w->rt = rt;
	w->options = *o;
	w->options.lock_required = true;
	if (watch_files_new(runtime_loop(rt), on_changed, w, &w->files, e) < 0) {
		free(w);
		return -1;
	}
	w->entries = s->entries;
	s->entries = (struct project_entries){0};
	w->config = needs_restart(s->config.root);
	watch_all(w);
	say("watching %zu director%s", watch_files_count(w->files), watch_files_count(w->files) == 1 ? "y" : "ies");
	/* What was edited since the files were read. */
	watch_files_again(w->files, WATCH_QUIET_MS);
	*ret = w;
	return 0;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	watch_files_free(w->files);
	project_entries_done(&w->entries);
	value_unref(w->config);
	free(w);
}
