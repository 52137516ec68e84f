/*
 * json_write.c - values to JSON text (RFC 8259). See json.h
 */
#include "value/json.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/number.h"
#include "base/utf8.h"

/* What follows the backslash for the control bytes that have a short form. */
static char short_escape(char c)
{
	switch (c) {
	case '"':
	case '\\':
		return c;
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return '\0';
	}
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Does one of the eight bytes need a look? Subtracting sets a byte's upper bit when it was too small, or already set. */
static bool has_special(uint64_t eight)
{
	const uint64_t ones = 0x0101010101010101;

	return (((eight - ones * 0x20) | ((eight ^ ones * '"') - ones) | ((eight ^ ones * '\\') - ones) | eight) &
		       ones * 0x80) != 0;
}

/* Bytes at the front that go out as they are, without those beyond ASCII. */
static size_t plain_run(const char *s, size_t len)
{
	size_t n = 0;
	uint64_t eight;

	for (; len - n >= sizeof(eight); n += sizeof(eight)) {
		memcpy(&eight, s + n, sizeof(eight));
		if (has_special(eight))
			break;
	}
	while (n < len && is_plain((unsigned char)s[n]))
		n++;
	return n;
}

void json_write_string(const char *s, size_t len, struct buf *out)
{
	size_t plain = 0; /* s[plain..i) goes out as it is */

	buf_addc(out, '"');
	for (size_t i = plain_run(s, len); i < len; i += plain_run(s + i, len - i)) {
		unsigned char c = (unsigned char)s[i];
		size_t n = c < 0x80 ? 0 : utf8_sequence(s + i, len - i, NULL);

		if (n > 0) {
			i += n;
			continue;
		}
		buf_add(out, s + plain, i - plain);
		if (c >= 0x80)
			buf_adds(out, "\xef\xbf\xbd"); /* U+FFFD */
		else if (short_escape((char)c))
			buf_addf(out, "\\%c", short_escape((char)c));
		else
			buf_addf(out, "\\u%04x", c);
		plain = ++i;
	}
	buf_add(out, s + plain, len - plain);
	buf_addc(out, '"');
}

void json_write_float(double v, struct buf *out)
{
	char text[NUMBER_PLAIN_MAX];
	size_t len = number_format_plain(v, text, sizeof(text));

	if (len > 0)
		buf_add(out, text, len);
	else
		buf_adds(out, "null");
}

/* A negative indent means: everything on one line. */
static void new_line(struct buf *out, int indent)
{
	if (indent < 0)
		return;
	buf_addc(out, '\n');
	for (int i = 0; i < indent; i++)
		buf_adds(out, "  ");
}

static void write_value(const struct value *v, struct buf *out, int indent)
{
	int inner = indent < 0 ? -1 : indent + 1;
	size_t n = value_count(v);
	char number[NUMBER_TEXT_MAX];
	const char *text;
	size_t len;

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
		json_write_float(value_get_float(v), out);
		break;
	case VALUE_STRING:
		text = value_get_string(v, &len);
		json_write_string(text, len, out);
		break;
	case VALUE_LIST:
		buf_addc(out, '[');
		for (size_t i = 0; i < n; i++) {
			if (i > 0)
				buf_addc(out, ',');
			new_line(out, inner);
			write_value(value_at(v, i), out, inner);
		}
		if (n > 0)
			new_line(out, indent);
		buf_addc(out, ']');
		break;
	case VALUE_MAP:
		buf_addc(out, '{');
		for (size_t i = 0; i < n; i++) {
			const char *key;
			const struct value *item = value_pair(v, i, &key, NULL);

			if (i > 0)
				buf_addc(out, ',');
			new_line(out, inner);
			json_write_string(key, strlen(key), out);
			buf_adds(out, indent < 0 ? ":" : ": ");
			write_value(item, out, inner);
		}
		if (n > 0)
			new_line(out, indent);
		buf_addc(out, '}');
		break;
	}
}

void json_write(const struct value *v, struct buf *out)
{
	write_value(v, out, -1);
}

void json_write_pretty(const struct value *v, struct buf *out)
{
	write_value(v, out, 0);
}
