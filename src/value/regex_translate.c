#include "value/regex_translate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hex.h"
#include "base/utf8.h"
#include "value/regex.h"

enum { DEPTH_MAX = 200 };

struct translator {
	const char *start, *at, *end;
	struct buf *out;
	struct regex_groups *groups;
	struct err *e;
	unsigned depth;
	bool repeatable; /* may a quantifier follow? */
	bool repeated;   /* did one precede? */
};

static int fail_at(struct translator *t, const char *where, const char *what)
{
	return err_set(t->e, ERR_INVALID, "invalid regex pattern: %s at offset %zu", what, (size_t)(where - t->start));
}

static size_t left(const struct translator *t)
{
	return (size_t)(t->end - t->at);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_word(char c)
{
	return is_digit(c) || is_letter(c) || c == '_';
}

/* Always as a number, so that no character is special by accident. */
static void put_code(struct translator *t, uint32_t code)
{
	if (code < 0x80 && is_word((char)code))
		buf_addc(t->out, (char)code);
	else
		buf_addf(t->out, "\\x{%x}", code);
}

/* \xHH and \x{H...}; the cursor is behind the x. */
static int read_hex(struct translator *t, uint32_t *ret_code)
{
	const char *where = t->at - 2;
	uint32_t code = 0;

	if (left(t) > 0 && *t->at == '{') {
		unsigned n = 0;

		for (t->at++; left(t) > 0 && hex_digit(*t->at) >= 0 && n < 8; t->at++, n++)
			code = code << 4 | (uint32_t)hex_digit(*t->at);
		if (n == 0 || left(t) == 0 || *t->at != '}')
			return fail_at(t, where, "invalid escape sequence");
		t->at++;
	} else {
		if (left(t) < 2 || hex_byte(t->at) < 0)
			return fail_at(t, where, "invalid escape sequence");
		code = (uint32_t)hex_byte(t->at);
		t->at += 2;
	}
	if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return fail_at(t, where, "no such character");
	*ret_code = code;
	return 0;
}

/* An escape that stands for one character; the cursor is behind the backslash. */
static int read_escape(struct translator *t, uint32_t *ret_code)
{
	const char *where = t->at - 1;
	size_t n;
	char c;

	if (left(t) == 0)
		return fail_at(t, where, "trailing backslash");
	c = *t->at++;
	switch (c) {
	case 'a':
		*ret_code = '\a';
		return 0;
	case 'f':
		*ret_code = '\f';
		return 0;
	case 'n':
		*ret_code = '\n';
		return 0;
	case 'r':
		*ret_code = '\r';
		return 0;
	case 't':
		*ret_code = '\t';
		return 0;
	case 'v':
		*ret_code = '\v';
		return 0;
	case 'x':
		return read_hex(t, ret_code);
	default:
		break;
	}
	if (is_digit(c)) {
		bool octal = c < '8' && (c == '0' || (left(t) > 0 && *t->at >= '0' && *t->at < '8'));

		if (!octal)
			return fail_at(t, where, "back references are not supported");
		*ret_code = (uint32_t)(c - '0');
		for (n = 0; n < 2 && left(t) > 0 && *t->at >= '0' && *t->at < '8'; n++)
			*ret_code = *ret_code << 3 | (uint32_t)(*t->at++ - '0');
		return 0;
	}
	if (c == 'k' || c == 'g')
		return fail_at(t, where, "back references are not supported");
	if (c == 'C')
		return fail_at(t, where, "\\C is not supported");
	if (is_word(c) || (unsigned char)c >= 0x80)
		return fail_at(t, where, "invalid escape sequence");
	*ret_code = (unsigned char)c;
	return 0;
}

/* \pL, \PL, \p{Greek}, \p{^Greek}; the cursor is at the p. 1 if it is there. */
static int put_property(struct translator *t)
{
	const char *where = t->at - 1, *name;
	bool negated = *t->at == 'P';
	size_t len;

	t->at++;
	if (left(t) > 0 && is_letter(*t->at)) {
		name = t->at++;
		len = 1;
	} else {
		if (left(t) == 0 || *t->at != '{')
			return fail_at(t, where, "invalid character class range");
		t->at++;
		if (left(t) > 0 && *t->at == '^') {
			negated = !negated;
			t->at++;
		}
		for (name = t->at; left(t) > 0 && (is_letter(*t->at) || *t->at == '_');)
			t->at++;
		len = (size_t)(t->at - name);
		if (len == 0 || len > 40 || left(t) == 0 || *t->at != '}')
			return fail_at(t, where, "invalid character class range");
		t->at++;
	}
	/* A name alone would ask for script extensions, which RE2 does not know. */
	buf_addf(t->out, "\\%c{%s%.*s}", negated ? 'P' : 'p',
		len > 2 && !(len == 3 && memcmp(name, "Any", 3) == 0) ? "sc:" : "", (int)len, name);
	return 1;
}

/* \d, \pL and so on, in and out of brackets: 1 if it is one, 0 if not (nothing is consumed), -1 if it is wrong. The cursor is behind the
 * backslash. PCRE2 counts U+000B as a space, RE2 does not. */
static int put_class_escape(struct translator *t, bool brackets)
{
	if (left(t) == 0)
		return 0;
	switch (*t->at) {
	case 'd':
	case 'D':
	case 'w':
	case 'W':
		buf_addf(t->out, "\\%c", *t->at++);
		return 1;
	case 's':
		buf_adds(t->out, brackets ? "\\t\\n\\f\\r\\x20" : "[\\t\\n\\f\\r\\x20]");
		t->at++;
		return 1;
	case 'S':
		buf_adds(t->out, brackets ? "\\S\\x{b}" : "[^\\t\\n\\f\\r\\x20]");
		t->at++;
		return 1;
	case 'p':
	case 'P':
		return put_property(t);
	default:
		return 0;
	}
}

/* [:alpha:] or [:^alpha:] inside of brackets: 1 if it is one. */
static int put_posix_class(struct translator *t)
{
	static const char *const names[] = {"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower",
		"print", "punct", "space", "upper", "word", "xdigit"};
	const char *p = t->at + 2, *name;
	bool negated;
	size_t len;

	if (left(t) < 2 || t->at[0] != '[' || t->at[1] != ':')
		return 0;
	negated = p < t->end && *p == '^';
	p += negated;
	for (name = p; p < t->end && is_letter(*p);)
		p++;
	len = (size_t)(p - name);
	if (t->end - p < 2 || p[0] != ':' || p[1] != ']')
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0) {
			buf_addf(t->out, "[:%s%s:]", negated ? "^" : "", names[i]);
			t->at = p + 2;
			return 1;
		}
	}
	return fail_at(t, t->at, "invalid character class range");
}

static int read_member(struct translator *t, uint32_t *ret_code)
{
	if (*t->at == '\\') {
		t->at++;
		return read_escape(t, ret_code);
	}
	t->at += utf8_sequence(t->at, left(t), ret_code);
	return 0;
}

/* The cursor is behind the "[". */
static int put_brackets(struct translator *t)
{
	const char *where = t->at - 1;

	buf_addc(t->out, '[');
	if (left(t) > 0 && *t->at == '^') {
		buf_addc(t->out, '^');
		t->at++;
	}
	for (bool first = true;; first = false) {
		const char *member = t->at;
		uint32_t from, to;
		int rc;

		if (left(t) == 0)
			return fail_at(t, where, "missing closing ]");
		if (*t->at == ']' && !first)
			break;
		rc = put_posix_class(t);
		if (rc == 0 && *t->at == '\\') {
			t->at++;
			rc = put_class_escape(t, true);
			if (rc == 0)
				t->at--;
		}
		if (rc < 0)
			return -1;
		if (rc > 0)
			continue;
		if (read_member(t, &from) < 0)
			return -1;
		put_code(t, from);
		if (left(t) < 2 || t->at[0] != '-' || t->at[1] == ']')
			continue;
		t->at++;
		if (read_member(t, &to) < 0)
			return -1;
		if (to < from)
			return fail_at(t, member, "invalid character class range");
		buf_addc(t->out, '-');
		put_code(t, to);
	}
	t->at++;
	buf_addc(t->out, ']');
	return 0;
}

static int put_escape(struct translator *t)
{
	uint32_t code;
	int rc;

	if (left(t) > 0 && strchr("AbBz", *t->at) && *t->at) {
		buf_addf(t->out, "\\%c", *t->at++);
		return 0;
	}
	if (left(t) > 0 && *t->at == 'Q') {
		t->at++;
		while (left(t) > 0) {
			if (left(t) >= 2 && t->at[0] == '\\' && t->at[1] == 'E') {
				t->at += 2;
				return 0;
			}
			t->at += utf8_sequence(t->at, left(t), &code);
			put_code(t, code);
		}
		return 0;
	}
	rc = put_class_escape(t, false);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (read_escape(t, &code) < 0)
		return -1;
	put_code(t, code);
	return 0;
}

static int add_group(struct translator *t, const char *name, size_t len)
{
	struct regex_groups *g = t->groups;

	if (g->count == REGEX_GROUPS_MAX)
		return fail_at(t, t->at, "too many groups");
	for (unsigned i = 1; len > 0 && i <= g->count; i++) {
		if (g->names[i] && strlen(g->names[i]) == len && memcmp(g->names[i], name, len) == 0)
			return fail_at(t, name, "duplicate group name");
	}
	g->names = xreallocarray(g->names, g->count + 2, sizeof(*g->names));
	g->names[0] = NULL;
	g->names[++g->count] = len > 0 ? xmemdupz(name, len) : NULL;
	buf_addc(t->out, '(');
	return 0;
}

/* (?P<name> and (?<name>; the cursor is behind the "<". */
static int open_named_group(struct translator *t)
{
	const char *name = t->at;

	while (left(t) > 0 && is_word(*t->at))
		t->at++;
	if (t->at == name || left(t) == 0 || *t->at != '>')
		return fail_at(t, name, "invalid group name");
	t->at++;
	return add_group(t, name, (size_t)(t->at - 1 - name));
}

/* (?i), (?i-s:...; the cursor is behind the "?". *ret_group: does it open a group? */
static int put_flags(struct translator *t, bool *ret_group)
{
	const char *where = t->at - 2;
	bool minus = false, any = false;

	buf_adds(t->out, "(?");
	for (; left(t) > 0; t->at++) {
		char c = *t->at;

		if (c == 'i' || c == 'm' || c == 's' || c == 'U') {
			any = true;
		} else if (c == '-' && !minus) {
			minus = true;
			any = false;
		} else if ((c == ':' || c == ')') && (any || (c == ':' && !minus))) {
			buf_addc(t->out, c);
			t->at++;
			*ret_group = c == ':';
			return 0;
		} else {
			break;
		}
		buf_addc(t->out, c);
	}
	return fail_at(t, where, left(t) == 0 ? "missing closing )" : "invalid or unsupported Perl syntax");
}

/* The cursor is behind the "(". */
static int open_group(struct translator *t)
{
	const char *where = t->at - 1;
	bool group = true;
	int rc;

	if (left(t) == 0 || *t->at != '?') {
		rc = add_group(t, NULL, 0);
	} else {
		char a, b;

		t->at++;
		a = left(t) > 0 ? t->at[0] : '\0';
		b = left(t) > 1 ? t->at[1] : '\0';
		if (a == '=' || a == '!' || (a == '<' && (b == '=' || b == '!')))
			return fail_at(t, where, "look-around is not supported");
		if (a == 'P' && b == '=')
			return fail_at(t, where, "back references are not supported");
		if ((a == 'P' && b == '>') || a == 'R' || a == '&' || a == '+' || is_digit(a) ||
			(a == '-' && is_digit(b)))
			return fail_at(t, where, "recursion is not supported");
		if (a == '>')
			return fail_at(t, where, "atomic groups are not supported");
		if (a == '(')
			return fail_at(t, where, "conditions are not supported");
		if (a == 'C')
			return fail_at(t, where, "callouts are not supported");
		if (a == '<' || (a == 'P' && b == '<')) {
			t->at += a == '<' ? 1 : 2;
			rc = open_named_group(t);
		} else {
			rc = put_flags(t, &group);
		}
	}
	if (rc < 0)
		return -1;
	if (group && ++t->depth > DEPTH_MAX)
		return fail_at(t, where, "expression nests too deeply");
	t->repeatable = t->repeated = false;
	return 0;
}

/* {m}, {m,} or {m,n}, the cursor at the brace: 1 if it is one, 0 if the brace stands for itself. */
static int read_bounds(struct translator *t, unsigned *ret_min, unsigned *ret_max)
{
	unsigned v[2] = {0, 0};
	const char *p = t->at + 1;
	bool comma = false, upper = false;

	if (p == t->end || !is_digit(*p))
		return 0;
	for (; p < t->end && is_digit(*p); p++)
		v[0] = v[0] > REGEX_REPEAT_MAX ? v[0] : v[0] * 10 + (unsigned)(*p - '0');
	if (p < t->end && *p == ',') {
		comma = true;
		for (p++; p < t->end && is_digit(*p); p++, upper = true)
			v[1] = v[1] > REGEX_REPEAT_MAX ? v[1] : v[1] * 10 + (unsigned)(*p - '0');
	}
	if (p == t->end || *p != '}')
		return 0;
	if (v[0] > REGEX_REPEAT_MAX || v[1] > REGEX_REPEAT_MAX || (upper && v[1] < v[0]))
		return fail_at(t, t->at, "invalid repeat count");
	*ret_min = v[0];
	*ret_max = !comma ? v[0] : upper ? v[1] : UINT32_MAX;
	t->at = p + 1;
	return 1;
}

static int put_quantifier(struct translator *t)
{
	const char *where = t->at;
	unsigned min = 0, max = 0;
	int rc;

	if (*where == '{') {
		rc = read_bounds(t, &min, &max);
		if (rc < 0)
			return -1;
		if (rc == 0) {
			t->at++;
			put_code(t, '{');
			t->repeatable = true;
			t->repeated = false;
			return 0;
		}
	} else {
		t->at++;
	}
	if (t->repeated)
		return fail_at(t, where, "invalid nested repetition operator");
	if (!t->repeatable)
		return fail_at(t, where, "missing argument to repetition operator");
	if (*where != '{')
		buf_addc(t->out, *where);
	else if (max == UINT32_MAX)
		buf_addf(t->out, "{%u,}", min);
	else
		buf_addf(t->out, "{%u,%u}", min, max);
	if (left(t) > 0 && *t->at == '?') {
		buf_addc(t->out, '?');
		t->at++;
	}
	t->repeated = true;
	return 0;
}

static int put_one(struct translator *t)
{
	uint32_t code;
	int rc = 0;
	char c = *t->at;

	switch (c) {
	case '*':
	case '+':
	case '?':
	case '{':
		return put_quantifier(t);
	case '(':
		t->at++;
		return open_group(t);
	case '|':
		t->at++;
		buf_addc(t->out, '|');
		t->repeatable = t->repeated = false;
		return 0;
	case ')':
		if (t->depth == 0)
			return fail_at(t, t->at, "unexpected )");
		t->depth--;
		t->at++;
		buf_addc(t->out, ')');
		break;
	case '^':
	case '$':
		/* In a group of their own they may be repeated, as in RE2. */
		t->at++;
		buf_addf(t->out, "(?:%c)", c);
		break;
	case '.':
		t->at++;
		buf_addc(t->out, '.');
		break;
	case '[':
		t->at++;
		rc = put_brackets(t);
		break;
	case '\\':
		t->at++;
		rc = put_escape(t);
		break;
	default:
		t->at += utf8_sequence(t->at, left(t), &code);
		put_code(t, code);
		break;
	}
	t->repeatable = true;
	t->repeated = false;
	return rc;
}

int regex_translate(const char *pattern, size_t len, struct buf *out, struct regex_groups *groups, struct err *e)
{
	struct translator t = {
		.start = pattern, .at = pattern, .end = pattern + len, .out = out, .groups = groups, .e = e};

	if (len > REGEX_PATTERN_BYTES_MAX)
		return err_set(
			e, ERR_INVALID, "invalid regex pattern: it is longer than %d bytes", REGEX_PATTERN_BYTES_MAX);
	for (size_t i = 0; i < len;) {
		size_t n = utf8_sequence(pattern + i, len - i, NULL);

		if (n == 0)
			return fail_at(&t, pattern + i, "invalid UTF-8");
		i += n;
	}
	while (t.at < t.end) {
		if (put_one(&t) < 0)
			return -1;
	}
	return t.depth > 0 ? fail_at(&t, t.end, "missing closing )") : 0;
}

void regex_groups_done(struct regex_groups *g)
{
	for (unsigned i = 1; i <= g->count; i++)
		free(g->names[i]);
	free(g->names);
	*g = (struct regex_groups){0};
}
