/*
 * Whose socket is at the other end: ours here; nobody's once it is closed.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/socket_owner.h"

static void connect_pair(
	const char *ip, int *ret_client, int *ret_server, struct addr *ret_client_addr, struct addr *ret_server_addr)
{
	socklen_t len = sizeof(struct sockaddr_in6);
	struct addr a;
	int l;

	assert_true(addr_from_literal(ip, 0, &a));
	l = socket(a.sa.sa_family, SOCK_STREAM, 0);
	assert_int_equal(bind(l, &a.sa, addr_len(&a)), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, &ret_server_addr->sa, &len), 0);
	*ret_client = socket(a.sa.sa_family, SOCK_STREAM, 0);
	assert_int_equal(connect(*ret_client, &ret_server_addr->sa, addr_len(ret_server_addr)), 0);
	len = sizeof(struct sockaddr_in6);
	assert_int_equal(getsockname(*ret_client, &ret_client_addr->sa, &len), 0);
	*ret_server = accept(l, NULL, NULL);
	close(l);
}

static void test_owner(void **state)
{
	static const char *const ips[] = {"127.0.0.1", "::1"};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct addr client, server;
		struct err e = {0};
		int c, s;
		uid_t uid;

		connect_pair(ips[i], &c, &s, &client, &server);
		uid = (uid_t)-1;
		assert_int_equal(socket_owner(&client, &server, &uid, &e), 0);
		assert_int_equal(uid, geteuid());
		uid = (uid_t)-1;
		assert_int_equal(socket_owner(&server, &client, &uid, &e), 0);
		assert_int_equal(uid, geteuid());
		/* The server's end gone first, so that not even its closing is remembered on the client's side. */
		assert_int_equal(shutdown(s, SHUT_RDWR), 0);
		close(s);
		close(c);
		assert_int_equal(socket_owner(&client, &server, &uid, &e), -1);
		assert_int_equal(e.kind, ERR_NOT_FOUND);
	}
}

/* A socket that belongs to somebody else; only root can make one. */
static void test_other_user(void **state)
{
	struct addr client, server;
	struct err e = {0};
	uid_t uid = 0;
	int c, s;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(seteuid(65534), 0);
	connect_pair("127.0.0.1", &c, &s, &client, &server);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(socket_owner(&client, &server, &uid, &e), 0);
	assert_int_equal(uid, 65534);
	close(c);
	close(s);
}

static void test_mixed_families(void **state)
{
	struct addr a, b;
	struct err e;
	uid_t uid;

	(void)state;
	assert_true(addr_from_literal("127.0.0.1", 1, &a));
	assert_true(addr_from_literal("::1", 1, &b));
	assert_int_equal(socket_owner(&a, &b, &uid, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_other_user),
		cmocka_unit_test(test_mixed_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
