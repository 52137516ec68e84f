/*
 * Connecting on the clear network, with a resolver of the test's own: what reaches it, what races, how it fails, what a
 * cancel leaves.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "net/connect.h"

enum { MS = 1000000, NFILL = 16 };

/* -- a resolver that stands before the C library's -------------------------------------------------- */

static atomic_int nlookups, nlookups_ended;

static const struct {
	const char *name;
	const char *addrs[5];
	int gai;
	int delay_ms;
} zone[] = {
	{.name = "one.test", .addrs = {"127.0.0.1"}},
	{.name = "two.test", .addrs = {"127.0.0.1", "127.0.0.2"}},
	{.name = "same.test", .addrs = {"127.0.0.1", "127.0.0.1", "127.0.0.1"}},
	{.name = "mixed.test", .addrs = {"127.0.0.1", "::1"}},
	{.name = "none.test", .gai = EAI_NONAME},
	{.name = "nodata.test", .gai = EAI_NODATA},
	{.name = "again.test", .gai = EAI_AGAIN},
	{.name = "system.test", .gai = EAI_SYSTEM},
	{.name = "empty.test"},
	{.name = "slow.test", .addrs = {"127.0.0.1"}, .delay_ms = 200},
};

static struct addrinfo *prepend(struct addrinfo *next, const char *literal)
{
	struct addrinfo *ai = calloc(1, sizeof(*ai) + sizeof(struct addr));
	struct addr *a = (struct addr *)(ai + 1);

	addr_from_literal(literal, 0, a);
	ai->ai_family = a->sa.sa_family;
	ai->ai_addr = &a->sa;
	ai->ai_addrlen = addr_len(a);
	ai->ai_next = next;
	return ai;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
	atomic_fetch_add(&nlookups, 1);
	for (size_t i = 0; i < sizeof(zone) / sizeof(zone[0]); i++) {
		struct addrinfo *list = NULL;

		if (strcmp(node, zone[i].name) != 0)
			continue;
		if (hints->ai_flags != 0 || hints->ai_socktype != SOCK_STREAM || service)
			return EAI_BADFLAGS;
		nanosleep(&(struct timespec){.tv_nsec = zone[i].delay_ms * MS}, NULL);
		for (size_t k = 5; k-- > 0;)
			list = zone[i].addrs[k] ? prepend(list, zone[i].addrs[k]) : list;
		*res = list;
		errno = ENFILE; /* counts with EAI_SYSTEM only */
		atomic_fetch_add(&nlookups_ended, 1);
		return zone[i].gai;
	}
	return EAI_FAIL;
}

void freeaddrinfo(struct addrinfo *list)
{
	while (list) {
		struct addrinfo *ai = list;

		list = ai->ai_next;
		free(ai);
	}
}

/* -- what a connect came to ------------------------------------------------------------------------- */

static struct loop *loop;
static int listener = -1, ndone, fd, njudged;
static uint16_t port;
static struct addr peer;
static struct err err;
static bool starting;
static uint64_t begun_ns, took_ms;
static size_t nfds;

static size_t count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int listen_on(const char *literal, uint16_t at, int backlog)
{
	int s, on = 1;
	struct addr a;
	socklen_t len = sizeof(a);

	addr_from_literal(literal, at, &a);
	s = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (s < 0 || bind(s, &a.sa, addr_len(&a)) < 0 || (backlog >= 0 && listen(s, backlog) < 0)) {
		close(s);
		return -1;
	}
	getsockname(s, &a.sa, &len);
	port = addr_port(&a);
	return s;
}

static int setup(void **state)
{
	(void)state;
	loop = loop_new();
	listener = listen_on("127.0.0.1", 0, 16);
	ndone = njudged = 0;
	fd = -1;
	atomic_store(&nlookups, 0);
	atomic_store(&nlookups_ended, 0);
	nfds = count_fds();
	return listener < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	if (fd >= 0)
		close(fd);
	nfds -= count_fds();
	loop_free(loop);
	close(listener);
	return nfds == 0 ? 0 : -1; /* a descriptor was left open, or closed twice */
}

static void on_done(void *arg, int got, const struct addr *a, const struct err *e)
{
	assert_ptr_equal(arg, &ndone);
	assert_false(starting);
	assert_true(loop_is_mine(loop));
	assert_int_equal(++ndone, 1);
	took_ms = (loop_clock_ns() - begun_ns) / MS;
	fd = got;
	if (fd >= 0) {
		assert_null(e);
		peer = *a;
	} else {
		assert_null(a);
		err = *e;
	}
	loop_stop(loop);
}

static struct net_connect *start(const struct net_connect_options *opt)
{
	struct net_connect *c;

	begun_ns = loop_clock_ns();
	starting = true;
	c = net_connect_start(loop, opt, on_done, &ndone);
	starting = false;
	assert_non_null(c);
	return c;
}

static void dial(const char *host)
{
	start(&(struct net_connect_options){.host = host, .port = port, .deadline_ns = loop_clock_ns() + 5000ull * MS});
	loop_run(loop);
	assert_int_equal(ndone, 1);
}

static void stop_by_timer(struct loop_timer *t)
{
	(void)t;
	loop_stop(loop);
}

static void run_for(uint64_t ms)
{
	struct loop_timer t;

	loop_timer_init(&t, loop, stop_by_timer);
	loop_timer_start_ms(&t, ms);
	loop_run(loop);
	loop_timer_stop(&t);
}

static void await_lookups(void)
{
	while (atomic_load(&nlookups_ended) < atomic_load(&nlookups))
		run_for(10);
	run_for(10);
}

/* What the HTTP client rests on: libcurl 7.88 calls connect() on a descriptor that is connected already. */
static void check_descriptor(const char *ip)
{
	char text[ADDR_TEXT_MAX];
	int on = 0;
	socklen_t len = sizeof(on);

	assert_true(fd >= 0);
	assert_string_equal(addr_format_ip(&peer, text), ip);
	assert_int_equal(addr_port(&peer), port);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	assert_true(on);
	assert_int_equal(connect(fd, &peer.sa, addr_len(&peer)), 0);
	assert_int_equal(connect(fd, &peer.sa, addr_len(&peer)), -1);
	assert_int_equal(errno, EISCONN);
}

static void check_error(enum err_kind kind, const char *code, enum err_retry retry, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static void check_error(enum err_kind kind, const char *code, enum err_retry retry, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert_int_equal(fd, -1);
	assert_string_equal(err.text, text);
	assert_int_equal(err.kind, kind);
	assert_string_equal(err.code, code);
	assert_int_equal(err.retry, retry);
}

/* -- reaching ---------------------------------------------------------------------------------------- */

static void a_literal_needs_no_lookup(void **state)
{
	(void)state;
	dial("127.0.0.1");
	check_descriptor("127.0.0.1");
	assert_int_equal(atomic_load(&nlookups), 0);
}

static void a_name_is_looked_up(void **state)
{
	(void)state;
	dial("same.test");
	check_descriptor("127.0.0.1");
	assert_int_equal(atomic_load(&nlookups), 1);
}

static void data_flows(void **state)
{
	char got[6] = {0};
	int accepted;

	(void)state;
	dial("127.0.0.1");
	accepted = accept(listener, NULL, NULL);
	assert_true(accepted >= 0);
	assert_int_equal(write(accepted, "hello", 5), 5);
	close(accepted);
	run_for(10);
	assert_int_equal(read(fd, got, sizeof(got)), 5);
	assert_string_equal(got, "hello");
}

static void ipv6_first(void **state)
{
	int six = listen_on("::1", port, 16);

	(void)state;
	if (six < 0) {
		print_message("no IPv6 on the loopback interface\n");
		skip();
	}
	dial("mixed.test");
	check_descriptor("::1");
	close(six);
	assert_true(took_ms < 250);
}

static void ipv6_literal(void **state)
{
	int six = listen_on("::1", 0, 16);

	(void)state;
	if (six < 0) {
		print_message("no IPv6 on the loopback interface\n");
		skip();
	}
	dial("[::1]");
	check_descriptor("::1");
	close(six);
}

static void a_failed_attempt_starts_the_next_at_once(void **state)
{
	int second = listen_on("127.0.0.2", port, 16);

	(void)state;
	assert_true(second >= 0);
	close(listener); /* 127.0.0.1 refuses now */
	listener = second;
	dial("two.test");
	check_descriptor("127.0.0.2");
	assert_true(took_ms < 250);
}

/* A listener whose queue is full drops what comes: a peer that does not answer. */
static int fill[NFILL];

static void make_unresponsive(void)
{
	struct addr a;

	addr_from_literal("127.0.0.1", port, &a);
	assert_int_equal(listen(listener, 0), 0);
	for (int i = 0; i < NFILL; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)!connect(fill[i], &a.sa, addr_len(&a));
	}
	run_for(20);
}

static void end_unresponsive(void)
{
	for (int i = 0; i < NFILL; i++)
		close(fill[i]);
}

static void a_silent_address_loses_the_race(void **state)
{
	int second = listen_on("127.0.0.2", port, 16);

	(void)state;
	assert_true(second >= 0);
	make_unresponsive();
	dial("two.test");
	end_unresponsive();
	check_descriptor("127.0.0.2");
	close(second);
	assert_true(took_ms >= 250);
}

/* -- Unix sockets ------------------------------------------------------------------------------------ */

static char unix_path[108];

/* In place of the TCP listener. */
static void listen_unix(int backlog)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	snprintf(unix_path, sizeof(unix_path), "/tmp/test_connect_%d", (int)getpid());
	unlink(unix_path);
	strcpy(un.sun_path, unix_path);
	close(listener);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&un, sizeof(un)), 0);
	if (backlog >= 0)
		assert_int_equal(listen(listener, backlog), 0);
}

static void dial_unix(const char *path, unsigned timeout_ms)
{
	ndone = 0;
	start(&(struct net_connect_options){
		.unix_path = path, .deadline_ns = loop_clock_ns() + (uint64_t)timeout_ms * MS});
	loop_run(loop);
	assert_int_equal(ndone, 1);
}

static void a_unix_socket(void **state)
{
	char got[6] = {0};
	int accepted;

	(void)state;
	listen_unix(16);
	dial_unix(unix_path, 5000);
	unlink(unix_path);
	assert_true(fd >= 0);
	assert_int_equal(peer.sa.sa_family, AF_UNSPEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	accepted = accept(listener, NULL, NULL);
	assert_int_equal(write(accepted, "hello", 5), 5);
	close(accepted);
	assert_int_equal(read(fd, got, sizeof(got)), 5);
	assert_string_equal(got, "hello");
}

static void a_unix_socket_that_fails(void **state)
{
	char too_long[200];

	(void)state;
	listen_unix(-1);
	dial_unix(unix_path, 5000);
	check_error(ERR_UNAVAILABLE, "connect_refused", ERR_RETRY_YES, "dial unix %s: connect: connection refused",
		unix_path);
	unlink(unix_path);
	dial_unix(unix_path, 5000);
	check_error(ERR_UNAVAILABLE, "connect_refused", ERR_RETRY_YES,
		"dial unix %s: connect: no such file or directory", unix_path);
	memset(too_long, 'x', sizeof(too_long));
	too_long[0] = '/';
	too_long[sizeof(too_long) - 1] = '\0';
	dial_unix(too_long, 5000);
	check_error(ERR_UNAVAILABLE, "connect_failed", ERR_RETRY_YES, "dial unix %s: connect: file name too long",
		too_long);
}

static void a_busy_unix_socket(void **state)
{
	int first, accepted;
	struct net_connect *c;

	(void)state;
	listen_unix(0);
	dial_unix(unix_path, 5000);
	first = fd;
	fd = -1;
	dial_unix(unix_path, 100);
	check_error(ERR_TIMEOUT, "connect_timeout", ERR_RETRY_YES, "dial unix %s: i/o timeout", unix_path);
	assert_in_range(took_ms, 100, 1000);
	/* Cancelled while it waits, and when it has connected but has not said so. */
	ndone = 0;
	c = start(&(struct net_connect_options){.unix_path = unix_path});
	run_for(30);
	net_connect_cancel(c);
	accepted = accept(listener, NULL, NULL);
	net_connect_cancel(start(&(struct net_connect_options){.unix_path = unix_path}));
	run_for(30);
	assert_int_equal(ndone, 0);
	/* There is room while it waits. */
	start(&(struct net_connect_options){.unix_path = unix_path, .deadline_ns = loop_clock_ns() + 5000ull * MS});
	run_for(30);
	assert_int_equal(ndone, 0);
	close(accept(listener, NULL, NULL));
	loop_run(loop);
	assert_true(fd >= 0);
	close(first);
	close(accepted);
	unlink(unix_path);
}

/* -- failing ----------------------------------------------------------------------------------------- */

static void refused(void **state)
{
	(void)state;
	assert_int_equal(close(listener), 0);
	listener = listen_on("127.0.0.1", 0, -1); /* bound, not listening */
	dial("127.0.0.1");
	check_error(ERR_UNAVAILABLE, "connect_refused", ERR_RETRY_YES,
		"dial tcp 127.0.0.1:%u: connect: connection refused", port);
}

static void all_addresses_refuse(void **state)
{
	(void)state;
	assert_int_equal(close(listener), 0);
	listener = listen_on("127.0.0.1", 0, -1);
	dial("two.test");
	check_error(ERR_UNAVAILABLE, "connect_refused", ERR_RETRY_YES,
		"dial tcp 127.0.0.1:%u: connect: connection refused", port);
}

static void lookup_errors(void **state)
{
	static const char *const unknown[] = {"none.test", "nodata.test", "empty.test"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		ndone = 0;
		dial(unknown[i]);
		check_error(
			ERR_NOT_FOUND, "no_such_host", ERR_RETRY_NO, "dial tcp: lookup %s: no such host", unknown[i]);
	}
	ndone = 0;
	dial("again.test");
	check_error(ERR_UNAVAILABLE, "lookup_failed", ERR_RETRY_YES,
		"dial tcp: lookup again.test: temporary failure in name resolution");
	ndone = 0;
	dial("system.test");
	check_error(ERR_UNAVAILABLE, "lookup_failed", ERR_RETRY_YES,
		"dial tcp: lookup system.test: too many open files in system");
}

static void names_that_reach_no_resolver(void **state)
{
	static const struct {
		const char *host;
		const char *text;
	} refused_names[] = {
		{"x.onion", "lookup x.onion: refused: .onion names never go to the system resolver"},
		{"A.B.OnIoN.", "lookup A.B.OnIoN.: refused: .onion names never go to the system resolver"},
		{"x.b32.i2p", "lookup x.b32.i2p: refused: .i2p names never go to the system resolver"},
		{"0x7f.1", "lookup 0x7f.1: no such host"},
		{"2130706433", "lookup 2130706433: no such host"},
		{"127.0.0.1.", "lookup 127.0.0.1.: no such host"},
		{"fe80::1%lo", "lookup fe80::1%lo: no such host"},
		{"", "lookup : no such host"},
		{".", "lookup .: no such host"},
		{"a..test", "lookup a..test: no such host"},
		{"a\nb.test", "lookup a\\x0ab.test: no such host"},
		{"x.onion ", "lookup x.onion : no such host"},
		{"x\xe3\x80\x82onion", "lookup x\xe3\x80\x82onion: no such host"},
		{"x\\.onion.test", "lookup x\\.onion.test: no such host"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refused_names) / sizeof(refused_names[0]); i++) {
		ndone = 0;
		dial(refused_names[i].host);
		check_error(ERR_NOT_FOUND, "no_such_host", ERR_RETRY_NO, "%s", refused_names[i].text);
	}
	assert_int_equal(atomic_load(&nlookups), 0);
}

static void names_that_are_too_long(void **state)
{
	char label[80], name[700];

	(void)state;
	memset(label, 'a', 64);
	strcpy(label + 64, ".test");
	dial(label);
	assert_string_equal(err.code, "no_such_host");
	memset(name, 'a', sizeof(name) - 1);
	for (size_t i = 9; i < sizeof(name); i += 10)
		name[i] = '.';
	name[sizeof(name) - 1] = '\0';
	ndone = 0;
	dial(name);
	assert_string_equal(err.code, "no_such_host");
	assert_int_equal(atomic_load(&nlookups), 0);
}

static void the_deadline_ends_a_silent_connect(void **state)
{
	(void)state;
	make_unresponsive();
	start(&(struct net_connect_options){
		.host = "one.test", .port = port, .deadline_ns = loop_clock_ns() + 40 * MS});
	loop_run(loop);
	end_unresponsive();
	assert_in_range(took_ms, 40, 1000);
	check_error(ERR_TIMEOUT, "connect_timeout", ERR_RETRY_YES, "dial tcp one.test:%u: i/o timeout", port);
	assert_int_equal(ndone, 1);
}

static void the_deadline_ends_a_lookup(void **state)
{
	(void)state;
	start(&(struct net_connect_options){
		.host = "slow.test", .port = port, .deadline_ns = loop_clock_ns() + 20 * MS});
	loop_run(loop);
	check_error(ERR_TIMEOUT, "connect_timeout", ERR_RETRY_YES, "dial tcp: lookup slow.test: i/o timeout");
	assert_int_equal(atomic_load(&nlookups_ended), 0);
	await_lookups(); /* their end is noticed by nobody */
	assert_int_equal(ndone, 1);
}

/* -- judging ----------------------------------------------------------------------------------------- */

static int judge(void *arg, const struct addr *a, struct err *e)
{
	char text[ADDR_TEXT_MAX];

	njudged++;
	if (arg && strcmp(addr_format_ip(a, text), arg) == 0)
		return err_set(e, ERR_PERMISSION_DENIED, "not allowed: private IP %s", text);
	return 0;
}

static void one_bad_address_refuses_all(void **state)
{
	struct net_connect_options opt = {.host = "two.test", .port = port, .judge = judge, .judge_arg = "127.0.0.2"};
	int flags = fcntl(listener, F_GETFL);

	(void)state;
	start(&opt);
	loop_run(loop);
	assert_int_equal(fd, -1);
	assert_string_equal(err.text, "not allowed: private IP 127.0.0.2");
	assert_int_equal(err.kind, ERR_PERMISSION_DENIED);
	assert_int_equal(njudged, 2);
	fcntl(listener, F_SETFL, flags | O_NONBLOCK);
	assert_int_equal(accept(listener, NULL, NULL), -1); /* not even the good one was tried */
	assert_int_equal(errno, EAGAIN);
	/* A literal is judged as well. */
	ndone = njudged = 0;
	opt.host = "127.0.0.2";
	start(&opt);
	loop_run(loop);
	assert_int_equal(err.kind, ERR_PERMISSION_DENIED);
	assert_int_equal(njudged, 1);
	/* And what is allowed goes through. */
	ndone = 0;
	opt.host = "one.test";
	start(&opt);
	loop_run(loop);
	check_descriptor("127.0.0.1");
}

/* -- cancelling -------------------------------------------------------------------------------------- */

static void cancel_at_every_stage(void **state)
{
	struct net_connect_options opt = {.port = port, .deadline_ns = loop_clock_ns() + 10000ull * MS};
	static const char *const hosts[] = {"127.0.0.1", "slow.test", "x.onion", "two.test"};
	struct net_connect *c;

	(void)state;
	net_connect_cancel(NULL);
	for (size_t i = 0; i < 4; i++) {
		opt.host = hosts[i];
		net_connect_cancel(start(&opt)); /* at once */
		run_for(5);
	}
	opt.host = "slow.test";
	c = start(&opt);
	run_for(20); /* the look-up runs on the pool */
	net_connect_cancel(c);
	await_lookups();
	make_unresponsive();
	opt.host = "two.test";
	c = start(&opt);
	run_for(30); /* the first attempt waits */
	net_connect_cancel(c);
	run_for(20);
	end_unresponsive();
	assert_int_equal(ndone, 0);
}

static void a_loop_may_end_during_a_lookup(void **state)
{
	(void)state;
	loop_free(loop);
	loop = loop_new();
	net_connect_cancel(start(&(struct net_connect_options){.host = "slow.test", .port = port}));
	loop_free(loop);
	loop = loop_new();
	assert_int_equal(atomic_load(&nlookups_ended), 1);
	assert_int_equal(ndone, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_literal_needs_no_lookup, setup, teardown),
		cmocka_unit_test_setup_teardown(a_name_is_looked_up, setup, teardown),
		cmocka_unit_test_setup_teardown(data_flows, setup, teardown),
		cmocka_unit_test_setup_teardown(ipv6_first, setup, teardown),
		cmocka_unit_test_setup_teardown(ipv6_literal, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_attempt_starts_the_next_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_silent_address_loses_the_race, setup, teardown),
		cmocka_unit_test_setup_teardown(a_unix_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(a_unix_socket_that_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(a_busy_unix_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
		cmocka_unit_test_setup_teardown(all_addresses_refuse, setup, teardown),
		cmocka_unit_test_setup_teardown(lookup_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(names_that_reach_no_resolver, setup, teardown),
		cmocka_unit_test_setup_teardown(names_that_are_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(the_deadline_ends_a_silent_connect, setup, teardown),
		cmocka_unit_test_setup_teardown(the_deadline_ends_a_lookup, setup, teardown),
		cmocka_unit_test_setup_teardown(one_bad_address_refuses_all, setup, teardown),
		cmocka_unit_test_setup_teardown(cancel_at_every_stage, setup, teardown),
		cmocka_unit_test_setup_teardown(a_loop_may_end_during_a_lookup, setup, teardown),
	};

	return cmocka_run_group_tests_name("net/connect", tests, NULL, NULL);
}
