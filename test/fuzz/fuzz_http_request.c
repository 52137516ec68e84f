/* Heads and bodies of requests in pieces: no read outside, and the pieces do not matter. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "http/request_parse.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool has_control(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f)
			return true;
	return false;
}

/* What any head that is taken must be. */
static void check_head(const struct request_parse *p, const char *text, size_t n)
{
	unsigned hosts = 0, lengths = 0;

	must(p->head_len <= n && p->head_len >= 4 && memcmp(text + p->head_len - 4, "\r\n\r\n", 4) == 0);
	must(p->method.len > 0 && p->target.len > 0 && p->target.at + p->target.len < p->head_len);
	must(!memchr(text, '\0', p->head_len));
	for (size_t i = 0; i < p->head_len; i++)
		must(text[i] != '\r' || text[i + 1] == '\n');
	for (uint32_t i = 0; i < p->nfields; i++) {
		const struct request_field *f = &p->fields[i];

		must(f->name.len > 0 && f->name.at + f->name.len < f->value.at + f->value.len + 1);
		must(f->value.at + f->value.len < p->head_len);
		must(!has_control(text + f->value.at, f->value.len) && !memchr(text + f->name.at, ' ', f->name.len));
		hosts += f->name.len == 4 && strncasecmp(text + f->name.at, "host", 4) == 0;
		lengths += f->name.len == 14 && strncasecmp(text + f->name.at, "content-length", 14) == 0;
		lengths += f->name.len == 17 && strncasecmp(text + f->name.at, "transfer-encoding", 17) == 0;
	}
	must(hosts == 1 || (hosts == 0 && p->is_1_0));
	must(lengths <= 1 && (lengths == 1 || p->length == 0));
}

struct outcome {
	enum request_parsed head, body;
	unsigned status;
	uint32_t nfields, head_len;
	size_t end;
	struct buf content;
};

static void parse(const char *text, size_t n, size_t step, struct outcome *o)
{
	struct request_parse p = {0};
	size_t have = 0, at, used;

	*o = (struct outcome){.head = REQUEST_MORE, .body = REQUEST_MORE};
	request_parse_begin(&p);
	while (o->head == REQUEST_MORE && have < n) {
		char *copy;

		have = n - have > step ? have + step : n;
		copy = xmalloc(have);
		memcpy(copy, text, have);
		o->head = request_parse_head(&p, copy, have);
		free(copy);
	}
	o->status = p.status;
	if (o->head != REQUEST_DONE)
		goto out;
	check_head(&p, text, n);
	o->nfields = p.nfields;
	o->head_len = p.head_len;
	o->body = request_parse_body(&p, NULL, 0, &o->content, &used);
	for (at = p.head_len; o->body == REQUEST_MORE && at < n; at += used) {
		size_t len = n - at < step ? n - at : step;
		char *copy = xmalloc(len);

		memcpy(copy, text + at, len);
		o->body = request_parse_body(&p, copy, len, &o->content, &used);
		free(copy);
		must(used <= len && (o->body != REQUEST_MORE || used == len));
	}
	o->end = o->body == REQUEST_DONE ? at : 0;
out:
	request_parse_done(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const size_t steps[] = {1, 13};
	struct outcome whole, pieces;

	if (n == 0 || n > 20000)
		return 0;
	parse((const char *)data, n, SIZE_MAX, &whole);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		/* Byte by byte is quadratic, since each head is copied. */
		if (n > 2000 && steps[i] == 1)
			continue;
		parse((const char *)data, n, steps[i], &pieces);
		must(pieces.head == whole.head && pieces.status == whole.status);
		must(pieces.nfields == whole.nfields && pieces.head_len == whole.head_len);
		must(pieces.body == whole.body && pieces.end == whole.end);
		if (whole.body == REQUEST_DONE)
			must(buf_len(&pieces.content) == buf_len(&whole.content) &&
				memcmp(buf_data(&pieces.content), buf_data(&whole.content), buf_len(&whole.content)) ==
					0);
		buf_done(&pieces.content);
	}
	buf_done(&whole.content);
	return 0;
}
