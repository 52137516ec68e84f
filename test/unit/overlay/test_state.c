/* States and their telling, counters, refused listeners, identities, and the directories that drivers keep. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "overlay/driver.h"
#include "overlay_test.h"
#include "scratch.h"

static struct loop *loop;
static struct buf told; /* "ready:reason ", in order */

static void on_changed(void *arg, struct overlay *o, const struct overlay_status *st)
{
	assert_ptr_equal(arg, &told);
	assert_string_equal(overlay_id(o), "app:net");
	buf_addf(&told, "%s:%s@%s ", overlay_state_name(st->state), st->reason, st->address);
}

static struct overlay_env env = {.state_dir = "/nonexistent", .changed = on_changed, .changed_arg = &told};

static int set_up(void **state)
{
	(void)state;
	loop = loop_new();
	env.control = loop;
	env.state_dir = "/nonexistent";
	buf_init(&told);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	buf_done(&told);
	forget_log();
	return 0;
}

static struct overlay *open_socks(const char *isolation)
{
	struct value *data = value_map();
	struct overlay *o = NULL;
	struct err e;

	value_map_set(data, "host", value_cstring("127.0.0.1"));
	value_map_set(data, "port", value_int(9));
	if (isolation)
		value_map_set(data, "isolation", value_cstring(isolation));
	if (overlay_open(&socks5_driver, &env, "app:net", data, &o, &e) < 0)
		fail_msg("%s", e.text);
	value_unref(data);
	return o;
}

/* -- states ------------------------------------------------------------------------------------------ */

static void test_changes_are_told_once(void **state)
{
	struct overlay *o = open_socks(NULL);
	struct overlay_status st;
	struct dialled r;
	int64_t since;

	(void)state;
	overlay_get_status(o, &st);
	assert_int_equal(st.state, OVERLAY_STARTING);
	assert_string_equal(st.reason, "");
	assert_true(st.since_ms > INT64_C(1600000000000));
	overlay_set_state(o, OVERLAY_STARTING, "%s", "");
	overlay_set_state(o, OVERLAY_READY, "%s", "");
	overlay_set_state(o, OVERLAY_READY, "%s", "");
	overlay_get_status(o, &st);
	since = st.since_ms;
	overlay_set_state(o, OVERLAY_DEGRADED, "%d of %d tunnels", 1, 3);
	overlay_set_state(o, OVERLAY_DEGRADED, "1 of 3 tunnels");
	overlay_set_state(o, OVERLAY_DEGRADED, "2 of 3 tunnels");
	overlay_set_address(o, "abc.b32.i2p");
	overlay_set_address(o, "abc.b32.i2p");
	overlay_tell(o);
	assert_string_equal(buf_str(&told), "ready:@ degraded:1 of 3 tunnels@ degraded:2 of 3 tunnels@ "
					    "degraded:2 of 3 tunnels@abc.b32.i2p degraded:2 of 3 tunnels@abc.b32.i2p ");
	overlay_get_status(o, &st);
	assert_string_equal(st.address, "abc.b32.i2p");
	assert_true(st.since_ms >= since);
	buf_clear(&told);
	overlay_stop(o);
	overlay_set_state(o, OVERLAY_READY, "%s", "");
	overlay_tell(o);
	assert_string_equal(buf_str(&told), "");
	overlay_get_status(o, &st);
	assert_int_equal(st.state, OVERLAY_DOWN);
	assert_string_equal(st.reason, "the overlay was stopped");
	r = dial_once(loop, o, "name.example", 80, 1000, "");
	assert_int_equal(r.err.kind, ERR_UNAVAILABLE);
	assert_string_equal(r.err.code, "overlay_replaced");
	overlay_unref(o);
}

static void test_a_long_reason_is_cut(void **state)
{
	struct overlay *o = open_socks(NULL);
	char text[1000];
	struct overlay_status st;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	overlay_set_state(o, OVERLAY_DOWN, "%s", text);
	overlay_set_state(o, OVERLAY_DOWN, "%s", text);
	overlay_set_address(o, text);
	overlay_set_address(o, text);
	overlay_get_status(o, &st);
	assert_int_equal(strlen(st.reason), OVERLAY_REASON_MAX - 1);
	assert_int_equal(strlen(st.address), OVERLAY_REASON_MAX - 1);
	text[OVERLAY_REASON_MAX - 1] = '\0';
	buf_clear(&told);
	overlay_set_address(o, text); /* the same after cutting */
	assert_string_equal(buf_str(&told), "");
	overlay_unref(o);
}

static void test_dials_are_counted(void **state)
{
	struct overlay *o = open_socks(NULL);
	struct overlay_status st;
	struct dialled r = {0};
	struct dial *d;

	(void)state;
	dial_once(loop, o, "name.example", 80, 1000, "");
	dial_once(loop, o, "name.example", 80, 1000, "");
	d = begin_dial(loop, o, "name.example", 80, 1000, "", &r);
	overlay_get_status(o, &st);
	assert_int_equal(st.dials, 2);
	assert_int_equal(st.dials_failed, 2);
	assert_int_equal(st.dials_open, 1);
	assert_int_equal(st.state, OVERLAY_DOWN);
	assert_non_null(
		strstr(st.reason, "the proxy was not reached: dial tcp 127.0.0.1:9: connect: connection refused"));
	assert_null(strstr(st.reason, "name.example"));
	dial_cancel(d);
	overlay_get_status(o, &st);
	assert_int_equal(st.dials, 2);
	assert_int_equal(st.dials_open, 0);
	overlay_unref(o);
}

/* -- listeners that are refused ---------------------------------------------------------------------- */

static struct {
	unsigned failed;
	struct err err;
} heard;

static void never_ready(void *arg, const char *address)
{
	(void)arg;
	fail_msg("ready at %s", address);
}

static void never_accept(void *arg, int fd, const struct listen_peer *peer)
{
	(void)arg;
	(void)peer;
	fail_msg("accepted %d", fd);
}

static void on_failed(void *arg, const struct err *e)
{
	heard.failed++;
	heard.err = *e;
	loop_stop(arg);
}

static void test_socks5_does_not_listen(void **state)
{
	static const struct listen_callbacks cb = {never_ready, never_accept, on_failed};
	struct overlay *o = open_socks(NULL);
	struct listen_options opt = {.overlay = o, .name = "app:web", .port = 80};
	struct overlay_status st;
	struct listener *l;

	(void)state;
	assert_false(overlay_can_listen_tls(o));
	memset(&heard, 0, sizeof(heard));
	l = overlay_listen(&opt, &cb, loop);
	overlay_get_status(o, &st);
	assert_int_equal(st.listeners, 1);
	assert_int_equal(heard.failed, 0);
	loop_run(loop);
	assert_int_equal(heard.failed, 1);
	assert_int_equal(heard.err.kind, ERR_INVALID);
	assert_string_equal(heard.err.text,
		"socks5: operation not supported (inbound listeners are not exposed over SOCKS5): "
		"network: operation not supported by this provider");
	overlay_unlisten(l);
	opt.tls = true;
	l = overlay_listen(&opt, &cb, loop);
	loop_run(loop);
	assert_string_equal(heard.err.text, "network driver does not support auto TLS: app:net");
	overlay_unlisten(l);
	/* Given up before it was told. */
	l = overlay_listen(&opt, &cb, loop);
	overlay_unlisten(l);
	overlay_unlisten(NULL);
	run_for(loop, 5);
	assert_int_equal(heard.failed, 2);
	overlay_get_status(o, &st);
	assert_int_equal(st.listeners, 0);
	overlay_unref(o);
}

/* -- identities -------------------------------------------------------------------------------------- */

static void test_session_keys(void **state)
{
	static const struct {
		const char *isolation, *key, *expected;
	} rows[] = {
		{NULL, "", ""},
		{NULL, "owner:7", ""},
		{"dial", "owner:7", NULL},
		{"process", "owner:7", "owner:7"},
		{"process", "", NULL},
		{"host", "host:a.example", "host:a.example"},
		{"scrapers", "name:scrapers", "name:scrapers"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct overlay *o = open_socks(rows[i].isolation);
		const char *key = overlay_session_key(o, rows[i].key);

		if (rows[i].expected)
			assert_string_equal(key, rows[i].expected);
		else
			assert_null(key);
		overlay_unref(o);
	}
}

/* -- directories ------------------------------------------------------------------------------------- */

static char base[600];

static int path_of(const char *kind, const char *node, char **ret, struct err *e)
{
	struct overlay_env here = {.state_dir = base};

	return overlay_state_path(&here, kind, node, ret, e);
}

static void assert_private(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_state_paths(void **state)
{
	static const struct {
		const char *node, *segment;
	} rows[] = {
		{"wippy", "wippy"},
		{"Node-1_a.b", "Node-1_a.b"},
		{"app:net", "app%3Anet"},
		{"..", "%2E."},
		{".", "%2E"},
		{"a/../b", "a%2F..%2Fb"},
		{"%41", "%2541"},
		{"\xc3\xa9 ~", "%C3%A9%20%7E"},
	};
	char *path, *again;
	char expected[1400], long_name[2000];
	struct err e;

	(void)state;
	snprintf(base, sizeof(base), "%s/deep/er/net", scratch_dir);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (path_of("i2p", rows[i].node, &path, &e) < 0)
			fail_msg("%s", e.text);
		snprintf(expected, sizeof(expected), "%s/i2p/%s", base, rows[i].segment);
		assert_string_equal(path, expected);
		assert_private(path);
		free(path);
	}
	assert_private(base);
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(path_of("i2p", long_name, &path, &e), 0);
	long_name[sizeof(long_name) - 2] = 'm';
	assert_int_equal(path_of("i2p", long_name, &again, &e), 0);
	assert_string_not_equal(path, again);
	assert_private(again);
	free(path);
	free(again);
}

static void test_state_paths_follow_no_links(void **state)
{
	char *path;
	char name[700], elsewhere[700];
	struct err e;

	(void)state;
	snprintf(base, sizeof(base), "%s/net", scratch_dir);
	assert_int_equal(path_of("tor", "a", &path, &e), 0);
	free(path);
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", scratch_dir);
	assert_int_equal(mkdir(elsewhere, 0755), 0);
	snprintf(name, sizeof(name), "%s/tor/b", base);
	assert_int_equal(symlink(elsewhere, name), 0);
	assert_int_equal(path_of("tor", "b", &path, &e), -1);
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_non_null(strstr(e.text, "cannot use the state directory"));
	/* A directory that was left open to others is closed to them. */
	snprintf(name, sizeof(name), "%s/tor/a", base);
	assert_int_equal(chmod(name, 0755), 0);
	assert_int_equal(path_of("tor", "a", &path, &e), 0);
	assert_private(path);
	free(path);
	/* A file in its place. */
	snprintf(name, sizeof(name), "%s/tor/c", base);
	close(open(name, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(path_of("tor", "c", &path, &e), -1);
	base[0] = '\0';
	assert_int_equal(path_of("tor", "a", &path, &e), -1);
	assert_non_null(strstr(e.text, "network_service.state_dir"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_changes_are_told_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_long_reason_is_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dials_are_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_socks5_does_not_listen, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_session_keys, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_state_paths, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_state_paths_follow_no_links, scratch_setup, scratch_teardown),
	};

	log_set_sink(keep_log, NULL, LOG_DEBUG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
