#include "http/media_type.h"

#include <string.h>
#include <strings.h>

#include "base/hex.h"

static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

bool media_type_is(const char *field, const char *type)
{
	size_t n = strlen(type);

	field = skip_blanks(field);
	if (strncasecmp(field, type, n) != 0)
		return false;
	field = skip_blanks(field + n);
	return *field == '\0' || *field == ';';
}

/* charset'language'percent-encoded; the charset must be one whose bytes we can take as they are. */
static bool decode_extended(const char *s, size_t len, struct buf *out)
{
	const char *end = s + len;
	const char *first = memchr(s, '\'', len);
	const char *second = first ? memchr(first + 1, '\'', (size_t)(end - first - 1)) : NULL;
	size_t charset = first ? (size_t)(first - s) : 0;

	if (!second || !((charset == 5 && strncasecmp(s, "utf-8", 5) == 0) ||
			       (charset == 8 && strncasecmp(s, "us-ascii", 8) == 0)))
		return false;
	for (s = second + 1; s < end; s++) {
		if (*s != '%') {
			buf_addc(out, *s);
		} else if (end - s >= 3 && hex_byte(s + 1) >= 0) {
			buf_addc(out, (char)hex_byte(s + 1));
			s += 2;
		} else {
			return false;
		}
	}
	return true;
}

/* A token or quoted string at *at, appended. A backslash quotes only what needs it: old browsers sent C:\dir\file. */
static bool read_value(const char **at, struct buf *out)
{
	const char *s = *at;

	if (*s != '"') {
		size_t n = 0;

		while (is_token_char(s[n]))
			n++;
		buf_add(out, s, n);
		*at = s + n;
		return n > 0;
	}
	for (s++; *s && *s != '"'; s++) {
		if (*s == '\\' && (s[1] == '"' || s[1] == '\\'))
			s++;
		buf_addc(out, *s);
	}
	if (*s != '"')
		return false;
	*at = s + 1;
	return true;
}

/* The next `; name=value`; false at the end. */
static bool read_param(const char **at, const char **ret_name, size_t *ret_len, struct buf *value)
{
	const char *s = skip_blanks(*at);
	size_t n = 0;

	buf_clear(value);
	if (*s != ';')
		return false;
	s = skip_blanks(s + 1);
	while (is_token_char(s[n]))
		n++;
	if (n == 0 || s[n] != '=')
		return false;
	*ret_name = s;
	*ret_len = n;
	s += n + 1;
	if (!read_value(&s, value))
		return false;
	*at = s;
	return true;
}

bool media_type_param(const char *field, const char *name, struct buf *out)
{
	const char *at = field + strcspn(field, ";"), *found;
	struct buf value = BUF_INIT, wide = BUF_INIT;
	size_t wanted = strlen(name), start = buf_len(out), len;
	bool plain = false, extended = false;

	while (!extended && read_param(&at, &found, &len, &value)) {
		if (strncasecmp(found, name, wanted < len ? wanted : len) != 0)
			continue;
		if (len == wanted + 1 && found[wanted] == '*') {
			buf_clear(&wide);
			extended = decode_extended(buf_data(&value), buf_len(&value), &wide);
		} else if (len == wanted && !plain) {
			buf_add(out, buf_data(&value), buf_len(&value));
			plain = true;
		}
	}
	if (extended) {
		buf_truncate(out, start);
		buf_add(out, buf_data(&wide), buf_len(&wide));
	}
	buf_done(&wide);
	buf_done(&value);
	return plain || extended;
}
