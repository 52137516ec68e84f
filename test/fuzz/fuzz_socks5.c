/*
 * What a hostile SOCKS5 proxy can send to the step machine.
 *
 * Byte 0 of the input chooses target (or none, a probe) and credentials, byte 1 how the bytes are cut; the rest is what the proxy says
 * before it closes. Every exchange must end with success or a typed error, take no byte beyond the reply, keep within
 * its limits, keep the password out of errors, and end in the same way when the bytes come one at a time.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/socks5/machine.h"

#define MUST(cond)                                                                         \
	do {                                                                               \
		if (!(cond)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                           \
		}                                                                          \
	} while (0)

static const char password[] = "hunter2-hunter2";

static const char *const hosts[] = {"example.onion", "192.0.2.1", "2001:db8::1", "a"};

struct outcome {
	enum socks5_step step;
	size_t taken;
	struct err err;
};

static void run(uint8_t how, uint8_t cut, const uint8_t *bytes, size_t len, struct outcome *o)
{
	struct socks5_machine m;
	bool auth = how & 0x80;
	size_t sent = 0;

	if (how & 0x40)
		socks5_machine_init_probe(&m, auth ? "user" : NULL, auth ? password : NULL);
	else
		socks5_machine_init(
			&m, hosts[how % 4], (uint16_t)(how * 257u), auth ? "user" : NULL, auth ? password : NULL);
	o->taken = 0;
	for (size_t turn = 0;; turn++) {
		size_t want, n;

		o->step = socks5_machine_step(&m);
		sent += buf_len(&m.out);
		buf_consume(&m.out, buf_len(&m.out));
		want = socks5_machine_wants(&m);
		if (o->step != SOCKS5_STEP_NEED_INPUT)
			break;
		MUST(want >= 1 && want <= SOCKS5_REPLY_MAX);
		n = len - o->taken;
		if (n == 0) {
			socks5_machine_eof(&m);
			continue;
		}
		if (n > want)
			n = want;
		/* cut 0: as many at once as are taken; else pieces of 1 to cut bytes. */
		if (cut > 0 && n > 1 + turn % cut)
			n = 1 + turn % cut;
		buf_add(&m.in, bytes + o->taken, n);
		o->taken += n;
	}
	MUST(socks5_machine_wants(&m) == 0);
	MUST(o->taken <= SOCKS5_IN_MAX && sent <= SOCKS5_OUT_MAX);
	o->err = m.err;
	if (o->step == SOCKS5_STEP_FAILED) {
		MUST(m.err.text[0] && m.err.code && m.err.kind != ERR_UNKNOWN && m.err.retry != ERR_RETRY_UNKNOWN);
		MUST(!strstr(m.err.text, password));
	} else {
		MUST(buf_len(&m.in) == 0);
	}
	socks5_machine_done(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct outcome some, one;

	if (len < 2)
		return 0;
	run(data[0], data[1], data + 2, len - 2, &some);
	run(data[0], 1, data + 2, len - 2, &one);
	MUST(some.step == one.step);
	if (some.step == SOCKS5_STEP_DONE)
		MUST(some.taken == one.taken);
	else
		MUST(strcmp(some.err.text, one.err.text) == 0);
	return 0;
}
