/*
 * What a sidecar, and through it a control server or a peer, can make us read.
 *
 * Byte 0 of the input is the size of the pieces the rest comes in. Every line must be within its limit, and the same lines must come out when the bytes come at once; each is then
 * read as an event and as a notice. What is taken must keep within its limits and hold no control characters.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/tailscale/lines.h"

#define MUST(cond)                                                                         \
	do {                                                                               \
		if (!(cond)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                           \
		}                                                                          \
	} while (0)

static void check_text(const char *s)
{
	MUST(strlen(s) < SIDECAR_TEXT_MAX);
	for (; *s; s++)
		MUST((unsigned char)*s >= ' ' && *s != 0x7f);
}

static void check_exact(const struct value *v)
{
	size_t len;

	if (value_type(v) == VALUE_NIL)
		return;
	MUST(value_type(v) == VALUE_STRING);
	check_text(value_get_string(v, &len));
	MUST(len > 0 && len == strlen(value_get_string(v, NULL)));
}

static void read_line(const char *line, size_t len)
{
	struct sidecar_event ev;
	struct sidecar_notice n;
	struct err e;

	if (sidecar_event_parse(line, len, &ev, &e) == 0) {
		MUST(ev.type <= SIDECAR_UNKNOWN && ev.state <= OVERLAY_DOWN);
		check_text(ev.text);
		check_text(ev.address);
		check_text(ev.node_name);
	} else {
		MUST(e.kind == ERR_INVALID && e.text[0]);
	}
	if (sidecar_notice_parse(line, len, &n, &e) < 0) {
		MUST(e.kind == ERR_INVALID);
		return;
	}
	check_text(n.peer);
	if (n.identity) {
		const struct value *tags = value_get(n.identity, "tags");

		check_exact(value_get(n.identity, "login"));
		check_exact(value_get(n.identity, "user"));
		check_exact(value_get(n.identity, "node"));
		MUST(value_type(tags) == VALUE_LIST);
		for (size_t i = 0; i < value_count(tags); i++)
			check_exact(value_at(tags, i));
	}
	sidecar_notice_done(&n);
}

/* All lines, each ended by NUL, when the bytes come in pieces of that size. */
static void run(const char *bytes, size_t len, size_t piece, struct buf *out)
{
	struct sidecar_lines l = {0};
	const char *line;
	size_t line_len;

	for (size_t at = 0; at < len; at += piece) {
		sidecar_lines_add(&l, bytes + at, len - at < piece ? len - at : piece);
		while (sidecar_lines_next(&l, &line, &line_len)) {
			MUST(line_len > 0 && line_len < SIDECAR_LINE_MAX);
			buf_add(out, line, line_len);
			buf_addc(out, '\n');
		}
	}
	sidecar_lines_done(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = BUF_INIT, cut = BUF_INIT;
	struct sidecar_lines l = {0};
	const char *line;
	size_t len;

	if (size < 1)
		return 0;
	run((const char *)data + 1, size - 1, size, &whole);
	run((const char *)data + 1, size - 1, data[0] + 1u, &cut);
	MUST(buf_len(&whole) == buf_len(&cut) && memcmp(buf_data(&whole), buf_data(&cut), buf_len(&cut)) == 0);
	sidecar_lines_add(&l, buf_data(&whole), buf_len(&whole));
	while (sidecar_lines_next(&l, &line, &len))
		read_line(line, len);
	sidecar_lines_done(&l);
	buf_done(&whole);
	buf_done(&cut);
	return 0;
}
