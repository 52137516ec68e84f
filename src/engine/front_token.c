/*
 * What all of the parser shares: tokens, errors, nesting.
 */
#include "engine/front_note.h"

#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"

enum { SHOWN_MAX = 30 }; /* bytes of the source in a message */

void *vec_grow(void *v, uint32_t *cap, size_t size)
{
	*cap = *cap ? *cap * 2 : 32;
	return xreallocarray(v, *cap, size);
}

/* Errors. */

/* From here on there is only the end of the source. */
static void stop(struct parser *p)
{
	p->failed = true;
	p->nahead = 0;
	p->lx.pos = p->lx.len;
	p->tok = (struct token){.kind = TK_EOF, .off = p->lx.len, .end = p->lx.len, .line = p->lx.line};
}

void parser_fail_at(struct parser *p, const struct token *t, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	if (p->failed)
		return;
	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	if (p->lint)
		lint_note_error(p, t, buf_str(&text));
	if (t->kind == TK_EOF)
		err_set(p->err, ERR_INVALID, "%s at EOF: %s", p->id, buf_str(&text));
	else
		err_set(p->err, ERR_INVALID, "%s:%u:%u: %s", p->id, t->line, lexer_column(&p->lx, t->off),
			buf_str(&text));
	buf_done(&text);
	stop(p);
}

/* Source bytes for people: quotes and backslashes as they are, so that what they read is what they wrote. */
static void add_source(struct buf *out, const char *s, size_t len)
{
	while (len) {
		size_t n = 0;

		while (n < len && s[n] != '\'' && s[n] != '"' && s[n] != '\\')
			n++;
		buf_add_escaped(out, s, n, n);
		if (n < len)
			buf_addc(out, s[n++]);
		s += n;
		len -= n;
	}
}

/* Append what people call the current token: 'x', end of file, ... */
static void parser_name_token(const struct parser *p, const struct token *t, struct buf *out)
{
	if (t->kind == TK_EOF) {
		buf_adds(out, "end of file");
		return;
	}
	if (token_is_word(t))
		buf_adds(out, "reserved word ");
	buf_addc(out, '\'');
	add_source(out, p->lx.src + t->off, t->end - t->off > SHOWN_MAX ? SHOWN_MAX : t->end - t->off);
	if (t->end - t->off > SHOWN_MAX)
		buf_adds(out, "...");
	buf_addc(out, '\'');
}

void parser_fail_expected(struct parser *p, const char *what)
{
	struct buf name = BUF_INIT;

	if (p->failed)
		return;
	parser_name_token(p, &p->tok, &name);
	parser_fail_at(p, &p->tok, "unexpected %s, expected %s", buf_str(&name), what);
	buf_done(&name);
}

static void fail_lexical(struct parser *p)
{
	struct buf near = BUF_INIT;
	uint32_t end = p->tok.off;

	/* What the eye finds at that place: the rest of the word or number, else one character. */
	while (end < p->lx.len && end - p->tok.off < SHOWN_MAX && (unsigned char)p->lx.src[end] > ' ')
		end++;
	if (end == p->tok.off)
		end++;
	add_source(&near, p->lx.src + p->tok.off, end - p->tok.off);
	parser_fail_at(p, &p->tok, "%s near '%s'", p->lx.error, buf_str(&near));
	buf_done(&near);
}

/* Tokens. */

void parser_advance(struct parser *p)
{
	if (p->failed)
		return;
	p->last_end = p->tok.end;
	p->last_line = p->tok.end_line;
	if (p->nahead) {
		p->tok = p->ahead[0];
		memmove(p->ahead, p->ahead + 1, --p->nahead * sizeof(p->ahead[0]));
	} else {
		lexer_next(&p->lx, &p->tok);
	}
	if (p->tok.kind == TK_ERROR)
		fail_lexical(p);
}

const struct token *parser_peek(struct parser *p, uint32_t i)
{
	if (p->failed)
		return &p->tok;
	while (p->nahead < i)
		lexer_next(&p->lx, &p->ahead[p->nahead++]);
	return &p->ahead[i - 1];
}

bool parser_accept(struct parser *p, uint32_t kind)
{
	if (p->tok.kind != kind)
		return false;
	parser_advance(p);
	return true;
}

bool parser_expect(struct parser *p, uint32_t kind, const char *what)
{
	if (parser_accept(p, kind))
		return true;
	parser_fail_expected(p, what);
	return false;
}

bool parser_expect_close(struct parser *p, uint32_t kind, const char *what, const char *opener, uint32_t line)
{
	struct buf name = BUF_INIT;

	if (parser_accept(p, kind))
		return true;
	if (line == p->tok.line) {
		parser_fail_expected(p, what);
		return false;
	}
	parser_name_token(p, &p->tok, &name);
	parser_fail_at(
		p, &p->tok, "unexpected %s, expected %s (to close %s at line %u)", buf_str(&name), what, opener, line);
	buf_done(&name);
	return false;
}

bool parser_expect_name(struct parser *p, const char *what, struct token *ret)
{
	*ret = p->tok;
	return parser_expect(p, TK_NAME, what);
}

bool parser_expect_field(struct parser *p, const char *what, struct token *ret)
{
	*ret = p->tok;
	if (token_is_dialect_word(&p->tok)) {
		parser_advance(p);
		return true;
	}
	return parser_expect(p, TK_NAME, what);
}

/* Nesting. */

static bool check_depth(struct parser *p, uint32_t depth)
{
	if (depth <= FRONT_DEPTH_MAX)
		return true;
	parser_fail_at(p, &p->tok, "too deeply nested, expected at most %d levels of blocks, expressions or types",
		FRONT_DEPTH_MAX);
	return false;
}

bool parser_enter(struct parser *p)
{
	if (++p->depth > p->peak)
		p->peak = p->depth;
	return check_depth(p, p->depth);
}

void parser_leave(struct parser *p)
{
	p->depth--;
}

void parser_deepen(struct parser *p, uint32_t levels)
{
	p->peak += levels;
	check_depth(p, p->peak);
}
