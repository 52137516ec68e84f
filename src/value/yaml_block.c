/*
 * yaml_block.c - see yaml_block.h
 *
 * libfyaml 0.7.12 finds where a block scalar is, but folds some wrongly ("a", an empty line and " b" lose a line
 * break), returns memory that nobody wrote for others, and lets lines stand as far left as the key.
 */
#include "value/yaml_block.h"

#include <stdbool.h>
#include <string.h>

enum chomp { CHOMP_CLIP, CHOMP_STRIP, CHOMP_KEEP };

struct header {
	bool folded;
	enum chomp chomp;
	size_t indent; /* 0: not given */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Read the header at text[i], which ends at the newline before `start`; false if it is none. */
static bool read_header(const struct yaml_block *b, size_t i, struct header *h)
{
	*h = (struct header){.folded = b->text[i] == '>'};
	for (i++; i < b->start; i++) {
		char c = b->text[i];

		if (c == '+' || c == '-')
			h->chomp = c == '+' ? CHOMP_KEEP : CHOMP_STRIP;
		else if (c >= '1' && c <= '9')
			h->indent = (size_t)(c - '0');
		else
			break;
	}
	while (i < b->start && is_blank(b->text[i]))
		i++;
	return i < b->start && (b->text[i] == '\n' || b->text[i] == '#');
}

/* The header is the first thing on its line that can be one: a comment may hold others. */
static bool find_header(const struct yaml_block *b, struct header *h)
{
	size_t i;

	if (b->start == 0)
		return false;
	for (i = b->start - 1; i > b->header && b->text[i - 1] != '\n';)
		i--;
	for (; i < b->start; i++) {
		bool begins = i == 0 || i == b->header || is_blank(b->text[i - 1]) || b->text[i - 1] == '\n';

		if (begins && (b->text[i] == '|' || b->text[i] == '>') && read_header(b, i, h))
			return true;
	}
	return false;
}

/* Spaces at the beginning of the line at `i`, at most `max`. */
static size_t count_spaces(const struct yaml_block *b, size_t i, size_t max)
{
	size_t n = 0;

	while (n < max && i + n < b->len && b->text[i + n] == ' ')
		n++;
	return n;
}

/* The indentation of the first line that is not empty; that of the text before it does not count. */
static size_t detect_indent(const struct yaml_block *b)
{
	size_t i = b->start;

	while (i < b->len) {
		size_t spaces = count_spaces(b, i, b->len);

		if (b->text[i + spaces] != '\n')
			return spaces;
		i += spaces + 1;
	}
	return 0;
}

/* Skip empty lines, counting them; `i` ends at the beginning of a line that is not. */
static size_t skip_empty(const struct yaml_block *b, size_t i, size_t indent, size_t *ret_count)
{
	size_t count = 0;

	while (i < b->len) {
		size_t spaces = count_spaces(b, i, indent);

		if (b->text[i + spaces] != '\n')
			break;
		i += spaces + 1;
		count++;
	}
	*ret_count = count;
	return i;
}

static void add_breaks(struct buf *out, size_t n)
{
	while (n-- > 0)
		buf_addc(out, '\n');
}

static bool is_document_marker(const struct yaml_block *b, size_t i)
{
	return b->len - i > 3 && (memcmp(b->text + i, "---", 3) == 0 || memcmp(b->text + i, "...", 3) == 0) &&
	       (is_blank(b->text[i + 3]) || b->text[i + 3] == '\n');
}

/* True if only blanks and comments stand between the two ends. */
static bool ends_agree(const struct yaml_block *b, size_t end)
{
	size_t from = end < b->end ? end : b->end;
	size_t to = end < b->end ? b->end : end;

	for (size_t i = from; i < to && i < b->len; i++) {
		if (!is_blank(b->text[i]) && b->text[i] != '\n')
			return false;
	}
	return true;
}

const char *yaml_block_text(const struct yaml_block *b, struct buf *out)
{
	struct header h;
	size_t indent, empty, i;
	bool any = false;          /* a line was added, its break is still owed */
	bool was_indented = false; /* that line began with a blank */

	if (!find_header(b, &h))
		return "the block scalar has no header";
	if (h.indent > 0)
		indent = h.indent + (b->indent > 0 ? b->indent - 1 : 0);
	else
		indent = detect_indent(b);
	if (indent < b->indent)
		indent = b->indent; /* an empty scalar, or the ends will differ */
	i = skip_empty(b, b->start, indent, &empty);
	while (i < b->len && count_spaces(b, i, indent) == indent && !(indent == 0 && is_document_marker(b, i))) {
		const char *line = b->text + i + indent;
		const char *stop = memchr(line, '\n', b->len - i - indent);
		bool indented = is_blank(*line);

		if (any && h.folded && !was_indented && !indented) {
			if (empty == 0)
				buf_addc(out, ' ');
		} else if (any) {
			buf_addc(out, '\n');
		}
		add_breaks(out, empty);
		buf_add(out, line, (size_t)(stop - line));
		any = true;
		was_indented = indented;
		i = skip_empty(b, (size_t)(stop + 1 - b->text), indent, &empty);
	}
	if (!ends_agree(b, i))
		return "a block scalar must be indented deeper than what it belongs to";
	if (any && h.chomp != CHOMP_STRIP)
		buf_addc(out, '\n');
	if (h.chomp == CHOMP_KEEP)
		add_breaks(out, empty);
	return NULL;
}
