/*
 * What a hostile control port can send: the reader, the words of its replies, and the authentication.
 *
 * Byte 0 of the input chooses how the controller would authenticate, byte 1 how the bytes are cut; the rest is what comes. Every conversation must end, or wait, in the same
 * way when the bytes come one at a time; keep within its limits; send the cookie to nobody who does not know it; and keep secrets out of errors.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/tor/auth.h"
#include "overlay/tor/control.h"
#include "overlay/tor/health.h"
#include "overlay/tor/onion.h"

#define MUST(cond)                                                                         \
	do {                                                                               \
		if (!(cond)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                           \
		}                                                                          \
	} while (0)

static const char password_text[] = "hunter2-hunter2-hunter2";
static const char cookie_hex[] = "5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A";

struct outcome {
	enum auth_state state;
	size_t replies;
	bool failed;
	struct err err;
};

static int read_cookie(const char *path, unsigned char out[static COOKIE_BYTES], struct err *e)
{
	MUST(strlen(path) > 0 && strlen(path) <= COOKIE_PATH_MAX);
	if (path[0] != '/')
		return err_set(e, ERR_UNAVAILABLE, "no such cookie");
	memset(out, 0x5a, COOKIE_BYTES);
	return 0;
}

static void check_err(const struct err *e, const uint8_t *bytes, size_t len)
{
	MUST(e->text[0]);
	MUST(!strpbrk(e->text, "\r\n\x1b"));
	if (!memmem(bytes, len, password_text, strlen(password_text)))
		MUST(!strstr(e->text, password_text));
}

static void check_health(const char *text)
{
	struct tor_health h = {0};

	if (!tor_health_is_event(text))
		MUST(!tor_health_take_event(&h, text));
	else
		tor_health_take_event(&h, text);
	tor_health_take_bootstrap(&h, text);
	MUST(h.progress <= 100 && strlen(h.summary) <= BOOTSTRAP_TEXT_MAX && !strpbrk(h.summary, "\r\n\x1b"));
}

static void check_reply(const struct control_reader *r)
{
	static const char *const keys[] = {"METHODS", "COOKIEFILE", "PROGRESS", "SUMMARY", "A"};

	MUST(r->nlines > 0 && r->nlines <= CONTROL_LINES_MAX && r->code < 1000);
	for (size_t i = 0; i < r->nlines; i++) {
		const char *text = r->lines[i].text;

		MUST(text > r->bytes && text + strlen(text) < r->bytes + sizeof(r->bytes));
		if (r->lines[i].data)
			MUST(r->lines[i].data + strlen(r->lines[i].data) < r->bytes + sizeof(r->bytes));
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
			struct buf b = BUF_INIT;

			if (control_word(text, keys[k], &b))
				MUST(buf_len(&b) < strlen(text));
			buf_done(&b);
		}
		check_health(text);
		if (onion_is_id(text))
			MUST(strlen(text) == ONION_ID_LEN);
		if (onion_is_key(text))
			MUST(!strpbrk(text, " \r\n"));
	}
}

static void run(uint8_t how, uint8_t cut, const uint8_t *bytes, size_t len, struct outcome *o)
{
	struct secret *password = how & 1 ? secret_new(password_text, strlen(password_text)) : NULL;
	struct control_reader *r = malloc(sizeof(*r));
	struct auth *a = malloc(sizeof(*a));
	size_t taken = 0;
	struct err e;

	MUST(r && a);
	memset(o, 0, sizeof(*o));
	control_init(r);
	auth_init(a, password, how & 2 ? "/cookie" : NULL, read_cookie);
	/* The conversation is to be the same each time. */
	for (size_t turn = 0; taken < len && !r->is_failed; turn++) {
		size_t n = len - taken, got;

		if (cut > 0 && n > 1 + turn % cut)
			n = 1 + turn % cut;
		got = control_feed(r, (const char *)bytes + taken, n);
		MUST(got <= n && (got > 0 || r->is_failed));
		taken += got;
		if (!r->is_ready)
			continue;
		o->replies++;
		check_reply(r);
		if (!control_is_ok(r)) {
			control_refusal("X", r, &e);
			check_err(&e, bytes, len);
		}
		if (!control_is_event(r)) {
			buf_clear(&a->out);
			auth_reply(a, r);
			MUST(buf_len(&a->out) <= 2 * CONTROL_PASSWORD_MAX + 64);
			/* One command at a time; the plain cookie only when its file was named here. */
			if (buf_len(&a->out) > 0)
				MUST(strchr(buf_str(&a->out), '\n') == buf_str(&a->out) + buf_len(&a->out) - 1);
			if (!(how & 2))
				MUST(!strstr(buf_str(&a->out), cookie_hex));
		}
		control_next(r);
	}
	o->state = a->state;
	o->failed = r->is_failed;
	if (r->is_failed)
		o->err = r->err;
	else if (a->state == AUTH_FAILED)
		o->err = a->err;
	if (r->is_failed || a->state == AUTH_FAILED)
		check_err(&o->err, bytes, len);
	auth_done(a);
	control_done(r);
	free(a);
	free(r);
	secret_free(password);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct outcome some, one;

	if (len < 2)
		return 0;
	run(data[0], data[1], data + 2, len - 2, &some);
	run(data[0], 1, data + 2, len - 2, &one);
	MUST(some.state == one.state && some.replies == one.replies && some.failed == one.failed);
	MUST(strcmp(some.err.text, one.err.text) == 0);
	return 0;
}
