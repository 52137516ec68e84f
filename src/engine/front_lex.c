#include "engine/front_lex.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"

enum { C_NAME = 1, C_DIGIT = 2, C_HEX = 4, C_BLANK = 8 };

/* clang-format off */
static const unsigned char char_class[256] = {
	['\t'] = C_BLANK, ['\v'] = C_BLANK, ['\f'] = C_BLANK, [' '] = C_BLANK,
	['0' ... '9'] = C_NAME | C_DIGIT | C_HEX,
	['A' ... 'F'] = C_NAME | C_HEX, ['G' ... 'Z'] = C_NAME,
	['a' ... 'f'] = C_NAME | C_HEX, ['g' ... 'z'] = C_NAME,
	['_'] = C_NAME,
};

static const char *const known_symbols[] = {
	"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil",
	"not", "or", "repeat", "return", "then", "true", "until", "while",
	"fun", "interface", "as", "asserts", "readonly", "is", "typeof", "keyof", "extends",
	"type", "_ENV", "pairs", "ipairs", "self",
	"boolean", "number", "integer", "string", "any", "unknown", "never",
	"table", "thread", "userdata", "error",
};
/* clang-format on */

_Static_assert(sizeof(known_symbols) / sizeof(known_symbols[0]) == SYM_ERROR + 1, "one spelling for each symbol");

static inline unsigned char class_at(const struct lexer *lx, uint32_t pos)
{
	return char_class[(unsigned char)lx->src[pos]];
}

static void grow_slots(struct lexer *lx, uint32_t nslots)
{
	free(lx->slots);
	lx->slots = xcalloc(nslots, sizeof(*lx->slots));
	lx->nslots = nslots;
	for (uint32_t i = 0; i < lx->nsyms; i++) {
		uint32_t at = lx->syms[i].hash & (nslots - 1);

		while (lx->slots[at])
			at = (at + 1) & (nslots - 1);
		lx->slots[at] = i + 1;
	}
}

static uint32_t intern(struct lexer *lx, const char *name, uint32_t len)
{
	uint32_t hash = lx->seed;
	uint32_t at;

	for (uint32_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)name[i]) * 0x01000193u;
	hash ^= hash >> 15;
	for (at = hash & (lx->nslots - 1); lx->slots[at]; at = (at + 1) & (lx->nslots - 1)) {
		const struct symbol *s = &lx->syms[lx->slots[at] - 1];

		if (s->hash == hash && s->len == len && memcmp(s->name, name, len) == 0)
			return lx->slots[at] - 1;
	}
	if (lx->nsyms == lx->cap_syms) {
		lx->cap_syms *= 2;
		lx->syms = xreallocarray(lx->syms, lx->cap_syms, sizeof(*lx->syms));
	}
	lx->syms[lx->nsyms] = (struct symbol){.name = name, .len = len, .hash = hash, .type = -1};
	lx->slots[at] = ++lx->nsyms;
	if (lx->nsyms * 2 > lx->nslots)
		grow_slots(lx, lx->nslots * 2);
	return lx->nsyms - 1;
}

void lexer_init(struct lexer *lx, const char *src, size_t len)
{
	struct timespec now;

	*lx = (struct lexer){.src = src, .len = (uint32_t)len, .line = 1, .cap_syms = 128};
	/* A source made so that its names collide in one process must not collide in the next. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	lx->seed = 0x811c9dc5u ^ (uint32_t)now.tv_nsec ^ (uint32_t)((uintptr_t)lx >> 4);
	lx->syms = xreallocarray(NULL, lx->cap_syms, sizeof(*lx->syms));
	grow_slots(lx, 512);
	for (size_t i = 0; i < ARRAY_LEN(known_symbols); i++)
		intern(lx, known_symbols[i], (uint32_t)strlen(known_symbols[i]));
	/* A byte order mark, as some editors leave it. */
	if (len >= 3 && memcmp(src, "\xef\xbb\xbf", 3) == 0)
		lx->pos = 3;
}

void lexer_done(struct lexer *lx)
{
	free(lx->syms);
	free(lx->slots);
	*lx = (struct lexer){0};
}

uint32_t lexer_column(const struct lexer *lx, uint32_t off)
{
	uint32_t start = off;

	while (start > 0 && lx->src[start - 1] != '\n' && lx->src[start - 1] != '\r')
		start--;
	return off - start + 1;
}

/* At a line end: "\n", "\r", "\r\n" and "\n\r" are one each. */
static void skip_line_end(struct lexer *lx)
{
	char c = lx->src[lx->pos++];
	char d = lx->src[lx->pos];

	if ((d == '\n' || d == '\r') && d != c)
		lx->pos++;
	lx->line++;
}

static void fail(struct lexer *lx, struct token *t, const char *message)
{
	lx->error = message;
	t->kind = TK_ERROR;
	lx->pos = lx->len;
}

/* At '[': the number of '=' of a long bracket, -1 if it is none, -2 if it is a broken one. */
static int long_bracket_level(const struct lexer *lx)
{
	uint32_t p = lx->pos + 1;

	while (lx->src[p] == '=')
		p++;
	if (lx->src[p] == '[')
		return (int)(p - lx->pos - 1);
	return p == lx->pos + 1 ? -1 : -2;
}

/* At the opening bracket; leaves the position after the closing one. */
static bool skip_long_bracket(struct lexer *lx, int level)
{
	lx->pos += (uint32_t)level + 2;
	for (;;) {
		const char *p = lx->src + lx->pos;
		size_t n = strcspn(p, "]\n\r");
		uint32_t q;

		lx->pos += (uint32_t)n;
		switch (lx->src[lx->pos]) {
		case '\n':
		case '\r':
			skip_line_end(lx);
			break;
		case ']':
			q = lx->pos + 1;
			while (lx->src[q] == '=')
				q++;
			if (lx->src[q] == ']' && q - lx->pos - 1 == (uint32_t)level) {
				lx->pos = q + 1;
				return true;
			}
			lx->pos = q;
			break;
		default: /* a NUL: of the source, or the one that ends it */
			if (lx->pos >= lx->len)
				return false;
			lx->pos++;
		}
	}
}

/* Blanks and comments before a token; false after an error. */
static bool skip_blanks(struct lexer *lx, struct token *t)
{
	for (;;) {
		while (class_at(lx, lx->pos) & C_BLANK)
			lx->pos++;
		if (lx->src[lx->pos] == '\n' || lx->src[lx->pos] == '\r') {
			skip_line_end(lx);
			continue;
		}
		if (lx->src[lx->pos] != '-' || lx->src[lx->pos + 1] != '-')
			return true;
		t->off = lx->pos;
		t->line = lx->line;
		lx->pos += 2;
		if (lx->src[lx->pos] == '[') {
			int level = long_bracket_level(lx);

			if (level >= 0) {
				if (!skip_long_bracket(lx, level)) {
					fail(lx, t, "unfinished long comment");
					return false;
				}
				continue;
			}
		}
		while (lx->pos < lx->len) {
			lx->pos += (uint32_t)strcspn(lx->src + lx->pos, "\n\r");
			if (lx->src[lx->pos])
				break;
			if (lx->pos < lx->len)
				lx->pos++;
		}
	}
}

static void lex_string(struct lexer *lx, struct token *t)
{
	char quote = lx->src[lx->pos++];

	t->kind = TK_STRING;
	for (;;) {
		char c = lx->src[lx->pos];

		if (c == quote) {
			lx->pos++;
			return;
		}
		switch (c) {
		case '\0':
			if (lx->pos < lx->len) {
				lx->pos++;
				break;
			}
			fail(lx, t, "unfinished string, expected the closing quote");
			return;
		case '\n':
		case '\r':
			fail(lx, t, "unfinished string, expected the closing quote on the same line");
			return;
		case '\\':
			c = lx->src[++lx->pos];
			if (c == '\n' || c == '\r') {
				skip_line_end(lx);
			} else if (class_at(lx, lx->pos) & C_DIGIT) {
				int value = 0;

				for (int i = 0; i < 3 && (class_at(lx, lx->pos) & C_DIGIT); i++)
					value = value * 10 + (lx->src[lx->pos++] - '0');
				if (value > 255) {
					t->off = lx->pos - 4;
					t->line = lx->line;
					fail(lx, t, "decimal escape too large, expected at most \\255");
					return;
				}
			} else if (lx->pos < lx->len) {
				if (c == '\0' || !strchr("abfnrtv\\\"'", c))
					t->odd_escape = true;
				lx->pos++;
			}
			break;
		default:
			lx->pos++;
		}
	}
}

static void lex_number(struct lexer *lx, struct token *t)
{
	const char *s = lx->src;
	uint32_t p = lx->pos;
	uint32_t digits = 0;

	t->kind = TK_INT;
	if (s[p] == '0' && (s[p + 1] == 'x' || s[p + 1] == 'X')) {
		p += 2;
		lx->pos = p;
		while (s[p] == '0')
			p++;
		while (char_class[(unsigned char)s[p]] & C_HEX) {
			p++;
			digits++;
		}
		if (s[p] == '.' || s[p] == 'p' || s[p] == 'P') {
			fail(lx, t, "malformed number: hexadecimal numbers have neither a fraction nor an exponent");
			return;
		}
		if (p == lx->pos || (char_class[(unsigned char)s[p]] & C_NAME)) {
			fail(lx, t, "malformed number, expected hexadecimal digits after '0x'");
			return;
		}
		t->wide = digits > 16;
		if (t->wide)
			t->kind = TK_FLOAT;
		lx->pos = p;
		return;
	}
	while (char_class[(unsigned char)s[p]] & C_DIGIT)
		p++;
	if (s[p] == '.') {
		t->kind = TK_FLOAT;
		p++;
		while (char_class[(unsigned char)s[p]] & C_DIGIT)
			p++;
	}
	if (s[p] == 'e' || s[p] == 'E') {
		t->kind = TK_FLOAT;
		p++;
		if (s[p] == '+' || s[p] == '-')
			p++;
		if (!(char_class[(unsigned char)s[p]] & C_DIGIT)) {
			fail(lx, t, "malformed number, expected digits in the exponent");
			return;
		}
		while (char_class[(unsigned char)s[p]] & C_DIGIT)
			p++;
	}
	if (s[p] == '.' || (char_class[(unsigned char)s[p]] & C_NAME)) {
		fail(lx, t, "malformed number, expected a blank or an operator after its last digit");
		return;
	}
	if (t->kind == TK_INT && p - lx->pos >= 19) {
		uint32_t q = lx->pos;

		while (s[q] == '0')
			q++;
		if (p - q > 19 || (p - q == 19 && memcmp(s + q, "9223372036854775807", 19) > 0))
			t->kind = TK_FLOAT;
	}
	lx->pos = p;
}

static uint32_t pair(struct lexer *lx, char second, uint32_t kind)
{
	if (lx->src[lx->pos + 1] != second)
		return (unsigned char)lx->src[lx->pos++];
	lx->pos += 2;
	return kind;
}

static void lex_dots(struct lexer *lx, struct token *t)
{
	const char *p = lx->src + lx->pos;

	if (char_class[(unsigned char)p[1]] & C_DIGIT) {
		lex_number(lx, t);
	} else if (p[1] == '.' && p[2] == '.') {
		t->kind = TK_DOTS;
		lx->pos += 3;
	} else {
		t->kind = pair(lx, '.', TK_CONCAT);
	}
}

static void lex_bracket(struct lexer *lx, struct token *t)
{
	int level = long_bracket_level(lx);

	if (level == -1) {
		t->kind = '[';
		lx->pos++;
	} else if (level == -2) {
		fail(lx, t, "invalid long string delimiter, expected '[' after '[='");
	} else {
		t->kind = TK_STRING;
		if (!skip_long_bracket(lx, level))
			fail(lx, t, "unfinished long string, expected its closing bracket");
	}
}

static void lex_punctuation(struct lexer *lx, struct token *t)
{
	char c = lx->src[lx->pos];

	switch (c) {
	case '=':
		t->kind = pair(lx, '=', TK_EQ);
		break;
	case '~':
		t->kind = pair(lx, '=', TK_NE);
		break;
	case '<':
		t->kind = lx->src[lx->pos + 1] == '<' ? pair(lx, '<', TK_SHL) : pair(lx, '=', TK_LE);
		break;
	case '>':
		t->kind = lx->src[lx->pos + 1] == '>' ? pair(lx, '>', TK_SHR) : pair(lx, '=', TK_GE);
		break;
	case '/':
		t->kind = pair(lx, '/', TK_IDIV);
		break;
	case ':':
		t->kind = pair(lx, ':', TK_COLONS);
		break;
	case '-':
		t->kind = pair(lx, '>', TK_ARROW);
		break;
	case '+':
	case '*':
	case '%':
	case '^':
	case '#':
	case '&':
	case '|':
	case '(':
	case ')':
	case '{':
	case '}':
	case ']':
	case ';':
	case ',':
	case '!':
	case '?':
	case '@':
		t->kind = (unsigned char)c;
		lx->pos++;
		break;
	default:
		fail(lx, t, "unexpected character");
	}
}

void lexer_next(struct lexer *lx, struct token *ret)
{
	struct token t = {0};

	if (!skip_blanks(lx, &t))
		goto out;
	t.off = lx->pos;
	t.line = lx->line;
	if (lx->pos >= lx->len) {
		t.kind = lx->error ? TK_ERROR : TK_EOF;
	} else if (class_at(lx, lx->pos) & C_DIGIT) {
		lex_number(lx, &t);
	} else if (class_at(lx, lx->pos) & C_NAME) {
		do
			lx->pos++;
		while (class_at(lx, lx->pos) & C_NAME);
		t.sym = intern(lx, lx->src + t.off, lx->pos - t.off);
		t.kind = t.sym < SYM_WORDS ? TK_WORD + t.sym : TK_NAME;
	} else {
		switch (lx->src[lx->pos]) {
		case '"':
		case '\'':
			lex_string(lx, &t);
			break;
		case '.':
			lex_dots(lx, &t);
			break;
		case '[':
			lex_bracket(lx, &t);
			break;
		default:
			lex_punctuation(lx, &t);
		}
	}
out:
	t.end = lx->pos;
	t.end_line = lx->line;
	*ret = t;
}

/* The rest of a long string: without its brackets and first line end, line ends as "\n". */
static void long_string_value(const char *s, const char *end, struct buf *out)
{
	size_t bracket = 2;

	while (s[bracket - 1] == '=')
		bracket++;
	s += bracket;
	end -= bracket;
	for (bool first = true; s < end; first = false) {
		char c = *s++;

		if (c != '\n' && c != '\r') {
			buf_addc(out, c);
			continue;
		}
		if (s < end && (*s == '\n' || *s == '\r') && *s != c)
			s++;
		if (!first)
			buf_addc(out, '\n');
	}
}

void lexer_string_value(const struct lexer *lx, const struct token *t, struct buf *out)
{
	static const char from[] = "abfnrtv";
	static const char to[] = "\a\b\f\n\r\t\v";
	const char *s = lx->src + t->off;
	const char *end = lx->src + t->end;

	if (*s == '[') {
		long_string_value(s, end, out);
		return;
	}
	for (s++, end--; s < end;) {
		const char *known;
		char c = *s++;

		if (c != '\\') {
			buf_addc(out, c);
		} else if (char_class[(unsigned char)*s] & C_DIGIT) {
			int value = 0;

			for (int i = 0; i < 3 && (char_class[(unsigned char)*s] & C_DIGIT); i++)
				value = value * 10 + (*s++ - '0');
			buf_addc(out, (char)value);
		} else if (*s == '\n' || *s == '\r') {
			c = *s++;
			if (s < end && (*s == '\n' || *s == '\r') && *s != c)
				s++;
			buf_addc(out, '\n');
		} else {
			known = *s ? strchr(from, *s) : NULL;
			buf_addc(out, known ? to[known - from] : *s);
			s++;
		}
	}
}

double lexer_number_value(const struct lexer *lx, const struct token *t)
{
	/* The token ends before a byte that strtod() would not take either. */
	return strtod(lx->src + t->off, NULL);
}
