/*
 * yaml_text.c - see yaml_text.h
 */
#include "value/yaml_text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "value/yaml.h"

/*
 * Measured with libfyaml 0.7.12: the time for n empty lines in a row within a scalar, for n bytes of a directive, and
 * for n escapes in a tag grows with n * n (10,000 empty lines 0.14 s); and all that stands on one line of a flow
 * collection is held at once, at 200 to 250 bytes a token.
 */
enum {
	EMPTY_LINES_COST_MAX = 400 * 1000 * 1000,
	FLOW_TOKENS_PER_LINE_MAX = 200 * 1000,
	DIRECTIVES_MAX = 64,
	DIRECTIVE_BYTES_MAX = 256,
	TAG_ESCAPES_MAX = 32,
};

struct text {
	const char *name;
	uint32_t line;
	uint32_t column;
	size_t flow_tokens; /* on this line */
	bool blank;         /* nothing but blanks on this line yet */
	bool in_head;       /* only directives, comments and empty lines before this line */
	bool in_directive;
	bool in_tag; /* within what would be a tag, if it is not in a scalar */
	unsigned directives;
	unsigned tag_escapes;
	uint32_t previous;
	uint64_t empty_run;
	uint64_t empty_cost; /* sum of the squares of all runs */
};

static int fail(const struct text *t, struct err *e, const char *what)
{
	return err_set(e, ERR_INVALID, "%s:%" PRIu32 ":%" PRIu32 ": %s", t->name, t->line, t->column, what);
}

/* YAML 1.2.2 section 5.1, without the byte order mark within a text. */
static bool is_allowed(uint32_t code)
{
	if (code < 0x20)
		return code == '\t' || code == '\n' || code == '\r';
	return (code < 0x7f || code >= 0xa0 || code == 0x85) && code != 0xfeff && code != 0xfffe && code != 0xffff;
}

static int end_line(struct text *t, struct err *e)
{
	if (t->blank) {
		/* The square of a run is the sum of its odd numbers. */
		t->empty_cost += 2 * t->empty_run + 1;
		t->empty_run++;
		if (t->empty_cost > EMPTY_LINES_COST_MAX)
			return fail(t, e, "too many empty lines in a row");
	} else {
		t->empty_run = 0;
	}
	t->line++;
	t->column = 1;
	t->in_directive = false;
	t->flow_tokens = 0;
	t->blank = true;
	return 0;
}

/* Directives stand before everything else (YAML 1.2.2 section 6.8). */
static int check_head(struct text *t, uint32_t code, struct err *e)
{
	if (t->column == 1 && code == '%') {
		t->in_directive = true;
		if (++t->directives > DIRECTIVES_MAX)
			return fail(t, e, "too many directives");
	}
	if (t->in_directive && t->column > DIRECTIVE_BYTES_MAX)
		return fail(t, e, "the directive is too long");
	/* A comment line may stand between them; its first character decides. */
	if (t->blank && !t->in_directive && code != '#' && code != ' ' && code != '\t')
		t->in_head = false;
	return 0;
}

static int check_tag(struct text *t, uint32_t code, struct err *e)
{
	if (code == '!' && (t->column == 1 || strchr(" \t[{,", (int)t->previous))) {
		t->in_tag = true;
		t->tag_escapes = 0;
	} else if (code <= ' ' || code >= 0x7f || strchr("[]{}\"'", (int)code)) {
		t->in_tag = false;
	}
	if (t->in_tag && code == '%' && ++t->tag_escapes > TAG_ESCAPES_MAX)
		return fail(t, e, "too many escapes in a tag");
	t->previous = code < 0x7f ? code : 'x';
	return 0;
}

static int check(struct text *t, uint32_t code, struct err *e)
{
	char what[80];

	if (!is_allowed(code)) {
		snprintf(what, sizeof(what), "character U+%04" PRIX32 " is not allowed here, write it as an escape",
			code);
		return fail(t, e, what);
	}
	if (check_tag(t, code, e) < 0)
		return -1;
	if (code == '\n')
		return end_line(t, e);
	if (t->in_head && check_head(t, code, e) < 0)
		return -1;
	if (code != ' ' && code != '\t')
		t->blank = false;
	if (code < 0x7f && strchr("[]{},:", (int)code) && ++t->flow_tokens > FLOW_TOKENS_PER_LINE_MAX)
		return fail(t, e, "too much on one line, break it into several");
	t->column++;
	return 0;
}

int yaml_prepare_text(const char *name, const char *text, size_t len, char **ret_text, size_t *ret_len, struct err *e)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct text t = {.name = name, .line = 1, .column = 1, .blank = true, .in_head = true};
	struct buf out = BUF_INIT;
	char what[80];
	size_t i = 0;

	if (len > YAML_BYTES_MAX) {
		snprintf(what, sizeof(what), "longer than %d bytes", YAML_BYTES_MAX);
		return fail(&t, e, what);
	}
	if (len >= 3 && memcmp(text, bom, 3) == 0)
		i = 3;
	while (i < len) {
		uint32_t code;
		size_t n = utf8_sequence(text + i, len - i, &code);

		if (n == 0) {
			snprintf(what, sizeof(what), "byte 0x%02x is not UTF-8", (unsigned char)text[i]);
			fail(&t, e, what);
			goto failed;
		}
		/* All line breaks mean the same (YAML 1.2.2 section 5.4): give the parser one kind. */
		if (code == '\r') {
			if (i + 1 < len && text[i + 1] == '\n')
				n = 2;
			code = '\n';
		}
		if (check(&t, code, e) < 0)
			goto failed;
		if (code == '\n')
			buf_addc(&out, '\n');
		else
			buf_add(&out, text + i, n);
		i += n;
	}
	/* libfyaml takes the end of the text for that of a line anyway, with less certainty when it is in a scalar. */
	if (buf_len(&out) > 0 && buf_data(&out)[buf_len(&out) - 1] != '\n')
		buf_addc(&out, '\n');
	*ret_text = buf_detach(&out, ret_len);
	return 0;
failed:
	buf_done(&out);
	return -1;
}
