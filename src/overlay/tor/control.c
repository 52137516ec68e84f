/*
 * control.c - see control.h
 */
#include "overlay/tor/control.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

enum { SHOWN_BYTES = 200 };

void control_init(struct control_reader *r)
{
	memset(r, 0, sizeof(*r));
}

void control_done(struct control_reader *r)
{
	explicit_bzero(r->bytes, sizeof(r->bytes));
}

void control_next(struct control_reader *r)
{
	if (!r->is_ready)
		return;
	explicit_bzero(r->bytes, r->len);
	r->is_ready = false;
	r->code = 0;
	r->nlines = 0;
	r->len = r->line = 0;
}

/* -- reading ---------------------------------------------------------------------------------------- */

/* As people may see it. Secrets go before the cut, which could halve one: then it would not be found. */
static void show(const char *text, struct buf *out)
{
	char *hidden = secret_hide(text);
	const char *shown = hidden ? hidden : text;

	buf_add_escaped(out, shown, strlen(shown), SHOWN_BYTES);
	free(hidden);
}

static void bad_reply(struct control_reader *r, const char *why, const char *line)
{
	struct buf shown = BUF_INIT;

	if (line)
		show(line, &shown);
	err_set(&r->err, ERR_UNAVAILABLE, "Tor's control port answered nonsense: %s%s%s", why, line ? ": " : "",
		buf_str(&shown));
	err_retryable(&r->err);
	err_code(&r->err, "tor_bad_reply");
	buf_done(&shown);
	r->is_failed = true;
}

/* One line of data, from r->line to r->len, LF included. Kept in place, as the spec's CmdData means it: no CR, no dot doubled. */
static void take_data(struct control_reader *r)
{
	char *line = r->bytes + r->line;
	size_t len = r->len - r->line;

	if (len >= 2 && line[len - 2] == '\r') {
		line[len - 2] = '\n';
		len--;
	}
	if (len == 2 && line[0] == '.') {
		line[0] = '\0';
		r->in_data = false;
		len = 1;
	} else if (line[0] == '.') {
		memmove(line, line + 1, len - 1);
		len--;
	}
	r->len = r->line += len;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* One line, from r->line to r->len, LF included. */
static void take_line(struct control_reader *r)
{
	char *line = r->bytes + r->line, *end = r->bytes + r->len - 1;
	struct control_line *l = &r->lines[r->nlines];
	unsigned code;

	if (end > line && end[-1] == '\r')
		end--;
	*end = '\0';
	if (end - line < 4 || !is_digit(line[0]) || !is_digit(line[1]) || !is_digit(line[2]) ||
		!strchr("-+ ", line[3])) {
		bad_reply(r, "no reply line", line);
		return;
	}
	code = (unsigned)atoi(line); /* ends at the separator */
	if (r->nlines > 0 && (code / 100 == 6) != (r->code / 100 == 6)) {
		bad_reply(r, "an event inside of a reply", line);
		return;
	}
	if (r->nlines == CONTROL_LINES_MAX) {
		bad_reply(r, "too many lines", NULL);
		return;
	}
	r->code = code;
	r->nlines++;
	r->line = r->len;
	*l = (struct control_line){.text = line + 4};
	if (line[3] == '+') {
		r->in_data = true;
		l->data = r->bytes + r->line;
	}
	r->is_ready = line[3] == ' ';
}

size_t control_feed(struct control_reader *r, const char *bytes, size_t len)
{
	size_t taken = 0;

	while (taken < len && !r->is_ready && !r->is_failed) {
		char c = bytes[taken++];

		if (r->len == CONTROL_REPLY_MAX) {
			bad_reply(r, "more than 65536 bytes in one reply", NULL);
		} else if (c == '\0') {
			bad_reply(r, "a NUL byte", NULL);
		} else {
			r->bytes[r->len++] = c;
			if (c == '\n' && r->in_data)
				take_data(r);
			else if (c == '\n')
				take_line(r);
		}
	}
	return taken;
}

const char *control_find(const struct control_reader *r, const char *prefix)
{
	size_t len = strlen(prefix);

	assert(r->is_ready);
	for (size_t i = 0; i < r->nlines; i++) {
		if (strncmp(r->lines[i].text, prefix, len) == 0)
			return r->lines[i].text + len;
	}
	return NULL;
}

/* -- refusals --------------------------------------------------------------------------------------- */

/* Section 4 of the specification. */
static const struct {
	unsigned code;
	const char *word;
} refusals[] = {
	{451, "tor_resource_exhausted"},
	{500, "tor_syntax_error"},
	{510, "tor_unrecognized_command"},
	{511, "tor_unimplemented_command"},
	{512, "tor_bad_argument"},
	{513, "tor_bad_argument"},
	{514, "tor_authentication_required"},
	{515, "tor_bad_authentication"},
	{550, "tor_unspecified_error"},
	{551, "tor_internal_error"},
	{552, "tor_unrecognized_entity"},
	{553, "tor_invalid_configuration"},
};

int control_refusal(const char *phase, const struct control_reader *r, struct err *e)
{
	const char *text = r->lines[r->nlines - 1].text, *word = "tor_rejected";
	struct buf shown = BUF_INIT;

	assert(r->is_ready && r->nlines > 0);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (refusals[i].code == r->code)
			word = refusals[i].word;
	}
	show(text, &shown);
	err_set(e, ERR_UNAVAILABLE, "%s rejected: %03u %s", phase, r->code, buf_str(&shown));
	err_retryable(e);
	err_code(e, word);
	buf_done(&shown);
	return -1;
}

/* -- words ------------------------------------------------------------------------------------------ */

static char unescape(const char **p)
{
	unsigned n = 0;
	char c = *(*p)++;

	switch (c) {
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		break;
	}
	if (c < '0' || c > '7')
		return c;
	/* Up to three octal digits, at most \377. */
	(*p)--;
	for (unsigned i = 0; i < 3 && **p >= '0' && **p <= '7' && n * 8 + (unsigned)(**p - '0') <= 255; i++)
		n = n * 8 + (unsigned)(*(*p)++ - '0');
	return (char)n;
}

/* From behind the opening quote to behind the closing one, or NULL. `out` may be NULL. */
static const char *read_quoted(const char *p, struct buf *out)
{
	while (*p && *p != '"') {
		char c = *p++;

		if (c == '\\') {
			if (!*p)
				return NULL;
			c = unescape(&p);
		}
		if (out && c)
			buf_addc(out, c);
	}
	return *p == '"' ? p + 1 : NULL;
}

/* To behind the value that begins here, or NULL. */
static const char *read_value(const char *p, struct buf *out)
{
	size_t len;

	if (*p == '"')
		return read_quoted(p + 1, out);
	len = strcspn(p, " ");
	if (out)
		buf_add(out, p, len);
	return p + len;
}

bool control_word(const char *text, const char *key, struct buf *ret_value)
{
	size_t key_len = strlen(key);

	for (const char *p = text; p && *p;) {
		size_t len = strcspn(p, " =\"");
		bool found = p[len] == '=' && len == key_len && strncmp(p, key, len) == 0;

		if (*p == ' ') {
			p++;
			continue;
		}
		p += len;
		if (found)
			buf_clear(ret_value);
		if (*p == '=')
			p++;
		p = read_value(p, found ? ret_value : NULL);
		if (found)
			return p != NULL;
	}
	return false;
}

void control_add_quoted(struct buf *command, const char *text)
{
	buf_addc(command, '"');
	for (; *text; text++) {
		/* A line end would begin another command. */
		if (*text == '\n' || *text == '\r') {
			buf_adds(command, *text == '\n' ? "\\n" : "\\r");
			continue;
		}
		if (*text == '"' || *text == '\\')
			buf_addc(command, '\\');
		buf_addc(command, *text);
	}
	buf_addc(command, '"');
}
