/*
 * Networks and the addresses in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "net/cidr.h"

static void contains(void **state)
{
	static const struct {
		const char *net, *ip;
		int in; /* -1: no network */
	} cases[] = {
		{"10.0.0.0/8", "10.255.0.1", 1},
		{"10.0.0.0/8", "11.0.0.1", 0},
		{"10.1.2.3/8", "10.9.9.9", 1},
		{"172.16.0.0/12", "172.31.255.255", 1},
		{"172.16.0.0/12", "172.32.0.0", 0},
		{"100.64.0.0/10", "100.127.0.1", 1},
		{"100.64.0.0/10", "100.128.0.1", 0},
		{"0.0.0.0/0", "1.2.3.4", 1},
		{"0.0.0.0/0", "2001:db8::1", 0},
		{"1.2.3.4/32", "1.2.3.4", 1},
		{"1.2.3.4/32", "1.2.3.5", 0},
		{"10.0.0.0/8", "::ffff:10.0.0.1", 1},
		{"fc00::/7", "fdff::1", 1},
		{"fc00::/7", "fe00::1", 0},
		{"::1/128", "::1", 1},
		{"::1/128", "::2", 0},
		{"::/0", "10.0.0.1", 1},
		{"10.0.0.0", "10.0.0.0", -1},
		{"10.0.0.0/33", "10.0.0.0", -1},
		{"::/129", "::", -1},
		{"10.0.0.0/", "10.0.0.0", -1},
		{"10.0.0.0/08", "10.0.0.0", -1},
		{"10.0.0.0/-1", "10.0.0.0", -1},
		{"10.0.0/8", "10.0.0.0", -1},
		{"/8", "10.0.0.0", -1},
		{"example.com/8", "10.0.0.0", -1},
		{"", "10.0.0.0", -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cidr c;
		struct addr a;
		bool ok = cidr_parse(cases[i].net, strlen(cases[i].net), &c);

		assert_int_equal(ok, cases[i].in >= 0);
		assert_true(addr_from_literal(cases[i].ip, 0, &a));
		if (ok)
			assert_int_equal(cidr_contains(&c, &a), cases[i].in);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(contains)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
