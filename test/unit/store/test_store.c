/*
 * Key-value stores: one set of rows for both backends, then what is special to each.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "sql/database.h"
#include "store/store.h"

enum { NTHREADS = 4, NROUNDS = 3000 };

static struct loop *loop;
static struct store *store;
static struct database *db;

static int setup_memory(void **state)
{
	(void)state;
	loop = loop_new();
	store = store_memory_new(10);
	store_set_open(store, true);
	return 0;
}

static struct database *find_db(void *arg, struct err *e)
{
	if (*(bool *)arg)
		return database_ref(db);
	err_set(e, ERR_NOT_FOUND, "it is gone");
	return NULL;
}

static bool db_is_there;

static int setup_table(void **state)
{
	struct database_config cfg = {.name = "test", .file = ":memory:"};
	struct store_sql_config sc = {.table = "order",
		.id_column = "key",
		.payload_column = "value",
		.expire_column = "expires_at",
		.find = find_db,
		.find_arg = &db_is_there};

	(void)state;
	loop = loop_new();
	db_is_there = true;
	if (database_open(&cfg, &db, NULL) < 0)
		return -1;
	store = store_sql_new(&sc);
	store_set_open(store, true);
	return database_exec(
		db, "CREATE TABLE [order] (key TEXT COLLATE NOCASE, value TEXT, expires_at TIMESTAMP)", NULL);
}

static int teardown(void **state)
{
	(void)state;
	store_unref(store);
	database_unref(db);
	db = NULL;
	loop_stop(loop);
	loop_run(loop);
	loop_free(loop);
	return 0;
}

/* -- asking ---------------------------------------------------------------------------------------------- */

static struct store_answer answer;
static bool answered;

static void on_answer(void *arg, struct store_answer *a)
{
	assert_ptr_equal(arg, &answer);
	answer = *a;
	a->entries = NULL;
	a->count = 0;
	answered = true;
	loop_stop(loop);
}

/* The answer stays in `answer` until the next. */
static int ask(const struct store_request *r)
{
	struct store_answer now;
	struct store_wait *w;

	store_answer_done(&answer);
	answered = false;
	w = store_begin(store, r, &now, loop, on_answer, &answer);
	if (!w) {
		answer = now;
		return answer.rc;
	}
	while (!answered)
		loop_run(loop);
	return answer.rc;
}

static struct store_request request(enum store_op op, const char *key)
{
	return (struct store_request){.op = op, .key = key, .key_len = strlen(key)};
}

static int put_with(const char *key, const char *json, struct store_request r)
{
	int rc;

	r.op = STORE_PUT;
	r.key = key;
	r.key_len = strlen(key);
	r.data = store_data_json(json, strlen(json));
	rc = ask(&r);
	store_data_unref(r.data);
	return rc;
}

static void put(const char *key, const char *json)
{
	assert_int_equal(put_with(key, json, (struct store_request){0}), 0);
}

static void check_value(const char *key, const char *want)
{
	struct store_request r = request(STORE_GET, key);
	const char *text;
	size_t len;

	if (!want) {
		assert_int_equal(ask(&r), -1);
		assert_int_equal(answer.err.kind, ERR_NOT_FOUND);
		assert_string_equal(answer.err.text, "key not found");
		return;
	}
	assert_int_equal(ask(&r), 0);
	assert_int_equal(answer.count, 1);
	text = store_data_json_text(answer.entries[0].data, &len);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(text, want, len);
}

static bool found(enum store_op op, const char *key)
{
	struct store_request r = request(op, key);

	assert_int_equal(ask(&r), 0);
	return answer.found;
}

static void check_list(const char *prefix, const char *after, size_t limit, const char *want, bool more)
{
	struct store_request r = {.op = STORE_LIST, .prefix = prefix, .after = after, .limit = limit};
	struct buf keys = BUF_INIT;

	r.prefix_len = strlen(prefix);
	r.after_len = strlen(after);
	assert_int_equal(ask(&r), 0);
	for (size_t i = 0; i < answer.count; i++)
		buf_addf(&keys, "%s%s", i > 0 ? " " : "", answer.entries[i].key);
	assert_string_equal(buf_str(&keys), want);
	assert_int_equal(answer.has_more, more);
	buf_done(&keys);
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* -- what both do ---------------------------------------------------------------------------------------- */

static void test_basics(void **state)
{
	struct store_request r = request(STORE_GET, "");
	char key[STORE_KEY_BYTES_MAX + 2];

	(void)state;
	check_value("a", NULL);
	assert_false(found(STORE_HAS, "a"));
	put("a", "1");
	check_value("a", "1");
	check_value(":a", "1");
	put(":a", "{\"x\":2}");
	check_value("a", "{\"x\":2}");
	assert_true(found(STORE_HAS, "a"));
	assert_true(found(STORE_DELETE, "a"));
	assert_false(found(STORE_DELETE, "a"));
	check_value("a", NULL);
	assert_int_equal(ask(&r), -1);
	assert_string_equal(answer.err.text, "key is required");
	r = (struct store_request){.op = STORE_GET, .key = "a\0b", .key_len = 3};
	assert_int_equal(ask(&r), -1);
	assert_string_equal(answer.err.text, "the key contains a NUL byte");
	memset(key, 'k', sizeof(key));
	r = (struct store_request){.op = STORE_GET, .key = key, .key_len = STORE_KEY_BYTES_MAX + 1};
	assert_int_equal(ask(&r), -1);
	assert_string_equal(answer.err.text, "the key is longer than 4096 bytes");
	store_set_open(store, false);
	r = request(STORE_GET, "a");
	assert_int_equal(ask(&r), -1);
	assert_string_equal(answer.err.text, "store is closed");
	assert_int_equal(answer.err.retry, ERR_RETRY_YES);
}

static void test_list(void **state)
{
	(void)state;
	put("b", "1");
	put("n:2", "1");
	put("n:10", "1");
	put("n:1", "1");
	put("N:1", "1");
	put("o\xff:1", "1");
	check_list("", "", 0, ":b N:1 n:1 n:10 n:2 o\xff:1", false);
	check_list("n:", "", 0, "n:1 n:10 n:2", false);
	check_list("n:1", "", 0, "n:1 n:10", false);
	check_list("b", "", 0, "", false);
	check_list("o\xff", "", 0, "o\xff:1", false);
	check_list("", "", 2, ":b N:1", true);
	check_list("", "N:1", 2, "n:1 n:10", true);
	check_list("", "n:10", 2, "n:2 o\xff:1", false);
	check_list("n:", "n:1", 2, "n:10 n:2", false);
	check_list("n:", ":z", 1, "n:1", true);
	check_list("n:", "z", 1, "", false);
}

static void test_expiry(void **state)
{
	(void)state;
	assert_int_equal(put_with("a", "1", (struct store_request){.ttl_ns = 400000000}), 0);
	assert_int_equal(put_with("b", "2", (struct store_request){.ttl_ns = 400000000}), 0);
	put("b", "2");
	assert_int_equal(put_with("c", "3", (struct store_request){.ttl_ns = INT64_MAX}), 0);
	check_value("a", "1");
	pause_ms(450);
	check_value("a", NULL);
	check_value("b", "2");
	check_value("c", "3");
	assert_false(found(STORE_HAS, "a"));
	check_list("", "", 0, ":b :c", false);
	assert_false(found(STORE_DELETE, "a"));
	/* Its place can be taken. */
	assert_int_equal(put_with("a", "1", (struct store_request){.ttl_ns = 1}), 0);
	put("a", "9");
	check_value("a", "9");
}

/* -- in memory ------------------------------------------------------------------------------------------- */

static void test_conditions(void **state)
{
	uint64_t version;

	(void)state;
	assert_int_equal(put_with("a", "1", (struct store_request){.only_if_absent = true}), 0);
	version = answer.entries[0].version;
	assert_int_equal(put_with("a", "2", (struct store_request){.only_if_absent = true}), -1);
	assert_int_equal(answer.err.kind, ERR_ALREADY_EXISTS);
	assert_int_equal(put_with("a", "2", (struct store_request){.if_version = version + 1}), -1);
	assert_int_equal(answer.err.kind, ERR_CONFLICT);
	assert_int_equal(answer.err.retry, ERR_RETRY_YES);
	assert_int_equal(put_with("b", "2", (struct store_request){.if_version = version}), -1);
	assert_int_equal(answer.err.kind, ERR_NOT_FOUND);
	assert_int_equal(put_with("a", "2", (struct store_request){.if_version = version}), 0);
	assert_int_equal(answer.entries[0].version, version + 1);
	assert_int_equal(put_with("a", "2", (struct store_request){.if_version = 1, .only_if_absent = true}), -1);
	assert_int_equal(answer.err.kind, ERR_INVALID);
	/* What has expired is absent. */
	assert_int_equal(put_with("c", "1", (struct store_request){.ttl_ns = 1}), 0);
	assert_int_equal(put_with("c", "2", (struct store_request){.only_if_absent = true}), 0);
	check_value("c", "2");
}

static void test_full(void **state)
{
	char key[16];

	(void)state;
	for (int i = 0; i < 10; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(put_with(key, "1", (struct store_request){.ttl_ns = i % 2 ? 400000000 : 0}), 0);
	}
	assert_int_equal(put_with("more", "1", (struct store_request){0}), -1);
	assert_string_equal(answer.err.text, "store is full");
	assert_int_equal(answer.err.retry, ERR_RETRY_YES);
	put("k0", "2");
	pause_ms(450);
	for (int i = 0; i < 5; i++) {
		snprintf(key, sizeof(key), "more%d", i);
		put(key, "1");
	}
	assert_int_equal(put_with("more5", "1", (struct store_request){0}), -1);
	check_list("", "", 0, ":k0 :k2 :k4 :k6 :k8 :more0 :more1 :more2 :more3 :more4", false);
}

static void *hammer(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	struct store_data *d = store_data_json("1", 1);
	char key[16];

	for (int i = 0; i < NROUNDS; i++) {
		static const enum store_op ops[] = {
			STORE_GET, STORE_PUT, STORE_PUT, STORE_DELETE, STORE_HAS, STORE_LIST};
		struct store_answer a;
		struct store_request r;

		seed = seed * 1103515245 + 12345;
		snprintf(key, sizeof(key), "k%u", seed >> 16 & 15);
		r = request(ops[(seed >> 8) % 6], key);
		r.data = d;
		r.ttl_ns = seed & 1024 ? 1000 : 0;
		assert_null(store_begin(store, &r, &a, NULL, NULL, NULL));
		if (r.op == STORE_LIST)
			for (size_t k = 1; k < a.count; k++)
				assert_true(strcmp(a.entries[k - 1].key, a.entries[k].key) < 0);
		store_answer_done(&a);
		if (i % 100 == 0)
			store_clean(store, NULL, NULL, NULL);
	}
	store_data_unref(d);
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[NTHREADS];
	struct store_request r = {.op = STORE_LIST};

	(void)state;
	for (uintptr_t i = 0; i < NTHREADS; i++)
		pthread_create(&threads[i], NULL, hammer, (void *)(i + 1));
	for (int i = 0; i < NTHREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(ask(&r), 0);
	assert_true(answer.count <= 10);
}

/* -- in a table ------------------------------------------------------------------------------------------ */

static void test_unsupported(void **state)
{
	(void)state;
	assert_int_equal(put_with("a", "1", (struct store_request){.only_if_absent = true}), -1);
	assert_string_equal(answer.err.text, "operation not supported by this store");
	assert_int_equal(answer.err.kind, ERR_INVALID);
	assert_int_equal(put_with("a", "1", (struct store_request){.if_version = 1}), -1);
	assert_string_equal(answer.err.text, "operation not supported by this store");
	put("a", "1");
	assert_int_equal(answer.entries[0].version, 0);
}

static void test_database_gone(void **state)
{
	struct store_request r = request(STORE_GET, "a");

	(void)state;
	put("a", "1");
	db_is_there = false;
	assert_int_equal(ask(&r), -1);
	assert_string_equal(answer.err.text, "it is gone");
	db_is_there = true;
	database_close(db);
	assert_int_equal(ask(&r), -1);
	assert_string_equal(answer.err.text, "connection pool is closed");
	assert_int_equal(answer.err.kind, ERR_UNAVAILABLE);
}

static void test_cancel(void **state)
{
	struct store_answer now;
	struct store_request r = request(STORE_GET, "a");

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct store_wait *w = store_begin(store, &r, &now, loop, on_answer, &answer);

		assert_non_null(w);
		if (i % 3 == 0)
			pause_ms(1);
		store_cancel(w);
	}
	assert_int_equal(database_handles(db), 0);
}

static void test_names(void **state)
{
	(void)state;
	assert_true(store_sql_name_is_safe("a_B9"));
	assert_true(store_sql_name_is_safe("_x"));
	assert_false(store_sql_name_is_safe(""));
	assert_false(store_sql_name_is_safe("9a"));
	assert_false(store_sql_name_is_safe("a b"));
	assert_false(store_sql_name_is_safe("a]"));
	assert_false(store_sql_name_is_safe("t\xc3\xa4"));
	assert_false(store_sql_name_is_safe("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

#define TEST_MEMORY(name) cmocka_unit_test_setup_teardown(name, setup_memory, teardown)
#define TEST_TABLE(name) cmocka_unit_test_setup_teardown(name, setup_table, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_MEMORY(test_basics),
		TEST_MEMORY(test_list),
		TEST_MEMORY(test_expiry),
		TEST_MEMORY(test_conditions),
		TEST_MEMORY(test_full),
		TEST_MEMORY(test_threads),
		TEST_TABLE(test_basics),
		TEST_TABLE(test_list),
		TEST_TABLE(test_expiry),
		TEST_TABLE(test_unsupported),
		TEST_TABLE(test_database_gone),
		TEST_TABLE(test_cancel),
		cmocka_unit_test(test_names),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	store_answer_done(&answer);
	return rc;
}
