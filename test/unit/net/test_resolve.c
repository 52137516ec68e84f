/*
 * The system's own resolver, on the one name that every system knows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "net/resolve.h"

static void on_resolved(void *arg, const struct addr *addrs, size_t naddrs, const struct err *e)
{
	struct loop *l = arg;
	char text[ADDR_TEXT_MAX];

	if (e)
		fail_msg("%s", e->text);
	assert_in_range(naddrs, 1, RESOLVE_ADDRS_MAX);
	for (size_t i = 0; i < naddrs; i++) {
		if (!addr_is_private(&addrs[i]))
			fail_msg("localhost is %s", addr_format(&addrs[i], text));
		assert_int_equal(addr_port(&addrs[i]), 4711);
	}
	loop_stop(l);
}

static void localhost(void **state)
{
	struct loop *l = loop_new();
	struct resolve *r = NULL;
	struct err e;

	(void)state;
	assert_int_equal(resolve_start(l, "localhost", 4711, on_resolved, l, &r, &e), 0);
	assert_non_null(r);
	loop_run(l);
	loop_free(l);
}

static void refused_at_once(void **state)
{
	struct loop *l = loop_new();
	struct resolve *r = NULL;
	struct err e;

	(void)state;
	assert_int_equal(resolve_start(l, "x.onion", 80, on_resolved, l, &r, &e), -1);
	assert_null(r);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_string_equal(e.code, "no_such_host");
	resolve_cancel(NULL);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(localhost),
		cmocka_unit_test(refused_at_once),
	};

	return cmocka_run_group_tests_name("net/resolve", tests, NULL, NULL);
}
