/*
 * lint_output.c - what was found: for people with the line and a mark under the place, as a summary, as JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/lint.h"
#include "base/alloc.h"
#include "value/json.h"
#include "value/value.h"

static const char *const severity_names[] = {"hint", "warning", "error"};

/* -- for people ------------------------------------------------------------------------------------------- */

struct palette {
	const char *severity[SEVERITY_ERROR + 1];
	const char *bold;
	const char *faint;
	const char *off;
};

static const struct palette plain = {{"", "", ""}, "", "", ""};
static const struct palette coloured = {{"\033[36m", "\033[33m", "\033[31m"}, "\033[1m", "\033[2m", "\033[0m"};

/* Text from a source: control bytes would reach the terminal. A tab is one blank, so that the mark below fits. */
static void add_clean(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		buf_addc(out, c == '\t' ? ' ' : c < ' ' || c == 0x7f ? '?' : (char)c);
	}
}

/* Continuation bytes of UTF-8 take no room of their own. */
static size_t width(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

static void add_mark(struct buf *out, const struct finding *f, const struct palette *c)
{
	size_t len = strlen(f->excerpt);
	size_t start = f->column - 1 < len ? f->column - 1 : len;
	size_t marked = f->len < len - start ? f->len : len - start;
	size_t n = width(f->excerpt + start, marked);

	buf_addf(out, "%s      |%s ", c->faint, c->off);
	for (size_t i = width(f->excerpt, start); i > 0; i--)
		buf_addc(out, ' ');
	buf_adds(out, c->severity[f->severity]);
	buf_addc(out, '^');
	for (size_t i = 1; i < n; i++)
		buf_addc(out, '~');
	buf_adds(out, c->off);
	buf_addc(out, '\n');
}

static void add_finding(struct buf *out, const struct finding *f, const struct palette *c)
{
	buf_adds(out, c->bold);
	if (f->file[0]) {
		add_clean(out, f->file, strlen(f->file));
		buf_addc(out, ':');
		if (f->line)
			buf_addf(out, "%u:", f->line);
		if (f->line && f->column)
			buf_addf(out, "%u:", f->column);
		buf_addc(out, ' ');
	}
	buf_addf(out, "%s%s%s:%s ", c->off, c->severity[f->severity], severity_names[f->severity], c->off);
	add_clean(out, f->message, strlen(f->message));
	buf_addf(out, " %s[%s] (%s)%s\n", c->faint, f->code, f->entry->id, c->off);
	if (!f->excerpt || !f->excerpt[strspn(f->excerpt, " \t")])
		return;
	buf_addf(out, "%s%5u |%s ", c->faint, f->line, c->off);
	add_clean(out, f->excerpt, strlen(f->excerpt));
	buf_addc(out, '\n');
	if (f->column)
		add_mark(out, f, c);
}

static size_t shown_count(const struct findings *f, size_t limit)
{
	return limit && limit < f->count ? limit : f->count;
}

void lint_print_text(const struct findings *f, size_t limit, bool colours)
{
	size_t n = shown_count(f, limit);
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		add_finding(&out, &f->items[i], colours ? &coloured : &plain);
		buf_addc(&out, '\n');
	}
	if (n < f->count)
		buf_addf(&out, "... and %zu more\n\n", f->count - n);
	fwrite(buf_data(&out), 1, buf_len(&out), stdout);
	buf_done(&out);
}

void lint_print_count(const struct findings *f, size_t nentries)
{
	if (f->count == 0) {
		printf("No issues found\nChecked %zu entries\n", nentries);
		return;
	}
	printf("Checked %zu entries: %zu errors, %zu warnings", nentries, f->by_severity[SEVERITY_ERROR],
		f->by_severity[SEVERITY_WARNING]);
	if (f->by_severity[SEVERITY_HINT])
		printf(", %zu hints", f->by_severity[SEVERITY_HINT]);
	printf("\n");
}

/* -- summary ---------------------------------------------------------------------------------------------- */

struct group {
	const struct finding *first;
	size_t count;
};

static int by_namespace(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	int order = strcmp(x->first->entry->ns, y->first->entry->ns);

	return order ? order : strcmp(x->first->code, y->first->code);
}

void lint_print_summary(const struct findings *f, size_t limit)
{
	struct map *groups = map_new();
	struct group *list = xcalloc(f->count + 1, sizeof(*list));
	size_t n = 0, shown;
	int wide = (int)strlen("NAMESPACE");

	for (size_t i = 0; i < f->count; i++) {
		const struct finding *item = &f->items[i];
		char *key = xasprintf("%s %s", item->entry->ns, item->code);
		struct group *g = map_get(groups, key);

		if (!g) {
			g = &list[n++];
			g->first = item;
			map_set(groups, key, g);
		}
		g->count++;
		if ((int)strlen(item->entry->ns) > wide)
			wide = (int)strlen(item->entry->ns);
		free(key);
	}
	qsort(list, n, sizeof(*list), by_namespace);
	shown = limit && limit < n ? limit : n;
	if (n)
		printf("%-*s  CODE   SEVERITY  COUNT\n", wide, "NAMESPACE");
	for (size_t i = 0; i < shown; i++)
		printf("%-*s  %s  %-8s  %5zu\n", wide, list[i].first->entry->ns, list[i].first->code,
			severity_names[list[i].first->severity], list[i].count);
	if (shown < n)
		printf("... and %zu more\n", n - shown);
	if (n)
		printf("\n");
	free(list);
	map_free(groups, NULL);
}

/* -- JSON ------------------------------------------------------------------------------------------------- */

static struct value *finding_value(const struct finding *f)
{
	struct value *v = value_map();

	value_map_set(v, "entry_id", value_cstring(f->entry->id));
	value_map_set(v, "code", value_cstring(f->code));
	value_map_set(v, "severity", value_cstring(severity_names[f->severity]));
	value_map_set(v, "message", value_cstring(f->message));
	if (f->file[0])
		value_map_set(v, "file", value_cstring(f->file));
	if (f->line)
		value_map_set(v, "line", value_int(f->line));
	if (f->column)
		value_map_set(v, "column", value_int(f->column));
	return v;
}

void lint_print_json(const struct findings *f, size_t limit, size_t nentries)
{
	struct value *v = value_map(), *list = value_list();
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < shown_count(f, limit); i++)
		value_list_append(list, finding_value(&f->items[i]));
	value_map_set(v, "diagnostics", list);
	value_map_set(v, "total_entries", value_int((int64_t)nentries));
	value_map_set(v, "error_count", value_int((int64_t)f->by_severity[SEVERITY_ERROR]));
	value_map_set(v, "warning_count", value_int((int64_t)f->by_severity[SEVERITY_WARNING]));
	value_map_set(v, "hint_count", value_int((int64_t)f->by_severity[SEVERITY_HINT]));
	json_write_pretty(v, &out);
	buf_addc(&out, '\n');
	fwrite(buf_data(&out), 1, buf_len(&out), stdout);
	buf_done(&out);
	value_unref(v);
}
