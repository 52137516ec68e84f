/*
 * split_markdown.c - Markdown by its structure: headings begin chunks, fenced code stays together with its fence, tables keep their head.
 *
 * A reader of lines, not a full parser of CommonMark: ATX headings, fences, pipe tables (GFM) and link reference definitions are known, the
 * rest is text.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "value/split.h"

enum { LEVELS = 6, REFERENCES_MAX = 10000, NAME_BYTES_MAX = 1000 };

struct line {
	const char *s;
	size_t len; /* without its end */
};

struct markdown {
	const struct split_options *opt;
	const char *at, *end;
	struct value *chunks;
	size_t bytes;
	struct line headings[LEVELS]; /* len 0: none at this level */
	unsigned level;               /* of the last one; 0: there was none */
	bool heading_used;
	struct buf body; /* text below the last heading */
	struct map *references;
	struct err *e;
};

static bool read_line(struct markdown *m, struct line *ret_line)
{
	const char *stop;

	if (m->at == m->end)
		return false;
	stop = memchr(m->at, '\n', (size_t)(m->end - m->at));
	if (!stop)
		stop = m->end;
	*ret_line = (struct line){m->at, (size_t)(stop - m->at)};
	if (ret_line->len > 0 && ret_line->s[ret_line->len - 1] == '\r')
		ret_line->len--;
	m->at = stop < m->end ? stop + 1 : stop;
	return true;
}

/* Behind at most three blanks. */
static struct line unindented(struct line l)
{
	for (int i = 0; i < 3 && l.len > 0 && *l.s == ' '; i++) {
		l.s++;
		l.len--;
	}
	return l;
}

static unsigned heading_level(struct line l)
{
	unsigned n = 0;

	l = unindented(l);
	while (n < l.len && l.s[n] == '#')
		n++;
	return n >= 1 && n <= LEVELS && (n == l.len || l.s[n] == ' ' || l.s[n] == '\t') ? n : 0;
}

/* How many backquotes or tildes, at least three, open a fence here? */
static size_t fence_length(struct line l, char *ret_sign)
{
	size_t n = 0;

	l = unindented(l);
	if (l.len < 3 || (*l.s != '`' && *l.s != '~'))
		return 0;
	while (n < l.len && l.s[n] == *l.s)
		n++;
	*ret_sign = *l.s;
	if (n < 3 || (*ret_sign == '`' && memchr(l.s + n, '`', l.len - n)))
		return 0;
	return n;
}

static bool closes_fence(struct line l, char sign, size_t length)
{
	size_t n = 0;

	l = unindented(l);
	while (n < l.len && l.s[n] == sign)
		n++;
	if (n < length)
		return false;
	while (n < l.len && (l.s[n] == ' ' || l.s[n] == '\t'))
		n++;
	return n == l.len;
}

/* The row below a table's head: only pipes, dashes, colons and blanks, with at least one dash and one pipe. */
static bool is_table_rule(struct line l)
{
	bool dash = false, pipe = false;

	for (size_t i = 0; i < l.len; i++) {
		if (!strchr("|-: \t", l.s[i]) || !l.s[i])
			return false;
		dash |= l.s[i] == '-';
		pipe |= l.s[i] == '|';
	}
	return dash && pipe;
}

static bool has_pipe(struct line l)
{
	return memchr(l.s, '|', l.len) != NULL;
}

/* -- references --------------------------------------------------------------------------------------- */

static char *folded(const char *s, size_t len)
{
	char *name = xmemdupz(s, len);

	for (char *p = name; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
	return name;
}

/* [name]: url "title" */
static bool read_reference(struct markdown *m, struct line l)
{
	const char *close, *url, *stop = l.s + l.len;
	size_t url_len;
	char *name;

	l = unindented(l);
	close = l.len > 0 && *l.s == '[' ? memchr(l.s, ']', l.len) : NULL;
	if (!close || close == l.s + 1 || stop - close < 3 || close[1] != ':' || close - l.s > NAME_BYTES_MAX)
		return false;
	for (url = close + 2; url < stop && (*url == ' ' || *url == '\t'); url++)
		;
	for (url_len = 0; url + url_len < stop && url[url_len] != ' ' && url[url_len] != '\t';)
		url_len++;
	if (url_len == 0)
		return false;
	if (m->references && map_count(m->references) < REFERENCES_MAX) {
		name = folded(l.s + 1, (size_t)(close - l.s - 1));
		if (!map_has(m->references, name))
			map_set(m->references, name, xmemdupz(url, url_len));
		free(name);
	}
	return true;
}

/* Inside of fences nothing is one. */
static void collect_references(struct markdown *m)
{
	const char *start = m->at;
	struct line l;
	size_t fence = 0;
	char sign = 0, other;

	while (read_line(m, &l)) {
		if (fence > 0)
			fence = closes_fence(l, sign, fence) ? 0 : fence;
		else if (fence_length(l, &other) > 0)
			fence = fence_length(l, &sign);
		else
			read_reference(m, l);
	}
	m->at = start;
}

static const char *url_of(const struct markdown *m, const char *name, size_t len)
{
	const char *url;
	char *key;

	if (len == 0 || len > NAME_BYTES_MAX)
		return NULL;
	key = folded(name, len);
	url = map_get(m->references, key);
	free(key);
	return url;
}

/* [text][name] and [name][] become [text](url). */
static void add_resolved(struct markdown *m, struct buf *out, struct line l)
{
	const char *at = l.s, *stop = l.s + l.len;

	while (at < stop) {
		const char *open = memchr(at, '[', (size_t)(stop - at)), *close, *second, *url = NULL;

		if (!open)
			break;
		close = memchr(open, ']', (size_t)(stop - open));
		if (!close)
			break;
		if (stop - close > 2 && close[1] == '[') {
			second = memchr(close + 2, ']', (size_t)(stop - close - 2));
			if (second && second == close + 2)
				url = url_of(m, open + 1, (size_t)(close - open - 1));
			else if (second)
				url = url_of(m, close + 2, (size_t)(second - close - 2));
			if (url) {
				buf_add(out, at, (size_t)(close + 1 - at));
				buf_addf(out, "(%s)", url);
				at = second + 1;
				continue;
			}
		}
		buf_add(out, at, (size_t)(close + 1 - at));
		at = close + 1;
	}
	buf_add(out, at, (size_t)(stop - at));
}

static void add_line(struct markdown *m, struct line l)
{
	if (m->opt->reference_links)
		add_resolved(m, &m->body, l);
	else
		buf_add(&m->body, l.s, l.len);
	buf_addc(&m->body, '\n');
}

/* -- chunks ------------------------------------------------------------------------------------------- */

static void put_headings(const struct markdown *m, struct buf *out)
{
	for (unsigned i = 0; i < m->level; i++) {
		if (m->headings[i].len == 0 || (!m->opt->heading_hierarchy && i + 1 != m->level))
			continue;
		buf_add(out, m->headings[i].s, m->headings[i].len);
		buf_addc(out, '\n');
	}
}

static int add_chunk(struct markdown *m, const char *s, size_t len)
{
	struct buf b = BUF_INIT;

	put_headings(m, &b);
	m->heading_used = true;
	buf_add(&b, s, len);
	while (buf_len(&b) > 0 && strchr(" \t\r\n", buf_data(&b)[buf_len(&b) - 1]))
		buf_truncate(&b, buf_len(&b) - 1);
	m->bytes += buf_len(&b);
	if (buf_len(&b) > 0)
		value_list_append(m->chunks, value_string(buf_data(&b), buf_len(&b)));
	buf_done(&b);
	return m->bytes > SPLIT_CHUNKS_BYTES_MAX
		       ? err_set(m->e, ERR_INVALID, "the chunks take more than %d bytes", SPLIT_CHUNKS_BYTES_MAX)
		       : 0;
}

/* The room below the headings; they may not take all of it. */
static size_t room(const struct markdown *m)
{
	struct buf b = BUF_INIT;
	size_t taken = 0;

	put_headings(m, &b);
	for (size_t i = 0; i < buf_len(&b); i++)
		taken += ((unsigned char)buf_data(&b)[i] & 0xc0) != 0x80;
	buf_done(&b);
	return taken > m->opt->size / 2 ? (m->opt->size + 1) / 2 : m->opt->size - taken;
}

static int flush(struct markdown *m)
{
	struct split_options opt = {.size = room(m)};
	struct value *parts;
	int rc = 0;

	opt.overlap = m->opt->overlap < opt.size ? m->opt->overlap : opt.size - 1;
	if (split_recursive(buf_data(&m->body), buf_len(&m->body), &opt, &parts, m->e) < 0)
		return -1;
	buf_clear(&m->body);
	for (size_t i = 0; i < value_count(parts) && rc == 0; i++) {
		size_t len;
		const char *s = value_get_string(value_at(parts, i), &len);

		rc = add_chunk(m, s, len);
	}
	value_unref(parts);
	return rc;
}

/* A heading without text below it is a chunk too, unless those below it repeat it. */
static int leave_heading(struct markdown *m, unsigned next_level)
{
	if (flush(m) < 0)
		return -1;
	if (m->level > 0 && !m->heading_used && !(m->opt->heading_hierarchy && next_level > m->level))
		return add_chunk(m, "", 0);
	return 0;
}

static int enter_heading(struct markdown *m, struct line l, unsigned level)
{
	if (leave_heading(m, level) < 0)
		return -1;
	for (unsigned i = level; i < LEVELS; i++)
		m->headings[i].len = 0;
	m->headings[level - 1] = unindented(l);
	m->level = level;
	m->heading_used = false;
	return 0;
}

static void read_fence(struct markdown *m, struct line l)
{
	char sign = 0;
	size_t fence = fence_length(l, &sign);

	for (bool first = true;; first = false) {
		if (m->opt->code_blocks) {
			buf_add(&m->body, l.s, l.len);
			buf_addc(&m->body, '\n');
		}
		if ((!first && closes_fence(l, sign, fence)) || !read_line(m, &l))
			return;
	}
}

static size_t characters(const struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < buf_len(b); i++)
		n += ((unsigned char)buf_data(b)[i] & 0xc0) != 0x80;
	return n;
}

/* The rows below a head and its rule: as many a chunk as fit, or each alone. */
static int read_table(struct markdown *m, struct line head)
{
	struct buf chunk = BUF_INIT;
	struct line rule, row;
	size_t limit, rows = 0;
	int rc = flush(m);

	limit = room(m);
	if (rc == 0 && !read_line(m, &rule))
		return 0;
	while (rc == 0) {
		const char *before = m->at;
		bool more = read_line(m, &row) && has_pipe(row) && heading_level(row) == 0;

		if (!more)
			m->at = before;
		if (rows > 0 && (!more || !m->opt->join_table_rows || characters(&chunk) + row.len > limit)) {
			rc = add_chunk(m, buf_data(&chunk), buf_len(&chunk));
			rows = 0;
		}
		if (!more)
			break;
		if (rows++ == 0) {
			buf_clear(&chunk);
			buf_add(&chunk, head.s, head.len);
			buf_addc(&chunk, '\n');
			buf_add(&chunk, rule.s, rule.len);
			buf_addc(&chunk, '\n');
		}
		buf_add(&chunk, row.s, row.len);
		buf_addc(&chunk, '\n');
	}
	buf_done(&chunk);
	return rc;
}

static bool table_begins(struct markdown *m, struct line l)
{
	const char *before = m->at;
	struct line below;
	bool yes = has_pipe(l) && read_line(m, &below) && is_table_rule(below);

	m->at = before;
	return yes;
}

static int read_blocks(struct markdown *m)
{
	struct line l;
	char sign;

	while (read_line(m, &l)) {
		unsigned level = heading_level(l);
		int rc = 0;

		if (fence_length(l, &sign) > 0)
			read_fence(m, l);
		else if (level > 0)
			rc = enter_heading(m, l, level);
		else if (table_begins(m, l))
			rc = read_table(m, l);
		else if (!m->opt->reference_links || !read_reference(m, l))
			add_line(m, l);
		if (rc < 0)
			return -1;
	}
	return leave_heading(m, 0);
}

int split_markdown(
	const char *text, size_t len, const struct split_options *opt, struct value **ret_chunks, struct err *e)
{
	struct markdown m = {.opt = opt, .at = text, .end = text + len, .e = e};
	int rc;

	if (opt->size == 0)
		return err_set(e, ERR_INVALID, "chunk_size must be at least 1");
	if (opt->overlap >= opt->size)
		return err_set(e, ERR_INVALID, "chunk_overlap must be less than chunk_size");
	if (len > SPLIT_TEXT_BYTES_MAX)
		return err_set(e, ERR_INVALID, "the text is longer than %d bytes", SPLIT_TEXT_BYTES_MAX);
	if (opt->reference_links) {
		m.references = map_new();
		collect_references(&m);
	}
	m.chunks = value_list();
	rc = read_blocks(&m);
	if (rc == 0)
		*ret_chunks = m.chunks;
	else
		value_unref(m.chunks);
	map_free(m.references, free);
	buf_done(&m.body);
	return rc;
}
