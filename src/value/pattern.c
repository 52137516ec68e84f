#include "value/pattern.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/hex.h"
#include "base/utf8.h"
#include "value/regex.h"

struct pattern {
	struct regex *regex;
};

/* From ECMA-262's syntax to RE2's: where they say the same it is copied. */
struct translator {
	const char *at, *end;
	struct buf *out;
	struct err *e;
};

static int fail(struct translator *t, const char *what)
{
	return err_set(t->e, ERR_INVALID, "invalid regular expression: %s", what);
}

static int hex_digits(struct translator *t, unsigned n, uint32_t *ret)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < n; i++, t->at++) {
		int digit = t->at < t->end ? hex_digit(*t->at) : -1;

		if (digit < 0)
			return fail(t, "hexadecimal digits are missing after \\x or \\u");
		v = v << 4 | (uint32_t)digit;
	}
	*ret = v;
	return 0;
}

/* \uHHHH, or two of them that are halves of one character (UTF-16). */
static int utf16_escape(struct translator *t, uint32_t *ret)
{
	uint32_t low = 0;

	if (hex_digits(t, 4, ret) < 0)
		return -1;
	if (*ret >= 0xd800 && *ret < 0xdc00 && t->end - t->at >= 6 && t->at[0] == '\\' && t->at[1] == 'u') {
		t->at += 2;
		if (hex_digits(t, 4, &low) < 0)
			return -1;
		if (low < 0xdc00 || low > 0xdfff)
			return fail(t, "\\u names half a character");
		*ret = 0x10000 + ((*ret - 0xd800) << 10) + (low - 0xdc00);
	}
	return *ret >= 0xd800 && *ret <= 0xdfff ? fail(t, "\\u names half a character") : 0;
}

/* The cursor is behind the backslash. */
static int translate_escape(struct translator *t, bool brackets)
{
	uint32_t code;
	char c;

	if (t->at == t->end)
		return fail(t, "it ends with a backslash");
	c = *t->at++;
	switch (c) {
	case 'd':
	case 'D':
	case 'w':
	case 'W':
	case 'n':
	case 't':
	case 'r':
	case 'f':
	case 'v':
		buf_addf(t->out, "\\%c", c);
		return 0;
	case 's': /* U+000B too, unlike RE2 */
		buf_adds(t->out, brackets ? "\\s\\v" : "[\\s\\v]");
		return 0;
	case 'S':
		buf_adds(t->out, brackets ? "\\x{0}-\\x{8}\\x{e}-\\x{1f}!-\\x{10ffff}" : "[^\\s\\v]");
		return 0;
	case 'b':
		buf_adds(t->out, brackets ? "\\x{8}" : "\\b");
		return 0;
	case 'x':
		if (hex_digits(t, 2, &code) < 0)
			return -1;
		buf_addf(t->out, "\\x{%x}", code);
		return 0;
	case 'u':
		if (utf16_escape(t, &code) < 0)
			return -1;
		buf_addf(t->out, "\\x{%x}", code);
		return 0;
	default:
		break;
	}
	if (c == 'B' && !brackets) {
		buf_adds(t->out, "\\B");
		return 0;
	}
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')
		return fail(t, "an escape that is not supported");
	t->at--;
	t->at += utf8_sequence(t->at, (size_t)(t->end - t->at), &code);
	buf_addf(t->out, "\\x{%x}", code);
	return 0;
}

/* The cursor is behind the "[". Unlike in RE2 a "]" that comes first ends it, and "[" is a character like others. */
static int translate_brackets(struct translator *t)
{
	buf_addc(t->out, '[');
	if (t->at < t->end && *t->at == '^')
		buf_addc(t->out, *t->at++);
	if (t->at < t->end && *t->at == ']')
		return fail(t, "an empty class");
	while (t->at < t->end) {
		char c = *t->at++;

		if (c == '[')
			buf_addc(t->out, '\\');
		if (c == '\\') {
			if (translate_escape(t, true) < 0)
				return -1;
			continue;
		}
		buf_addc(t->out, c);
		if (c == ']')
			return 0;
	}
	return fail(t, "']' is missing");
}

static int translate(struct translator *t)
{
	int rc = 0;

	while (rc == 0 && t->at < t->end) {
		char c = *t->at++;

		if (c == '(' && t->at < t->end && *t->at == '?' && (t->end - t->at < 2 || t->at[1] != ':'))
			return fail(t, "groups that begin with '(?' are not supported, except '(?:'");
		if (c == '[')
			rc = translate_brackets(t);
		else if (c == '\\')
			rc = translate_escape(t, false);
		else if (c == '.')
			buf_adds(t->out, "[^\\n\\r]");
		else
			buf_addc(t->out, c);
	}
	return rc;
}

/* What regex.h says is about the translation: the offset would mislead. */
static int explain(const struct err *why, struct err *e)
{
	static const char prefix[] = "invalid regex pattern: ";
	const char *text = why->text, *end;

	if (strncmp(text, prefix, sizeof(prefix) - 1) == 0)
		text += sizeof(prefix) - 1;
	end = strstr(text, " at offset ");
	return err_set(
		e, why->kind, "invalid regular expression: %.*s", end ? (int)(end - text) : (int)strlen(text), text);
}

int pattern_compile(const char *text, size_t len, struct pattern **ret_pattern, struct err *e)
{
	struct buf translated = BUF_INIT;
	struct translator t = {.at = text, .end = text + len, .out = &translated, .e = e};
	struct regex *regex;
	struct err why = {0};
	int rc = -1;

	if (len > PATTERN_BYTES_MAX)
		return err_set(
			e, ERR_INVALID, "invalid regular expression: it is longer than %d bytes", PATTERN_BYTES_MAX);
	if (!utf8_is_valid(text, len))
		return fail(&t, "it is not UTF-8");
	if (translate(&t) < 0)
		goto out;
	if (regex_compile(buf_str(&translated), buf_len(&translated), &regex, &why) < 0) {
		explain(&why, e);
		goto out;
	}
	*ret_pattern = xmalloc(sizeof(**ret_pattern));
	(*ret_pattern)->regex = regex;
	rc = 0;
out:
	buf_done(&translated);
	return rc;
}

void pattern_free(struct pattern *p)
{
	if (!p)
		return;
	regex_unref(p->regex);
	free(p);
}

bool pattern_matches(const struct pattern *p, const char *text, size_t len)
{
	return regex_matches(p->regex, text, len);
}
