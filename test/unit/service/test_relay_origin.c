/* Which origins may open a relay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/relay_origin.h"

static void nobody_asks(void **state)
{
	(void)state;
	assert_true(relay_origin_for_websocket("", NULL, "a.test"));
	assert_true(relay_origin_for_websocket("", "", "a.test"));
	assert_true(relay_origin_for_events("https://b.test", NULL, "a.test", "http"));
}

static void websockets(void **state)
{
	static const struct {
		const char *patterns, *origin;
		bool allowed;
	} rows[] = {
		{"", "http://a.test", true},
		{"", "https://A.Test", true},
		{"", "http://a.test/path?x", true},
		{"", "http://a.test:8080", false},
		{"", "http://xa.test", false},
		{"", "null", false},
		{"", "a.test", false},
		{"", "://", false},
		{"*", "null", true},
		{" x , * ", "http://b.test", true},
		{"b.test", "http://b.test", true},
		{"b.test", "http://a.test", true}, /* its own, whatever the patterns say */
		{"b.test", "http://b.test:81", false},
		{"b.test:*", "http://b.test:81", true},
		{"*.b.test", "http://x.B.test", true},
		{"*.b.test", "http://b.test", false},
		{"*.b.test", "http://x.b.test.evil", false},
		{"?.b.test", "http://x.b.test", true},
		{"?.b.test", "http://xy.b.test", false},
		{"https://b.test", "https://b.test", true},
		{"https://b.test", "http://b.test", false},
		{"https://*", "https://b.test", true},
		{"b.test", "null", false},
		{",,", "http://b.test", false},
		{" ", "null", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (relay_origin_for_websocket(rows[i].patterns, rows[i].origin, "a.test") != rows[i].allowed)
			fail_msg("'%s' '%s'", rows[i].patterns, rows[i].origin);
}

static void events(void **state)
{
	static const struct {
		const char *patterns, *origin, *scheme;
		bool allowed;
	} rows[] = {
		{"", "http://a.test", "http", true},
		{"", "http://a.test", "https", false},
		{"", "https://a.test", "https", true},
		{"", "http://b.test", "http", false},
		{"", "null", "http", false},
		{"*", "null", "http", true},
		{"https://b.test", "https://b.test", "http", true},
		{"https://b.test", "http://a.test", "http", false}, /* patterns stand alone */
		{"https://*.b.test", "https://x.b.test", "http", true},
		{"https://*.b.test", "http://x.b.test", "http", false},
		{"*.b.test", "https://x.b.test", "http", false},
		{"https://*", "https://x.b.test", "http", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (relay_origin_for_events(rows[i].patterns, rows[i].origin, "a.test", rows[i].scheme) !=
			rows[i].allowed)
			fail_msg("'%s' '%s'", rows[i].patterns, rows[i].origin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_asks),
		cmocka_unit_test(websockets),
		cmocka_unit_test(events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
