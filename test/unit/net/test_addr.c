/*
 * Addresses: what is a literal, what is private, what must not meet a resolver.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/addr.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static void literals_and_their_text(void **state)
{
	static const struct {
		const char *host;
		const char *endpoint;
		const char *ip;
	} good[] = {
		{"127.0.0.1", "127.0.0.1:80", "127.0.0.1"},
		{"0.0.0.0", "0.0.0.0:80", "0.0.0.0"},
		{"255.255.255.255", "255.255.255.255:80", "255.255.255.255"},
		{"::1", "[::1]:80", "::1"},
		{"[::1]", "[::1]:80", "::1"},
		{"[::]", "[::]:80", "::"},
		{"2001:DB8:0:0::1", "[2001:db8::1]:80", "2001:db8::1"},
		{"::ffff:10.1.2.3", "[::ffff:10.1.2.3]:80", "::ffff:10.1.2.3"},
		{"2001:db8:1111:2222:3333:4444:5555:6666", "[2001:db8:1111:2222:3333:4444:5555:6666]:80",
			"2001:db8:1111:2222:3333:4444:5555:6666"},
	};
	char text[ADDR_TEXT_MAX];
	struct addr a;

	(void)state;
	for (size_t i = 0; i < LEN(good); i++) {
		memset(&a, 0xaa, sizeof(a)); /* nothing may be left of it */
		assert_true(addr_from_literal(good[i].host, 80, &a));
		assert_string_equal(addr_format(&a, text), good[i].endpoint);
		assert_string_equal(addr_format_ip(&a, text), good[i].ip);
		assert_int_equal(addr_port(&a), 80);
		assert_int_equal(addr_len(&a),
			strchr(good[i].host, ':') ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
	}
	assert_true(addr_from_literal("::1", 65535, &a));
	assert_int_equal(a.in6.sin6_scope_id, 0);
	assert_int_equal(a.in6.sin6_flowinfo, 0);
	assert_string_equal(addr_format(&a, text), "[::1]:65535");
}

static void same_address(void **state)
{
	struct addr a, b;

	(void)state;
	assert_true(addr_from_literal("10.0.0.1", 1, &a) && addr_from_literal("10.0.0.1", 2, &b));
	assert_true(addr_is_same_ip(&a, &b));
	assert_true(addr_from_literal("10.0.0.2", 1, &b));
	assert_false(addr_is_same_ip(&a, &b));
	assert_true(addr_from_literal("::ffff:10.0.0.1", 1, &b));
	assert_false(addr_is_same_ip(&a, &b));
	assert_true(addr_from_literal("fe80::1", 1, &a) && addr_from_literal("fe80:0::1", 1, &b));
	assert_true(addr_is_same_ip(&a, &b));
	b.in6.sin6_scope_id = 7;
	assert_false(addr_is_same_ip(&a, &b));
}

static void what_is_no_literal(void **state)
{
	static const char *const bad[] = {"", "localhost", "127.1", "0x7f.1", "2130706433", "127.0.0.01", "0177.0.0.1",
		"127.0.0.1.", "256.0.0.1", "1.2.3", "1.2.3.4.5", " 127.0.0.1", "127.0.0.1 ", "[127.0.0.1]", "[::1",
		"::1]", "[]", "[[::1]]", "fe80::1%lo", "[fe80::1%25lo]", "fe80::1%1", ":", ":::", "1::2::3",
		"12345::", "::ffff:127.1", "2001:db8:1111:2222:3333:4444:5555:6666:7777",
		"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"};
	struct addr a;

	(void)state;
	memset(&a, 0x55, sizeof(a));
	for (size_t i = 0; i < LEN(bad); i++) {
		if (addr_from_literal(bad[i], 80, &a))
			fail_msg("'%s' was taken for a literal", bad[i]);
	}
	assert_int_equal(a.sa.sa_family, 0x5555); /* written only on success */
}

static bool is_private(const char *literal)
{
	struct addr a;

	if (!addr_from_literal(literal, 1, &a))
		fail_msg("'%s' is no literal", literal);
	return addr_is_private(&a);
}

static void private_ranges(void **state)
{
	static const char *const yes[] = {"127.0.0.1", "127.255.255.255", "10.0.0.0", "10.255.255.255", "172.16.0.0",
		"172.31.255.255", "192.168.0.0", "192.168.255.255", "169.254.0.0", "169.254.169.254", "224.0.0.1",
		"224.0.0.255", "0.0.0.0", "::1", "::", "fc00::", "fdff:ffff::1", "fe80::1", "febf::1", "ff02::1",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0.0.0.0", "::ffff:169.254.1.1"};
	static const char *const no[] = {"126.255.255.255", "128.0.0.0", "9.255.255.255", "11.0.0.0", "172.15.255.255",
		"172.32.0.0", "192.167.255.255", "192.169.0.0", "169.253.255.255", "169.255.0.0", "224.0.1.0",
		"239.1.1.1", "255.255.255.255", "0.0.0.1", "100.64.0.1", "1.1.1.1", "::2", "fbff::1", "fe00::1",
		"fe7f::1", "fec0::1", "ff01::1", "ff05::1", "2001:db8::1", "::ffff:1.1.1.1", "::ffff:100.64.0.1"};

	(void)state;
	for (size_t i = 0; i < LEN(yes); i++) {
		if (!is_private(yes[i]))
			fail_msg("%s is private", yes[i]);
	}
	for (size_t i = 0; i < LEN(no); i++) {
		if (is_private(no[i]))
			fail_msg("%s is not private", no[i]);
	}
	assert_true(addr_is_private(&(struct addr){0})); /* of no family: better too careful */
}

static void odd_numbers(void **state)
{
	static const char *const yes[] = {"127.1", "0x7f.1", "0X7F.0.0.1", "2130706433", "0177.0.0.1", "127.0.0.01",
		"0", "017700000001", "0x7f000001", "127.0.0.1.", "127.1.", "256.1.1.1", "1.2.3.4.5", "99999999999",
		"0x", "127.0.1", "127.1 x", "08.1"};
	static const char *const no[] = {"127.0.0.1", "::1", "[::1]", "", ".", "localhost", "1.2.3.4.example", "1a.2",
		"127.1.nip.io", "0xg", "x7f.1", "1..2", ".1", "fe80::1%1", "1-2.3"};

	(void)state;
	for (size_t i = 0; i < LEN(yes); i++) {
		if (!host_is_odd_numeric(yes[i]))
			fail_msg("'%s' is an odd number", yes[i]);
	}
	for (size_t i = 0; i < LEN(no); i++) {
		if (host_is_odd_numeric(no[i]))
			fail_msg("'%s' is no odd number", no[i]);
	}
}

static void overlay_names(void **state)
{
	static const char *const yes[] = {"x.onion", "a.b.onion", "X.OnIoN", "x.onion.", "x.onion..", "x.i2p",
		"abc.b32.i2p", "x.I2P.", ".onion", "x y.onion"};
	static const char *const no[] = {"", ".", "onion", "i2p", "onion.example", "x.onion.example", "myonion",
		"x.onions", "xi2p", "i2p.local", "127.0.0.1"};

	(void)state;
	for (size_t i = 0; i < LEN(yes); i++) {
		if (!host_is_overlay_only(yes[i]))
			fail_msg("'%s' is an overlay name", yes[i]);
	}
	for (size_t i = 0; i < LEN(no); i++) {
		if (host_is_overlay_only(no[i]))
			fail_msg("'%s' is no overlay name", no[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals_and_their_text),
		cmocka_unit_test(same_address),
		cmocka_unit_test(what_is_no_literal),
		cmocka_unit_test(private_ranges),
		cmocka_unit_test(odd_numbers),
		cmocka_unit_test(overlay_names),
	};

	return cmocka_run_group_tests_name("net/addr", tests, NULL, NULL);
}
