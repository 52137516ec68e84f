/* What the sidecar says: lines out of a stream, events, notices, and everything about them that could be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "overlay/tailscale/lines.h"

static void expect_lines(const char *bytes, size_t len, size_t piece, const char *const *want)
{
	struct sidecar_lines l = {0};
	size_t n = 0, got_len;
	const char *got;

	for (size_t at = 0; at < len; at += piece) {
		sidecar_lines_add(&l, bytes + at, len - at < piece ? len - at : piece);
		while (sidecar_lines_next(&l, &got, &got_len)) {
			assert_non_null(want[n]);
			assert_int_equal(got_len, strlen(want[n]));
			assert_memory_equal(got, want[n], got_len);
			n++;
		}
	}
	assert_null(want[n]);
	sidecar_lines_done(&l);
}

static void test_lines(void **state)
{
	static const char *const three[] = {"one", "two", "three", NULL};
	static const char text[] = "one\n\n\ntwo\nthree\nunfinished";
	static const char *const after[] = {"after", NULL};
	size_t long_len = SIDECAR_LINE_MAX + 7;
	char *too_long = xmalloc(long_len);

	(void)state;
	expect_lines(text, sizeof(text) - 1, sizeof(text), three);
	expect_lines(text, sizeof(text) - 1, 1, three);
	expect_lines(text, sizeof(text) - 1, 3, three);
	/* One that is too long is passed over whole, however it comes. */
	memset(too_long, 'x', long_len);
	too_long[long_len - 7] = '\n';
	memcpy(too_long + long_len - 6, "after\n", 6);
	expect_lines(too_long, long_len, long_len, after);
	expect_lines(too_long, long_len, 1000, after);
	free(too_long);
}

static int parse(const char *text, struct sidecar_event *ev)
{
	struct err e = {0};
	int rc = sidecar_event_parse(text, strlen(text), ev, &e);

	if (rc < 0)
		assert_int_equal(e.kind, ERR_INVALID);
	return rc;
}

static void test_events(void **state)
{
	static const char *const wrong[] = {"", "x", "[]", "{}", "{\"event\":7}", "{\"event\":\"state\"}",
		"{\"event\":\"state\",\"phase\":\"up\"}", "{\"event\":\"listening\"}",
		"{\"event\":\"listening\",\"id\":-1}", "{\"event\":\"listen_failed\",\"id\":\"3\"}",
		"{\"event\":\"state\",\"phase\":\"ready\"", "{\"a\\u0000b\":1}"};
	struct sidecar_event ev;
	char text[2000], reason[600];

	(void)state;
	assert_int_equal(
		parse("{\"event\":\"state\",\"phase\":\"degraded\",\"reason\":\"a\\nb\",\"address\":\"100.64.0.3\","
		      "\"name\":\"w.ts.net\",\"more\":[1]}",
			&ev),
		0);
	assert_int_equal(ev.type, SIDECAR_STATE);
	assert_int_equal(ev.state, OVERLAY_DEGRADED);
	assert_string_equal(ev.text, "a b");
	assert_string_equal(ev.address, "100.64.0.3");
	assert_string_equal(ev.node_name, "w.ts.net");
	assert_int_equal(parse("{\"event\":\"listening\",\"id\":7,\"address\":\"[fd7a::1]:80\"}", &ev), 0);
	assert_int_equal(ev.type, SIDECAR_LISTENING);
	assert_int_equal(ev.id, 7);
	assert_string_equal(ev.address, "[fd7a::1]:80");
	assert_int_equal(parse("{\"event\":\"listen_failed\",\"id\":0,\"error\":\"no\"}", &ev), 0);
	assert_int_equal(ev.type, SIDECAR_LISTEN_FAILED);
	assert_string_equal(ev.text, "no");
	assert_false(ev.again);
	assert_int_equal(parse("{\"event\":\"listen_failed\",\"id\":1,\"error\":\"no\",\"again\":true}", &ev), 0);
	assert_true(ev.again);
	assert_int_equal(parse("{\"event\":\"listen_failed\",\"id\":1,\"error\":\"no\",\"again\":1}", &ev), 0);
	assert_false(ev.again);
	assert_int_equal(parse("{\"event\":\"of the future\",\"id\":\"x\"}", &ev), 0);
	assert_int_equal(ev.type, SIDECAR_UNKNOWN);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(parse(wrong[i], &ev), -1);
	/* Cut between characters. */
	memset(reason, 'r', sizeof(reason));
	memcpy(reason + SIDECAR_TEXT_MAX - 2, "\xc3\xa9", 2);
	snprintf(text, sizeof(text), "{\"event\":\"state\",\"phase\":\"down\",\"reason\":\"%.*s\"}",
		(int)sizeof(reason), reason);
	assert_int_equal(parse(text, &ev), 0);
	assert_int_equal(strlen(ev.text), SIDECAR_TEXT_MAX - 2);
}

static void test_notices(void **state)
{
	static const char *const wrong[] = {"", "{", "[]", "{}", "{\"id\":\"1\"}", "{\"id\":-3}"};
	struct sidecar_notice n;
	const struct value *v;
	char text[2000], name[400];
	struct err e;

	(void)state;
	snprintf(text, sizeof(text), "%s",
		"{\"id\":3,\"peer\":\"100.64.0.7:512\",\"tls\":true,\"who\":{\"login\":\"a@example.com\",\"node\":\"b."
		"ts.net\","
		"\"node_id\":5,\"tags\":[\"tag:web\",7,\"\",\"tag:\\u0001\"],\"extra\":true}}");
	assert_int_equal(sidecar_notice_parse(text, strlen(text), &n, &e), 0);
	assert_int_equal(n.id, 3);
	assert_true(n.is_tls);
	assert_string_equal(n.peer, "100.64.0.7:512");
	assert_string_equal(value_get_string(value_get(n.identity, "login"), NULL), "a@example.com");
	assert_string_equal(value_get_string(value_get(n.identity, "node"), NULL), "b.ts.net");
	assert_null(value_get(n.identity, "node_id"));
	assert_null(value_get(n.identity, "extra"));
	v = value_get(n.identity, "tags");
	assert_int_equal(value_count(v), 1);
	assert_string_equal(value_get_string(value_at(v, 0), NULL), "tag:web");
	sidecar_notice_done(&n);
	/* A login that is cut would be somebody else's. */
	memset(name, 'a', sizeof(name));
	snprintf(text, sizeof(text), "{\"id\":3,\"who\":{\"login\":\"%.*s\",\"user\":\"x\\u0000y\"}}",
		(int)sizeof(name), name);
	assert_int_equal(sidecar_notice_parse(text, strlen(text), &n, &e), 0);
	assert_null(value_get(n.identity, "login"));
	assert_null(value_get(n.identity, "user"));
	sidecar_notice_done(&n);
	/* Vouched for by nobody. */
	assert_int_equal(sidecar_notice_parse("{\"id\":1,\"who\":\"x\"}", 18, &n, &e), 0);
	assert_null(n.identity);
	assert_false(n.is_tls);
	assert_string_equal(n.peer, "");
	sidecar_notice_done(&n);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(sidecar_notice_parse(wrong[i], strlen(wrong[i]), &n, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_notices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
