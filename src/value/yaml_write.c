/*
 * yaml_write.c - values to YAML text for people. See yaml.h
 *
 * What is written reads back as an equal tree. Strings go out plain where no YAML reader could take them for something
 * else, as a literal block where they have several lines, and in double quotes otherwise.
 */
#include "value/yaml.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/utf8.h"
#include "value/yaml_scalar.h"

/* YAML 1.2.2 section 8.2.2 wants a key without "? " to end within 1024 characters; escapes can quadruple the length. */
enum { SIMPLE_KEY_BYTES_MAX = 200 };

static bool is_printable(uint32_t code)
{
	/* U+2028 and U+2029 end a line for older readers, U+FEFF looks like a byte order mark. */
	return (code >= 0x20 && code < 0x7f) ||
	       (code >= 0xa0 && code != 0x2028 && code != 0x2029 && code != 0xfeff && code != 0xfffe && code != 0xffff);
}

/* True if all characters are printable or, with `lines`, newlines and tabs. */
static bool all_printable(const char *s, size_t len, bool lines)
{
	while (len > 0) {
		uint32_t code;
		size_t n = utf8_sequence(s, len, &code);

		if (n == 0 || !(is_printable(code) || (lines && (code == '\n' || code == '\t'))))
			return false;
		s += n;
		len -= n;
	}
	return true;
}

/* Words that YAML 1.1 readers take for booleans, and the merge key. */
static bool is_special_word(const char *s)
{
	static const char *const words[] = {"y", "n", "yes", "no", "on", "off", "<<", "="};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcasecmp(s, words[i]) == 0)
			return true;
	}
	return false;
}

static bool can_be_plain(const char *s, size_t len)
{
	struct value *meaning;
	bool is_string;

	if (len == 0 || !all_printable(s, len, false) || strchr("-?:,[]{}#&*!|>'\"%@` ", s[0]) || s[len - 1] == ' ' ||
		s[len - 1] == ':' || strncmp(s, "...", 3) == 0 || strstr(s, ": ") || strstr(s, " #") ||
		is_special_word(s))
		return false;
	meaning = yaml_plain_scalar(s, len);
	is_string = value_type(meaning) == VALUE_STRING;
	value_unref(meaning);
	return is_string;
}

/* A block may not begin with blanks: they would be taken for indentation. */
static bool can_be_block(const char *s, size_t len)
{
	return memchr(s, '\n', len) && !strchr(" \t\n", s[0]) && all_printable(s, len, true);
}

static void write_quoted(const char *s, size_t len, struct buf *out)
{
	size_t i = 0;

	buf_addc(out, '"');
	while (i < len) {
		uint32_t code;
		size_t n = utf8_sequence(s + i, len - i, &code);

		if (n == 0) {
			/* YAML text has no way to hold bytes that are not UTF-8. */
			buf_adds(out, "\xef\xbf\xbd");
			i++;
			continue;
		}
		if (code == '"' || code == '\\')
			buf_addf(out, "\\%c", (char)code);
		else if (code == '\n')
			buf_adds(out, "\\n");
		else if (code == '\t')
			buf_adds(out, "\\t");
		else if (is_printable(code))
			buf_add(out, s + i, n);
		else
			buf_addf(out, code < 0x100 ? "\\x%02x" : "\\u%04x", code);
		i += n;
	}
	buf_addc(out, '"');
}

static void put_indent(struct buf *out, unsigned indent)
{
	for (unsigned i = 0; i < indent; i++)
		buf_adds(out, "  ");
}

static void write_block(const char *s, size_t len, struct buf *out, unsigned indent)
{
	const char *chomping = "-";
	const char *end = s + len;

	if (end[-1] == '\n')
		chomping = len > 1 && end[-2] == '\n' ? "+" : "";
	buf_addf(out, "|%s\n", chomping);
	while (s < end) {
		const char *stop = memchr(s, '\n', (size_t)(end - s));

		if (!stop)
			stop = end;
		if (stop > s)
			put_indent(out, indent);
		buf_add(out, s, (size_t)(stop - s));
		buf_addc(out, '\n');
		s = stop + 1;
	}
}

static void write_key(const char *key, struct buf *out)
{
	size_t len = strlen(key);

	if (can_be_plain(key, len))
		buf_adds(out, key);
	else
		write_quoted(key, len, out);
}

/* A scalar or an empty list or map, with the newline. `indent` is that of the lines of a block. */
static void write_leaf(const struct value *v, struct buf *out, unsigned indent)
{
	char number[NUMBER_TEXT_MAX];
	const char *text;
	size_t len;
	double f;

	switch (value_type(v)) {
	case VALUE_NIL:
		buf_adds(out, "null");
		break;
	case VALUE_BOOL:
		buf_adds(out, value_get_bool(v) ? "true" : "false");
		break;
	case VALUE_INT:
		buf_add(out, number, number_format_int(value_get_int(v), number));
		break;
	case VALUE_FLOAT:
		f = value_get_float(v);
		if (isnan(f))
			buf_adds(out, ".nan");
		else if (isinf(f))
			buf_adds(out, f < 0 ? "-.inf" : ".inf");
		else
			buf_add(out, number, number_format_float(f, number));
		break;
	case VALUE_STRING:
		text = value_get_string(v, &len);
		if (can_be_block(text, len)) {
			write_block(text, len, out, indent);
			return;
		}
		if (can_be_plain(text, len))
			buf_add(out, text, len);
		else
			write_quoted(text, len, out);
		break;
	case VALUE_LIST:
		buf_adds(out, "[]");
		break;
	case VALUE_MAP:
		buf_adds(out, "{}");
		break;
	}
	buf_addc(out, '\n');
}

/* Lines of a list or map at `indent`, maps in it `step` further in; the cursor already stands there for the first one. */
static void write_lines(const struct value *v, struct buf *out, unsigned indent, unsigned step)
{
	size_t n = value_count(v);

	if (n == 0) {
		write_leaf(v, out, indent ? indent : 1);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const struct value *item;
		const char *key;

		if (i > 0)
			put_indent(out, indent);
		if (value_type(v) == VALUE_LIST) {
			buf_adds(out, "- ");
			write_lines(value_at(v, i), out, indent + 1, step);
			continue;
		}
		item = value_pair(v, i, &key, NULL);
		if (strlen(key) > SIMPLE_KEY_BYTES_MAX) {
			buf_adds(out, "? ");
			write_key(key, out);
			buf_addc(out, '\n');
			put_indent(out, indent);
		} else {
			write_key(key, out);
		}
		if (value_count(item) > 0) {
			buf_adds(out, ":\n");
			put_indent(out, indent + step);
			write_lines(item, out, indent + step, step);
		} else {
			buf_adds(out, ": ");
			write_leaf(item, out, indent + step);
		}
	}
}

void yaml_write(const struct value *v, struct buf *out)
{
	yaml_write_indented(v, 4, out);
}

void yaml_write_indented(const struct value *v, unsigned columns, struct buf *out)
{
	write_lines(v, out, 0, columns / 2);
}
