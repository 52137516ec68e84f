#include "value/pattern.h"

#include <locale.h>
#include <pthread.h>
#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

enum { DEPTH_MAX = 64 };

struct pattern {
	regex_t regex;
};

/* -- translation -------------------------------------------------------------------------------------- */

struct translator {
	const char *at, *end;
	struct buf *out;
	struct err *e;
	/* What each open group, or the whole at index 0, weighs when its repetitions are written out. */
	size_t weight[DEPTH_MAX];
	unsigned depth;
	size_t listed; /* characters that were written out of ranges */
	size_t atom;   /* the weight of what a quantifier would repeat; 0: nothing to repeat */
};

static int fail(struct translator *t, const char *what)
{
	return err_set(t->e, ERR_INVALID, "invalid regular expression: %s", what);
}

static int hex_digits(struct translator *t, unsigned n, uint32_t *ret)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < n; i++, t->at++) {
		char c = t->at < t->end ? *t->at : 'x';
		int digit = c >= '0' && c <= '9'                     ? c - '0'
			    : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
								     : -1;

		if (digit < 0)
			return fail(t, "hexadecimal digits are missing after \\x or \\u");
		v = v << 4 | (uint32_t)digit;
	}
	*ret = v;
	return 0;
}

/* The character that an escape stands for; the cursor is behind the backslash. */
static int escaped_character(struct translator *t, uint32_t *ret)
{
	uint32_t low = 0;
	char c = *t->at++;

	switch (c) {
	case 'n':
		*ret = '\n';
		return 0;
	case 't':
		*ret = '\t';
		return 0;
	case 'r':
		*ret = '\r';
		return 0;
	case 'f':
		*ret = '\f';
		return 0;
	case 'v':
		*ret = '\v';
		return 0;
	case 'x':
		return hex_digits(t, 2, ret);
	case 'u':
		if (hex_digits(t, 4, ret) < 0)
			return -1;
		/* Two halves of one character (UTF-16). */
		if (*ret >= 0xd800 && *ret < 0xdc00 && t->end - t->at >= 6 && t->at[0] == '\\' && t->at[1] == 'u') {
			t->at += 2;
			if (hex_digits(t, 4, &low) < 0)
				return -1;
			if (low < 0xdc00 || low > 0xdfff)
				return fail(t, "\\u names half a character");
			*ret = 0x10000 + ((*ret - 0xd800) << 10) + (low - 0xdc00);
		}
		return *ret >= 0xd800 && *ret <= 0xdfff ? fail(t, "\\u names half a character") : 0;
	default:
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
			return fail(t, "an escape that is not supported");
		t->at--;
		t->at += utf8_sequence(t->at, (size_t)(t->end - t->at), ret);
		return 0;
	}
}

static void put_character(struct translator *t, uint32_t c)
{
	if (c < 0x80) {
		buf_addc(t->out, (char)c);
	} else if (c < 0x800) {
		buf_addc(t->out, (char)(0xc0 | c >> 6));
		buf_addc(t->out, (char)(0x80 | (c & 63)));
	} else {
		if (c < 0x10000) {
			buf_addc(t->out, (char)(0xe0 | c >> 12));
		} else {
			buf_addc(t->out, (char)(0xf0 | c >> 18));
			buf_addc(t->out, (char)(0x80 | (c >> 12 & 63)));
		}
		buf_addc(t->out, (char)(0x80 | (c >> 6 & 63)));
		buf_addc(t->out, (char)(0x80 | (c & 63)));
	}
}

static int put_literal(struct translator *t, uint32_t c)
{
	if (c == 0)
		return fail(t, "it contains a NUL");
	if (c < 0x80 && strchr("^.[]$()|*+?{}\\", (int)c))
		buf_addc(t->out, '\\');
	put_character(t, c);
	return 0;
}

/* What a class of characters, \d and so on, is inside of brackets; NULL if it is none. */
static const char *class_members(char c)
{
	switch (c) {
	case 'd':
		return "0-9";
	case 'w':
		return "a-zA-Z0-9_";
	case 's':
		return " \t\n\r\f\v";
	default:
		return NULL;
	}
}

static int list_characters(struct translator *t, uint32_t from, uint32_t to)
{
	t->listed += to - from + 1;
	if (to - from >= PATTERN_LISTED_MAX || t->listed > PATTERN_LISTED_MAX)
		return fail(t, "ranges of too many characters beyond ASCII");
	for (uint32_t c = from; c <= to; c++) {
		if (c < 0xd800 || c > 0xdfff)
			put_character(t, c);
	}
	return 0;
}

/*
 * A class in brackets. POSIX knows no escapes there: "]" must come first, "-" last and "^" not first, so members that
 * are special are collected and written at their place.
 */
static int translate_brackets(struct translator *t)
{
	bool negated = false, closing = false, dash = false, caret = false, any = false, open = false;
	struct buf body = BUF_INIT, *out = t->out;
	int rc = -1;

	if (t->at < t->end && *t->at == '^') {
		negated = true;
		t->at++;
	}
	t->out = &body;
	for (;; any = true) {
		uint32_t from = 0, to;
		const char *members;

		if (t->at == t->end) {
			fail(t, "']' is missing");
			goto out;
		}
		if (*t->at == ']') {
			t->at++;
			break;
		}
		if (*t->at == '\\') {
			if (++t->at == t->end) {
				fail(t, "it ends with a backslash");
				goto out;
			}
			members = class_members(*t->at);
			if (members) {
				buf_adds(&body, members);
				t->at++;
				if (t->end - t->at >= 2 && t->at[0] == '-' && t->at[1] != ']') {
					fail(t, "a range cannot begin with a class");
					goto out;
				}
				continue;
			}
			if (*t->at == 'b') {
				from = '\b';
				t->at++;
			} else if (escaped_character(t, &from) < 0) {
				goto out;
			}
		} else {
			t->at += utf8_sequence(t->at, (size_t)(t->end - t->at), &from);
		}
		to = from;
		if (t->end - t->at >= 2 && t->at[0] == '-' && t->at[1] != ']') {
			t->at++;
			if (*t->at == '\\') {
				if (++t->at == t->end || class_members(*t->at)) {
					fail(t, "a range cannot end with a class");
					goto out;
				}
				if (escaped_character(t, &to) < 0)
					goto out;
			} else {
				t->at += utf8_sequence(t->at, (size_t)(t->end - t->at), &to);
			}
			if (to < from) {
				fail(t, "a range is out of order");
				goto out;
			}
		}
		if (from == 0)
			from = 1;
		if (to == 0) {
			fail(t, "it contains a NUL");
			goto out;
		}
		/* The C library takes no range of characters beyond ASCII where no locale orders them: they are
		 * listed. */
		if (to >= 0x80 && from < 0x80 && to - from >= 2) {
			if (list_characters(t, 0x80, to) < 0)
				goto out;
			to = 0x7f;
		}
		if (from >= 0x80) {
			if (list_characters(t, from, to) < 0)
				goto out;
			continue;
		}
		if (to - from >= 2) {
			/* Ends that POSIX would take for something else are moved out of the range. */
			for (; from < to && from < 0x80 && strchr("]-^[\\", (int)from); from++) {
				closing |= from == ']';
				dash |= from == '-';
				caret |= from == '^';
				open |= from == '[';
				if (from == '\\')
					put_character(t, from);
			}
			for (; to > from && to < 0x80 && strchr("]-^[", (int)to); to--) {
				closing |= to == ']';
				dash |= to == '-';
				caret |= to == '^';
				open |= to == '[';
			}
			put_character(t, from);
			buf_addc(&body, '-');
			put_character(t, to);
			continue;
		}
		for (uint32_t c = from; c <= to; c++) {
			closing |= c == ']';
			dash |= c == '-';
			caret |= c == '^';
			open |= c == '[';
			if (c >= 0x80 || !strchr("]-^[", (int)c))
				put_character(t, c);
		}
	}
	t->out = out;
	if (!any) {
		fail(t, "an empty class");
		goto out;
	}
	if (caret && !negated && buf_len(&body) == 0 && !closing && !open && !dash) {
		buf_adds(out, "\\^");
	} else {
		buf_adds(out, negated ? "[^" : "[");
		if (closing)
			buf_addc(out, ']');
		buf_add(out, buf_data(&body), buf_len(&body));
		/* Not before ":", "." or "=": what follows are these three only. A "^" that comes first would negate,
		 * so "[" goes before it. */
		if (open)
			buf_addc(out, '[');
		if (caret && dash && !negated && !closing && !open && buf_len(&body) == 0) {
			buf_adds(out, "-^]");
		} else {
			if (caret)
				buf_addc(out, '^');
			if (dash)
				buf_addc(out, '-');
			buf_addc(out, ']');
		}
	}
	rc = 0;
out:
	t->out = out;
	buf_done(&body);
	return rc;
}

static int translate_escape(struct translator *t)
{
	const char *members;
	uint32_t c;

	if (t->at == t->end)
		return fail(t, "it ends with a backslash");
	members = class_members((char)(*t->at | 0x20));
	if (members && strchr("dDwWsS", *t->at)) {
		buf_addf(t->out, *t->at & 0x20 ? "[%s]" : "[^%s]", members);
		t->at++;
		return 0;
	}
	if (escaped_character(t, &c) < 0)
		return -1;
	return put_literal(t, c);
}

static int add_weight(struct translator *t, size_t more)
{
	t->weight[t->depth] += more;
	return t->weight[t->depth] > PATTERN_UNROLLED_MAX ? fail(t, "it is too large with its repetitions written out")
							  : 0;
}

/* {m}, {m,} or {m,n}; false when it is none: then the brace stands for itself. */
static bool read_bounds(struct translator *t, unsigned long *ret_min, unsigned long *ret_max, bool *ret_open)
{
	const char *p = t->at + 1;
	unsigned long v[2] = {0, 0};
	int n = 0;

	*ret_open = false;
	for (; n < 2; n++) {
		const char *start = p;

		for (; p < t->end && *p >= '0' && *p <= '9'; p++)
			v[n] = v[n] > PATTERN_REPEAT_MAX ? v[n] : v[n] * 10 + (unsigned long)(*p - '0');
		if (p == start) {
			if (n == 0)
				return false;
			*ret_open = true;
		}
		if (p == t->end)
			return false;
		if (*p == '}')
			break;
		if (*p != ',' || n == 1)
			return false;
		p++;
	}
	*ret_min = v[0];
	*ret_max = n == 0 || *ret_open ? v[0] : v[1];
	t->at = p + 1;
	return true;
}

static int translate_quantifier(struct translator *t)
{
	unsigned long min = 0, max = 1;
	bool open = false;
	char c = *t->at;

	if (c != '{') {
		if (t->atom == 0)
			return fail(t, "nothing to repeat");
		t->at++;
		buf_addc(t->out, c);
	} else {
		if (!read_bounds(t, &min, &max, &open)) {
			t->at++;
			t->atom = 1;
			return put_literal(t, '{') < 0 ? -1 : add_weight(t, 1);
		}
		if (t->atom == 0)
			return fail(t, "nothing to repeat");
		if (min > PATTERN_REPEAT_MAX || max > PATTERN_REPEAT_MAX || min > max)
			return fail(t, "a repetition is out of order or exceeds 1000");
		if (open)
			buf_addf(t->out, "{%lu,}", min);
		else
			buf_addf(t->out, "{%lu,%lu}", min, max);
	}
	if (max > 1 && add_weight(t, t->atom * (max - 1)) < 0)
		return -1;
	t->atom = 0;
	/* Lazy or not: the same texts match. */
	if (t->at < t->end && *t->at == '?')
		t->at++;
	if (t->at < t->end && strchr("*+?", *t->at))
		return fail(t, "nothing to repeat");
	return 0;
}

static int open_group(struct translator *t)
{
	if (t->at < t->end && *t->at == '?') {
		if (t->end - t->at < 2 || t->at[1] != ':')
			return fail(t, "groups that begin with '(?' are not supported, except '(?:'");
		t->at += 2;
	}
	if (t->depth == DEPTH_MAX - 1)
		return fail(t, "it is nested too deeply");
	t->depth++;
	t->weight[t->depth] = 0;
	t->atom = 0;
	buf_addc(t->out, '(');
	return 0;
}

static int close_group(struct translator *t)
{
	size_t weight;

	if (t->depth == 0)
		return fail(t, "')' without '('");
	buf_addc(t->out, ')');
	weight = t->weight[t->depth--] + 1;
	t->atom = weight;
	return add_weight(t, weight);
}

static int translate_one(struct translator *t)
{
	uint32_t code;
	size_t n;
	int rc;

	switch (*t->at) {
	case '(':
		t->at++;
		return open_group(t);
	case ')':
		t->at++;
		return close_group(t);
	case '|':
	case '^':
	case '$':
		buf_addc(t->out, *t->at++);
		t->atom = 0;
		return 0;
	case '*':
	case '+':
	case '?':
	case '{':
		return translate_quantifier(t);
	default:
		break;
	}
	if (t->end - t->at >= 2 && t->at[0] == '\\' && (t->at[1] == 'b' || t->at[1] == 'B')) {
		buf_add(t->out, t->at, 2); /* the C library's own extension */
		t->at += 2;
		t->atom = 0;
		return 0;
	}
	switch (*t->at) {
	case '[':
		t->at++;
		rc = translate_brackets(t);
		break;
	case '\\':
		t->at++;
		rc = translate_escape(t);
		break;
	case '.':
		t->at++;
		buf_adds(t->out, "[^\n\r]");
		rc = 0;
		break;
	default:
		n = utf8_sequence(t->at, (size_t)(t->end - t->at), &code);
		t->at += n;
		rc = put_literal(t, code);
		break;
	}
	t->atom = 1;
	return rc < 0 ? -1 : add_weight(t, 1);
}

int pattern_translate(const char *text, size_t len, struct buf *out, struct err *e)
{
	struct translator t = {.at = text, .end = text + len, .out = out, .e = e};

	if (len > PATTERN_BYTES_MAX)
		return err_set(
			e, ERR_INVALID, "invalid regular expression: it is longer than %d bytes", PATTERN_BYTES_MAX);
	if (!utf8_is_valid(text, len))
		return fail(&t, "it is not UTF-8");
	while (t.at < t.end) {
		if (translate_one(&t) < 0)
			return -1;
	}
	return t.depth > 0 ? fail(&t, "')' is missing") : 0;
}

/* -- matching ----------------------------------------------------------------------------------------- */

static locale_t utf8_locale;

static void make_locale(void)
{
	utf8_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

/* Characters are those of UTF-8 while this thread compiles or matches. */
static locale_t enter_utf8(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_locale);
	return utf8_locale ? uselocale(utf8_locale) : (locale_t)0;
}

static void leave_utf8(locale_t before)
{
	if (before)
		uselocale(before);
}

int pattern_compile(const char *text, size_t len, struct pattern **ret_pattern, struct err *e)
{
	struct buf posix = BUF_INIT;
	struct pattern *p = NULL;
	locale_t before;
	char why[128];
	int rc = -1, code;

	if (pattern_translate(text, len, &posix, e) < 0)
		goto out;
	p = xcalloc(1, sizeof(*p));
	before = enter_utf8();
	code = regcomp(&p->regex, buf_str(&posix), REG_EXTENDED | REG_NOSUB);
	leave_utf8(before);
	if (code != 0) {
		regerror(code, &p->regex, why, sizeof(why));
		free(p);
		err_set(e, ERR_INVALID, "invalid regular expression: %s", why);
		goto out;
	}
	*ret_pattern = p;
	rc = 0;
out:
	buf_done(&posix);
	return rc;
}

void pattern_free(struct pattern *p)
{
	if (!p)
		return;
	regfree(&p->regex);
	free(p);
}

bool pattern_matches(const struct pattern *p, const char *text, size_t len)
{
	regmatch_t span = {.rm_so = 0, .rm_eo = (regoff_t)len};
	locale_t before = enter_utf8();
	bool yes = regexec(&p->regex, text, 1, &span, REG_STARTEND) == 0;

	leave_utf8(before);
	return yes;
}
