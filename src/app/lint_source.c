/*
 * lint_source.c - places in entries as places in the files that people edit.
 *
 * An entry does not say which file its source came from, so its definition is looked at again where the value stands: `file://...` leads to the
 * file; anything else is text in the definition itself. Either is believed only when it holds the line in question. Files are read when there is
 * something to say about them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/lint.h"
#include "base/alloc.h"

enum { EXCERPT_BYTES_MAX = 400 };

static const char scheme[] = "file://";

struct file {
	const char *text;
	size_t len;
	uint32_t *starts; /* of lines, where "\n" alone ends one, as in the definition's own count */
	uint32_t nlines;
};

/* Where the source of an entry is. */
struct origin {
	char *path;  /* of the file that holds nothing but the source; NULL: it is in the definition, or nobody knows */
	bool inside; /* in the definition */
	struct file source;
};

struct sources {
	const char *dir;
	struct map *files;   /* path -> struct file, one without text if it cannot be read */
	struct map *origins; /* entry id -> struct origin */
};

struct sources *sources_new(const char *dir)
{
	struct sources *s = xcalloc(1, sizeof(*s));

	s->dir = dir;
	s->files = map_new();
	s->origins = map_new();
	return s;
}

static void free_file(void *v)
{
	struct file *f = v;

	free((char *)f->text);
	free(f->starts);
	free(f);
}

static void free_origin(void *v)
{
	struct origin *o = v;

	free(o->path);
	free(o->source.starts);
	free(o);
}

void sources_free(struct sources *s)
{
	if (!s)
		return;
	map_free(s->files, free_file);
	map_free(s->origins, free_origin);
	free(s);
}

/* -- files ---------------------------------------------------------------------------------------------- */

static void find_lines(struct file *f)
{
	const char *at = f->text, *end = f->text + f->len;
	uint32_t cap = 64;

	f->starts = xreallocarray(NULL, cap, sizeof(*f->starts));
	for (;;) {
		if (f->nlines == cap) {
			cap *= 2;
			f->starts = xreallocarray(f->starts, cap, sizeof(*f->starts));
		}
		f->starts[f->nlines++] = (uint32_t)(at - f->text);
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			return;
		at++;
	}
}

static void read_text(struct file *f, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct buf text = BUF_INIT;
	struct stat st;
	ssize_t n = 0;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		do {
			n = read(fd, buf_reserve(&text, 65536), 65536);
			if (n > 0)
				buf_commit(&text, (size_t)n);
		} while ((n > 0 && buf_len(&text) <= PROJECT_FILE_BYTES_MAX) || (n < 0 && errno == EINTR));
		if (n == 0)
			f->text = buf_detach(&text, &f->len);
	}
	buf_done(&text);
	close(fd);
}

/* NULL when it cannot be read. */
static const struct file *file_at(struct sources *s, const char *path)
{
	struct file *f = map_get(s->files, path);

	if (!f) {
		char *full = path[0] == '/' ? xstrdup(path) : xasprintf("%s/%s", s->dir, path);

		f = xcalloc(1, sizeof(*f));
		read_text(f, full);
		free(full);
		if (f->text)
			find_lines(f);
		map_set(s->files, path, f);
	}
	return f->text ? f : NULL;
}

/* The line without its end; NULL when there is none of that number. */
static const char *file_line(const struct file *f, uint32_t line, size_t *ret_len)
{
	const char *start, *end;

	if (!f || line == 0 || line > f->nlines)
		return NULL;
	start = f->text + f->starts[line - 1];
	end = line < f->nlines ? f->text + f->starts[line] - 1 : f->text + f->len;
	if (end > start && end[-1] == '\r')
		end--;
	*ret_len = (size_t)(end - start);
	return start;
}

/* -- the source of an entry ------------------------------------------------------------------------------- */

static const struct value *source_of(const struct entry *e)
{
	return value_get(e->data, "source");
}

/* "a/b" without "./" and "x/.." steps, as far as they can be taken away; malloc'd. */
static char *tidy_path(char *path)
{
	bool absolute = path[0] == '/';
	struct buf out = BUF_INIT;
	char *save = NULL;

	for (char *part = strtok_r(path, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
		const char *text = buf_str(&out);
		const char *slash = strrchr(text, '/');

		if (strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0 && buf_len(&out) > 0 && strcmp(slash ? slash + 1 : text, "..") != 0) {
			buf_truncate(&out, slash ? (size_t)(slash - text) : 0);
			continue;
		}
		if (buf_len(&out) > 0 || absolute)
			buf_addc(&out, '/');
		buf_adds(&out, part);
	}
	free(path);
	return buf_detach(&out, NULL);
}

/* The reference as written in the definition at that place, without its scheme; malloc'd, NULL when it is none. */
static char *reference_at(const struct file *definition, const struct value *v)
{
	size_t len, n = 0;
	const char *line = file_line(definition, value_line(v), &len);
	size_t at = value_column(v) ? value_column(v) - 1 : 0;
	char quote;

	if (!line || at >= len)
		return NULL;
	quote = line[at] == '"' || line[at] == '\'' ? line[at++] : '\0';
	if (len - at < strlen(scheme) || memcmp(line + at, scheme, strlen(scheme)) != 0)
		return NULL;
	at += strlen(scheme);
	while (at + n < len && (quote ? line[at + n] != quote : !strchr(" \t,}]", line[at + n])))
		n++;
	return xmemdupz(line + at, n);
}

static bool holds(struct sources *s, const char *path, const struct value *source)
{
	size_t len;
	const char *text = value_get_string(source, &len);
	const struct file *f = file_at(s, path);

	return f && f->len == len && memcmp(f->text, text, len) == 0;
}

/* Relative to the definition's folder; from '/' on to the root of the folder it was loaded from, which is one of those around it. */
static char *referred_file(struct sources *s, const struct entry *e, const char *ref)
{
	char *dir = xstrdup(e->file);
	char *found = NULL;

	for (char *slash = strrchr(dir, '/'); !found; slash = strrchr(dir, '/')) {
		bool at_top = !slash;
		char *path;

		if (slash)
			*slash = '\0';
		path = tidy_path(xasprintf("%s%s%s", at_top ? "" : dir, at_top ? "" : "/", ref + (ref[0] == '/')));
		if (holds(s, path, source_of(e)))
			found = path;
		else
			free(path);
		if (at_top || ref[0] != '/')
			break;
	}
	free(dir);
	return found;
}

static const struct origin *origin_of(struct sources *s, const struct entry *e)
{
	struct origin *o = map_get(s->origins, e->id);
	char *ref;

	if (o)
		return o;
	o = xcalloc(1, sizeof(*o));
	map_set(s->origins, e->id, o);
	o->source.text = value_get_string(source_of(e), &o->source.len); /* lives as long as the entry */
	find_lines(&o->source);
	/* One that was set by an override stands nowhere. */
	if (!e->file[0] || !value_line(source_of(e)))
		return o;
	ref = reference_at(file_at(s, e->file), source_of(e));
	if (ref)
		o->path = referred_file(s, e, ref);
	else
		o->inside = true;
	free(ref);
	return o;
}

/* Does the line of the definition hold that line of the source? Then `*ret_indent` bytes stand before it. */
static bool line_matches(
	const struct file *definition, uint32_t line, const char *text, size_t len, bool is_block, size_t *ret_indent)
{
	size_t have;
	const char *at = file_line(definition, line, &have);

	if (!at || have < len)
		return false;
	for (size_t i = 0; i + len <= have; i++) {
		if (memcmp(at + i, text, len) == 0 && (!is_block || i + len == have)) {
			*ret_indent = i;
			return true;
		}
		/* A block's lines are indented by blanks alone. */
		if (is_block && at[i] != ' ')
			return false;
	}
	return false;
}

/* The line of the definition that holds line `n` of the source; 0 when it cannot be told, as in a folded text. */
static uint32_t line_inside(
	struct sources *s, const struct entry *e, const struct origin *o, uint32_t n, size_t *ret_indent)
{
	const struct value *source = source_of(e);
	const struct file *definition = file_at(s, e->file);
	size_t first_len, len, indent;
	const char *first = file_line(&o->source, 1, &first_len);
	const char *text = file_line(&o->source, n, &len);
	bool one_line = o->source.nlines == 1;

	if (!first || !text || !definition)
		return 0;
	*ret_indent = 0;
	/* A block begins on the line of its header or the next one, wherever the reader saw it begin. */
	for (uint32_t line = value_line(source); line <= value_line(source) + 1; line++) {
		if (!line_matches(definition, line, first, first_len, !one_line, &indent))
			continue;
		if (line_matches(definition, line + n - 1, text, len, !one_line, ret_indent))
			return line + n - 1;
	}
	return 0;
}

uint32_t sources_line(struct sources *s, const struct entry *e, uint32_t line)
{
	const struct origin *o = origin_of(s, e);
	size_t indent;

	if (o->path)
		return line;
	return o->inside ? line_inside(s, e, o, line, &indent) : 0;
}

/* -- places ----------------------------------------------------------------------------------------------- */

static void set_excerpt(struct finding *f, const char *line, size_t len)
{
	if (line && len <= EXCERPT_BYTES_MAX)
		f->excerpt = xmemdupz(line, len);
}

/* Does the text of `v` stand where it says? What was put in by a requirement or an override comes from elsewhere. */
static bool stands_there(const struct file *definition, const struct value *v)
{
	size_t len, at = value_column(v);
	const char *line = file_line(definition, value_line(v), &len);
	const char *text;

	if (!line || at == 0 || at > len)
		return false;
	if (value_type(v) != VALUE_STRING)
		return true;
	text = value_get_string(v, NULL);
	at--;
	if (line[at] == '"' || line[at] == '\'')
		at++;
	return strlen(text) <= len - at && memcmp(line + at, text, strlen(text)) == 0;
}

static void locate_value(struct sources *s, struct finding *f, const struct value *v)
{
	const struct entry *e = f->entry;
	size_t len;
	const char *line;

	f->file = xstrdup(e->file);
	f->line = e->line;
	if (stands_there(file_at(s, e->file), v)) {
		f->line = value_line(v);
		f->column = value_column(v);
		f->len = value_type(v) == VALUE_STRING ? (uint32_t)strlen(value_get_string(v, NULL)) : 1;
	}
	line = file_line(file_at(s, e->file), f->line, &len);
	set_excerpt(f, line, line ? len : 0);
}

static void locate_place(struct sources *s, struct finding *f, const struct lint_place *p)
{
	const struct entry *e = f->entry;
	const struct origin *o = origin_of(s, e);
	size_t len = 0, indent = 0;
	const char *line = file_line(&o->source, p->line, &len);

	f->len = p->len;
	if (o->path) {
		f->file = xstrdup(o->path);
		f->line = p->line;
		f->column = p->column;
	} else {
		f->file = xstrdup(e->file);
		f->line = o->inside ? line_inside(s, e, o, p->line, &indent) : 0;
		if (f->line) {
			f->column = p->column + (uint32_t)indent;
			line = file_line(file_at(s, e->file), f->line, &len);
		} else {
			f->line = e->line;
			line = NULL;
		}
	}
	set_excerpt(f, line, line ? len : 0);
}

void sources_locate(struct sources *s, struct finding *f, struct spot spot)
{
	if (spot.place)
		locate_place(s, f, spot.place);
	else
		locate_value(s, f, spot.at);
}
