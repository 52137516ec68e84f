#include "value/split.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct part {
	const char *s;
	size_t len, chars;
};

struct splitter {
	const struct split_options *opt;
	struct value *chunks;
	size_t bytes;
	struct err *e;
};

static const char *const default_separators[] = {"\n\n", "\n", " ", ""};

static size_t count_chars(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int add_chunk(struct splitter *sp, const char *s, size_t len)
{
	for (; len > 0 && is_blank(*s); s++, len--)
		;
	while (len > 0 && is_blank(s[len - 1]))
		len--;
	if (len == 0)
		return 0;
	sp->bytes += len;
	if (sp->bytes > SPLIT_CHUNKS_BYTES_MAX)
		return err_set(sp->e, ERR_INVALID, "the chunks take more than %d bytes: use less overlap",
			SPLIT_CHUNKS_BYTES_MAX);
	value_list_append(sp->chunks, value_string(s, len));
	return 0;
}

static int add_joined(struct splitter *sp, const struct part *parts, size_t n, const char *separator)
{
	struct buf b = BUF_INIT;
	int rc;

	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_adds(&b, separator);
		buf_add(&b, parts[i].s, parts[i].len);
	}
	rc = add_chunk(sp, buf_data(&b), buf_len(&b));
	buf_done(&b);
	return rc;
}

/* Small parts to chunks; the parts at the end of one that fit into the overlap begin the next. */
static int merge(struct splitter *sp, const struct part *parts, size_t n, const char *separator)
{
	size_t gap = count_chars(separator, strlen(separator)), first = 0, total = 0, i;

	for (i = 0; i < n; i++) {
		size_t more = parts[i].chars + (i > first ? gap : 0);

		if (i > first && total + more > sp->opt->size) {
			if (add_joined(sp, parts + first, i - first, separator) < 0)
				return -1;
			while (first < i && (total > sp->opt->overlap ||
						    (total > 0 && total + parts[i].chars + gap > sp->opt->size))) {
				total -= parts[first].chars + (i - first > 1 ? gap : 0);
				first++;
			}
		}
		total += parts[i].chars + (i > first ? gap : 0);
	}
	return first < n ? add_joined(sp, parts + first, n - first, separator) : 0;
}

static size_t character_length(const char *s, size_t len)
{
	size_t n = 1;

	while (n < len && ((unsigned char)s[n] & 0xc0) == 0x80)
		n++;
	return n;
}

/* The parts between separators, allocated. */
static struct part *cut(const char *text, size_t len, const char *separator, bool keep, size_t *ret_count)
{
	size_t gap = strlen(separator), n = 0, cap = 0;
	struct part *parts = NULL;
	const char *start = text, *from = text, *end = text + len;

	for (bool last = false; !last;) {
		const char *at;

		if (gap == 0)
			at = start < end ? start + character_length(start, (size_t)(end - start)) : end;
		else
			at = from < end ? memmem(from, (size_t)(end - from), separator, gap) : NULL;
		last = gap == 0 ? at >= end : !at;
		if (last)
			at = end;
		if (n == cap) {
			cap = cap ? cap * 2 : 16;
			parts = xreallocarray(parts, cap, sizeof(*parts));
		}
		if (at > start)
			parts[n++] =
				(struct part){start, (size_t)(at - start), count_chars(start, (size_t)(at - start))};
		start = keep ? at : at + gap;
		from = at + gap;
	}
	*ret_count = n;
	return parts;
}

static int split_with(
	struct splitter *sp, const char *text, size_t len, const char *const *separators, size_t nseparators)
{
	const char *separator = nseparators > 0 ? separators[nseparators - 1] : "", *gap;
	size_t next = nseparators, n, first = 0;
	struct part *parts;
	int rc = 0;

	for (size_t i = 0; i < nseparators; i++) {
		if (separators[i][0] == '\0' || memmem(text, len, separators[i], strlen(separators[i]))) {
			separator = separators[i];
			next = i + 1;
			break;
		}
	}
	parts = cut(text, len, separator, sp->opt->keep_separator, &n);
	gap = sp->opt->keep_separator ? "" : separator;
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (parts[i].chars <= sp->opt->size)
			continue;
		if (i > first)
			rc = merge(sp, parts + first, i - first, gap);
		first = i + 1;
		if (rc == 0)
			rc = next < nseparators
				     ? split_with(sp, parts[i].s, parts[i].len, separators + next, nseparators - next)
				     : add_chunk(sp, parts[i].s, parts[i].len);
	}
	if (rc == 0 && first < n)
		rc = merge(sp, parts + first, n - first, gap);
	free(parts);
	return rc;
}

int split_recursive(
	const char *text, size_t len, const struct split_options *opt, struct value **ret_chunks, struct err *e)
{
	struct splitter sp = {.opt = opt, .e = e};
	const char *const *separators = opt->separators ? opt->separators : default_separators;
	size_t n = opt->separators ? opt->nseparators : ARRAY_LEN(default_separators);

	if (opt->size == 0)
		return err_set(e, ERR_INVALID, "chunk_size must be at least 1");
	if (opt->overlap >= opt->size)
		return err_set(e, ERR_INVALID, "chunk_overlap must be less than chunk_size");
	if (n > SPLIT_SEPARATORS_MAX)
		return err_set(e, ERR_INVALID, "more than %d separators", SPLIT_SEPARATORS_MAX);
	if (len > SPLIT_TEXT_BYTES_MAX)
		return err_set(e, ERR_INVALID, "the text is longer than %d bytes", SPLIT_TEXT_BYTES_MAX);
	sp.chunks = value_list();
	if (split_with(&sp, text, len, separators, n) < 0) {
		value_unref(sp.chunks);
		return -1;
	}
	*ret_chunks = sp.chunks;
	return 0;
}
