#include "value/expr_lex.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hex.h"
#include "base/utf8.h"
#include "value/letter_case.h"

enum { NUMBER_BYTES_MAX = 100, QUOTED_BYTES_MAX = 40 };

void expr_lexer_init(struct expr_lexer *l, const char *source, size_t len, struct err *e)
{
	*l = (struct expr_lexer){.at = source, .end = source + len, .line = 1, .line_start = source, .e = e};
}

void expr_lexer_done(struct expr_lexer *l)
{
	value_unref(l->token.literal);
	l->token.literal = NULL;
}

static int fail(struct expr_lexer *l, const char *what)
{
	return err_set(l->e, ERR_INVALID, "%s (%u:%u)", what, l->token.line, l->token.column);
}

int expr_lexer_refuse(struct expr_lexer *l, const char *what)
{
	struct buf text = BUF_INIT;
	const struct token *t = &l->token;

	if (t->type == TOKEN_END)
		buf_adds(&text, "end of expression");
	else
		buf_add_escaped(&text, t->start, t->len, QUOTED_BYTES_MAX);
	err_set(l->e, ERR_INVALID, "%s %s (%u:%u)", what, buf_str(&text), t->line, t->column);
	buf_done(&text);
	return -1;
}

bool token_is(const struct token *t, const char *text)
{
	return (t->type == TOKEN_SIGN || t->type == TOKEN_NAME) && strlen(text) == t->len &&
	       memcmp(text, t->start, t->len) == 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_byte(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
	       (unsigned char)c >= 0x80;
}

static size_t left(const struct expr_lexer *l)
{
	return (size_t)(l->end - l->at);
}

static void count_lines(struct expr_lexer *l, const char *from)
{
	for (; from < l->at; from++) {
		if (*from == '\n') {
			l->line++;
			l->line_start = from + 1;
		}
	}
}

/* Blanks and comments. */
static int skip(struct expr_lexer *l)
{
	const char *from = l->at;

	for (; left(l) > 0; l->at++) {
		if (strchr(" \t\r\n\f\v", *l->at) && *l->at)
			continue;
		if (left(l) < 2 || l->at[0] != '/' || (l->at[1] != '/' && l->at[1] != '*'))
			break;
		if (l->at[1] == '/') {
			while (left(l) > 1 && l->at[1] != '\n')
				l->at++;
			continue;
		}
		l->token.line = l->line;
		l->token.column = (uint32_t)(l->at - l->line_start) + 1;
		for (l->at += 2; left(l) >= 2 && (l->at[0] != '*' || l->at[1] != '/');)
			l->at++;
		if (left(l) < 2)
			return fail(l, "unclosed comment");
		l->at++;
	}
	count_lines(l, from);
	return 0;
}

/* -- numbers ------------------------------------------------------------------------------------------ */

static int read_integer(struct expr_lexer *l, const char *digits, int base)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(digits, &end, base);
	if (*end || end == digits)
		return fail(l, "bad number syntax");
	if (errno || v > INT64_MAX)
		return fail(l, "the number is too large");
	l->token.literal = value_int((int64_t)v);
	return 0;
}

static int read_float(struct expr_lexer *l, const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (*end)
		return fail(l, "bad number syntax");
	if (!isfinite(v))
		return fail(l, "the number is too large");
	l->token.literal = value_float(v);
	return 0;
}

static int read_number(struct expr_lexer *l)
{
	char text[NUMBER_BYTES_MAX] = "";
	size_t n = 0;
	bool fraction = false, based;

	based = left(l) > 1 && l->at[0] == '0' && strchr("xXoObB", l->at[1]) && l->at[1];
	for (; left(l) > 0; l->at++) {
		char c = *l->at;

		/* 1..3 is a range */
		if (c == '.' && (based || fraction || (left(l) > 1 && l->at[1] == '.')))
			break;
		if ((c == '+' || c == '-') && (based || n == 0 || (text[n - 1] | 0x20) != 'e'))
			break;
		if (c != '.' && c != '+' && c != '-' && !is_name_byte(c))
			break;
		if (c == '.' || (!based && (c | 0x20) == 'e'))
			fraction = true;
		if (c == '_')
			continue;
		if (n == sizeof(text) - 1)
			return fail(l, "the number is too large");
		text[n++] = c;
	}
	text[n] = '\0';
	for (size_t i = 0; !based && i < n; i++) {
		if (!is_digit(text[i]) && !strchr(".eE+-", text[i]))
			return fail(l, "bad number syntax");
	}
	if (based)
		return read_integer(l, text + 2, (text[1] | 0x20) == 'x' ? 16 : (text[1] | 0x20) == 'o' ? 8 : 2);
	return fraction ? read_float(l, text) : read_integer(l, text, 10);
}

/* -- strings ------------------------------------------------------------------------------------------ */

static int read_code(struct expr_lexer *l, unsigned digits, int base, uint32_t *ret_code)
{
	uint32_t code = 0;

	for (unsigned i = 0; i < digits; i++, l->at++) {
		int v = left(l) > 0 ? hex_digit(*l->at) : -1;

		if (v < 0 || v >= base)
			return fail(l, "invalid escape sequence in a string");
		code = code * (uint32_t)base + (uint32_t)v;
	}
	*ret_code = code;
	return 0;
}

/* \u twice for one character (UTF-16), \u, \U: the cursor is behind the letter. */
static int read_unicode(struct expr_lexer *l, unsigned digits, struct buf *out)
{
	uint32_t code = 0, low = 0;

	if (read_code(l, digits, 16, &code) < 0)
		return -1;
	if (code >= 0xd800 && code < 0xdc00 && left(l) >= 6 && l->at[0] == '\\' && l->at[1] == 'u') {
		l->at += 2;
		if (read_code(l, 4, 16, &low) < 0)
			return -1;
		if (low < 0xdc00 || low > 0xdfff)
			return fail(l, "invalid escape sequence in a string");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return fail(l, "invalid escape sequence in a string");
	letter_put(out, code);
	return 0;
}

static int read_escape(struct expr_lexer *l, struct buf *out)
{
	static const char letters[] = "abfnrtv\\'\"`?", bytes[] = "\a\b\f\n\r\t\v\\'\"`?";
	const char *letter;
	uint32_t code = 0;
	char c;

	if (left(l) == 0)
		return fail(l, "the string is not closed");
	c = *l->at++;
	letter = c ? strchr(letters, c) : NULL;
	if (letter) {
		buf_addc(out, bytes[letter - letters]);
		return 0;
	}
	if (c == 'u' || c == 'U')
		return read_unicode(l, c == 'u' ? 4 : 8, out);
	if (c == 'x') {
		if (read_code(l, 2, 16, &code) < 0)
			return -1;
		letter_put(out, code);
		return 0;
	}
	if (c >= '0' && c <= '3') {
		l->at--;
		if (read_code(l, 3, 8, &code) < 0)
			return -1;
		letter_put(out, code);
		return 0;
	}
	return fail(l, "invalid escape sequence in a string");
}

static int read_string(struct expr_lexer *l, char quote)
{
	struct buf text = BUF_INIT;
	int rc = -1;

	for (l->at++;;) {
		if (left(l) == 0 || (*l->at == '\n' && quote != '`')) {
			fail(l, "the string is not closed");
			goto out;
		}
		if (*l->at == quote) {
			l->at++;
			/* Twice in a raw string: the quote itself. */
			if (quote != '`' || left(l) == 0 || *l->at != '`')
				break;
		}
		if (*l->at == '\\' && quote != '`') {
			l->at++;
			if (read_escape(l, &text) < 0)
				goto out;
			continue;
		}
		buf_addc(&text, *l->at++);
	}
	l->token.literal = value_string(buf_data(&text), buf_len(&text));
	rc = 0;
out:
	buf_done(&text);
	return rc;
}

/* -- tokens ------------------------------------------------------------------------------------------- */

static size_t sign_length(const struct expr_lexer *l)
{
	static const char *const doubles[] = {"==", "!=", "<=", ">=", "&&", "||", "**", "..", "?.", "??", "::", ":="};

	for (size_t i = 0; i < ARRAY_LEN(doubles); i++) {
		if (left(l) >= 2 && memcmp(l->at, doubles[i], 2) == 0)
			return 2;
	}
	return strchr("()[]{},;:.?!<>=+-*/%^|#&", *l->at) && *l->at ? 1 : 0;
}

int expr_lexer_next(struct expr_lexer *l)
{
	struct token *t = &l->token;
	const char *from;
	int rc = 0;
	char c;

	value_unref(t->literal);
	t->literal = NULL;
	if (skip(l) < 0)
		return -1;
	from = l->at;
	t->start = from;
	t->line = l->line;
	t->column = (uint32_t)(from - l->line_start) + 1;
	if (left(l) == 0) {
		t->type = TOKEN_END;
		t->len = 0;
		return 0;
	}
	c = *from;
	if (c == '\'' || c == '"' || c == '`') {
		t->type = TOKEN_STRING;
		rc = read_string(l, c);
		count_lines(l, from);
	} else if (is_digit(c) || (c == '.' && left(l) > 1 && is_digit(from[1]))) {
		t->type = TOKEN_NUMBER;
		rc = read_number(l);
	} else if (is_name_byte(c)) {
		t->type = TOKEN_NAME;
		while (left(l) > 0 && is_name_byte(*l->at))
			l->at++;
		if (!utf8_is_valid(from, (size_t)(l->at - from)))
			rc = fail(l, "invalid UTF-8");
	} else {
		t->type = TOKEN_SIGN;
		l->at += sign_length(l);
		if (l->at == from) {
			l->at++;
			t->len = 1;
			rc = expr_lexer_refuse(l, "unrecognized character");
		}
	}
	t->len = (size_t)(l->at - from);
	return rc;
}
