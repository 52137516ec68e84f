/*
 * What a hostile bridge can send to the SAM machine.
 *
 * Byte 0 of the input chooses the part that is played, byte 1 how the bytes are cut; the rest is what the bridge says before it
 * closes. Every exchange must end, or stand, in the same way when the bytes come one at a time; take no byte behind the line
 * that ends it; keep within its limits; and keep the private key out of errors.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/destination.h"
#include "overlay/i2p/sam.h"

#define MUST(cond)                                                                         \
	do {                                                                               \
		if (!(cond)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                           \
		}                                                                          \
	} while (0)

static const char key_text[] = "hunter2-hunter2-hunter2";

struct outcome {
	enum sam_state state;
	size_t taken;
	size_t said;
	struct err err;
};

static void check_ready(const struct sam *m, const uint8_t *bytes, size_t taken)
{
	char b32[B32_NAME_MAX];

	/* The last byte taken ended a line. */
	MUST(taken > 0 && bytes[taken - 1] == '\n');
	if (m->part != SAM_ACCEPT)
		return;
	MUST(m->peer && m->peer[0] && !strpbrk(m->peer, " \"\r\n"));
	if (destination_b32(m->peer, b32))
		MUST(strlen(b32) == B32_NAME_MAX - 1);
}

static void run(uint8_t how, uint8_t cut, const uint8_t *bytes, size_t len, struct outcome *o)
{
	struct sam_request r = {
		.part = how & 0x80 ? SAM_PROBE : (enum sam_part)(how % 3),
		.id = "wippy-7",
		.host = "example.i2p",
		.port = 80,
		.options = how & 0x10 ? " inbound.length=1" : NULL,
		.keeps_key = how & 0x20,
	};
	struct secret *key = how & 0x40 ? secret_new(key_text, strlen(key_text)) : NULL;
	struct sam *m = malloc(sizeof(*m));

	MUST(m);
	if (r.keeps_key)
		r.private_key = key;
	sam_init(m, &r);
	o->taken = o->said = 0;
	for (size_t turn = 0;; turn++) {
		enum sam_step step = sam_step(m);
		size_t n = len - o->taken, got;

		MUST(buf_len(&m->out) <= SAM_LINE_MAX);
		o->said += buf_len(&m->out);
		buf_consume(&m->out, buf_len(&m->out));
		if (step != SAM_STEP_NEED_INPUT)
			break;
		if (n == 0)
			break;
		if (cut > 0 && n > 1 + turn % cut)
			n = 1 + turn % cut;
		got = sam_feed(m, (const char *)bytes + o->taken, n);
		MUST(got <= n && (got > 0 || m->state == SAM_FAILED));
		o->taken += got;
	}
	o->state = m->state;
	if (m->state == SAM_READY)
		check_ready(m, bytes, o->taken);
	sam_eof(m);
	MUST(m->state == SAM_READY || m->state == SAM_FAILED);
	MUST(sam_feed(m, "x", 1) == 0);
	o->err = m->err;
	if (m->state == SAM_FAILED) {
		MUST(m->err.text[0] && m->err.code && m->err.kind == ERR_UNAVAILABLE);
		MUST(!strpbrk(m->err.text, "\r\n\x1b"));
		/* It can only say the key when the bridge knows it: our own words never hold it. */
		if (!memmem(bytes, len, key_text, strlen(key_text)))
			MUST(!strstr(m->err.text, key_text));
	}
	sam_done(m);
	free(m);
	secret_free(key);
}

/* Hosts of URLs, too, are asked whether they are destinations. */
static void name(const uint8_t *bytes, size_t len)
{
	char *text = malloc(len + 1), b32[B32_NAME_MAX];

	MUST(text);
	memcpy(text, bytes, len);
	text[len] = '\0';
	if (destination_b32(text, b32))
		MUST(strlen(b32) == B32_NAME_MAX - 1 && strspn(b32, "abcdefghijklmnopqrstuvwxyz234567") == 52);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct outcome some, one;

	if (len < 2)
		return 0;
	name(data + 2, len - 2);
	run(data[0], data[1], data + 2, len - 2, &some);
	run(data[0], 1, data + 2, len - 2, &one);
	MUST(some.state == one.state && some.said == one.said);
	if (some.state == SAM_FAILED)
		MUST(strcmp(some.err.text, one.err.text) == 0);
	else
		MUST(some.taken == one.taken);
	return 0;
}
