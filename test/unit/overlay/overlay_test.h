/*
 * overlay_test.h - what the tests of the dial gate share: a loop, one dial at a time on it, the log, and open
 * descriptors.
 *
 * A test program includes cmocka.h and this, and calls log_set_sink(keep_log, NULL, LOG_DEBUG) first.
 */
#ifndef OVERLAY_TEST_H
#define OVERLAY_TEST_H

#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "overlay/overlay.h"

/* -- the log, as text ------------------------------------------------------------------------------ */

static struct {
	struct buf text;
	unsigned records;
	unsigned dial_failures;
} kept_log;

static void __attribute__((unused)) keep_log(void *arg, const struct log_record *r)
{
	(void)arg;
	kept_log.records++;
	if (strcmp(r->message, "dial failed") == 0) {
		kept_log.dial_failures++;
		assert_int_equal(r->level, LOG_DEBUG);
	}
	buf_adds(&kept_log.text, r->message);
	for (size_t i = 0; i < r->nfields; i++) {
		if (r->fields[i].type == LOG_TYPE_STR)
			buf_addf(&kept_log.text, " %s=%s", r->fields[i].key, r->fields[i].str);
	}
	buf_addc(&kept_log.text, '\n');
}

static void __attribute__((unused)) forget_log(void)
{
	buf_done(&kept_log.text);
	kept_log.records = kept_log.dial_failures = 0;
}

/* -- the system's resolver, watched ---------------------------------------------------------------- */

static atomic_uint lookups;

/* Stands before the C library's: every look-up of the program passes here, on whatever thread. */
int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
	struct addrinfo **restrict res)
{
	int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		dlsym(RTLD_NEXT, "getaddrinfo");

	atomic_fetch_add(&lookups, 1);
	return next(node, service, hints, res);
}

/* -- descriptors ----------------------------------------------------------------------------------- */

static unsigned __attribute__((unused)) count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* -- one dial -------------------------------------------------------------------------------------- */

struct dialled {
	struct loop *loop;
	unsigned calls;
	bool returned; /* overlay_dial() has returned: `done` may run */
	int fd;
	struct dial_trace trace;
	struct err err;
	uint64_t took_ms;
	unsigned *left; /* stop the loop when it falls to 0; NULL: stop at once */
};

static void on_dialled(void *arg, int fd, const struct dial_trace *trace, const struct err *e)
{
	struct dialled *r = arg;

	assert_true(r->returned);
	assert_true(loop_is_mine(r->loop));
	assert_true(fd >= 0 ? e == NULL : e != NULL && e->text[0]);
	r->calls++;
	r->fd = fd;
	r->trace = *trace;
	if (e)
		r->err = *e;
	r->took_ms = (loop_clock_ns() - trace->begun_ns) / 1000000;
	if (!r->left || --*r->left == 0)
		loop_stop(r->loop);
}

static struct dial *__attribute__((unused)) begin_dial(struct loop *l, struct overlay *o, const char *host,
	uint16_t port, unsigned timeout_ms, const char *key, struct dialled *r)
{
	char *short_lived_host = xstrdup(host), *short_lived_key = xstrdup(key);
	struct dial_options opt = {
		.loop = l,
		.overlay = o,
		.host = short_lived_host,
		.port = port,
		.deadline_ns = loop_clock_ns() + timeout_ms * UINT64_C(1000000),
		.isolation_key = short_lived_key,
	};
	unsigned *left = r->left;
	struct dial *d;

	*r = (struct dialled){.loop = l, .fd = -2, .left = left};
	d = overlay_dial(&opt, on_dialled, r);
	assert_non_null(d);
	assert_int_equal(r->calls, 0);
	r->returned = true;
	/* Borrowed for the call only: a use after it shows under the address sanitizer. */
	free(short_lived_host);
	free(short_lived_key);
	return d;
}

/* One dial from beginning to end. */
static struct dialled __attribute__((unused))
dial_once(struct loop *l, struct overlay *o, const char *host, uint16_t port, unsigned timeout_ms, const char *key)
{
	struct dialled r = {0};

	begin_dial(l, o, host, port, timeout_ms, key, &r);
	loop_run(l);
	assert_int_equal(r.calls, 1);
	return r;
}

/* Run the loop for a while. */
struct pause {
	struct loop_timer timer;
};

static void pause_over(struct loop_timer *t)
{
	loop_stop(t->loop);
}

static void __attribute__((unused)) run_for(struct loop *l, unsigned ms)
{
	struct pause p;

	loop_timer_init(&p.timer, l, pause_over);
	loop_timer_start_ms(&p.timer, ms);
	loop_run(l);
	loop_timer_stop(&p.timer);
}

/* -- listeners ------------------------------------------------------------------------------------- */

static int __attribute__((unused)) listen_on(const char *ip, int backlog, uint16_t *ret_port)
{
	struct addr a;
	socklen_t len;
	int fd;

	assert_true(addr_from_literal(ip, 0, &a));
	fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, &a.sa, addr_len(&a)) < 0 || listen(fd, backlog) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	len = sizeof(a.in6);
	assert_int_equal(getsockname(fd, &a.sa, &len), 0);
	*ret_port = addr_port(&a);
	return fd;
}

/* A port where nobody listens: bound, so that nobody else gets it meanwhile. */
static int __attribute__((unused)) dead_port(uint16_t *ret_port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*ret_port = ntohs(in.sin_port);
	return fd;
}

/* A listener that accepts no more: connect() to it stays under way. Returns how many descriptors were put into fds. */
static size_t __attribute__((unused)) deaf_port(int fds[static 8], uint16_t *ret_port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	size_t n = 0;

	fds[n++] = listen_on("127.0.0.1", 0, ret_port);
	assert_true(fds[0] >= 0);
	in.sin_port = htons(*ret_port);
	while (n < 8) {
		struct pollfd p = {.events = POLLOUT};

		p.fd = fds[n++] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		connect(p.fd, (struct sockaddr *)&in, sizeof(in));
		if (poll(&p, 1, 50) == 0)
			return n; /* this one hangs, so will the next */
	}
	return n;
}

#endif
