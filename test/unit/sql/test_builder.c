/*
 * Queries put together: their text, byte for byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sql/builder.h"

static struct sql_part *part(const char *text)
{
	return sql_part_new(text, strlen(text), NULL);
}

static struct sql_part *part_with(const char *text, int64_t i)
{
	struct sql_params *p = sql_params_new();

	assert_int_equal(sql_params_add_int(p, i, NULL), 0);
	return sql_part_new(text, strlen(text), p);
}

static void add(struct sql_builder *b, enum sql_place place, const char *text)
{
	assert_int_equal(sql_builder_add(b, place, part(text), NULL), 0);
}

/* Renders and frees. */
static void check(struct sql_builder *b, const char *want, size_t nvalues)
{
	struct sql_params *params = sql_params_new();
	struct buf out = BUF_INIT;
	struct err e;

	if (sql_builder_render(b, &out, params, &e) < 0) {
		assert_string_equal(e.text, want);
		assert_int_equal(e.kind, ERR_INVALID);
	} else {
		assert_string_equal(buf_str(&out), want);
		assert_int_equal(sql_params_count(params), nvalues);
	}
	sql_params_free(params);
	buf_done(&out);
	sql_builder_free(b);
}

static void test_select(void **state)
{
	struct sql_builder *b = sql_builder_new(SQL_BUILD_SELECT), *copy;

	(void)state;
	add(b, SQL_PLACE_SUFFIX, "FOR UPDATE");
	add(b, SQL_PLACE_OFFSET, "5");
	add(b, SQL_PLACE_LIMIT, "10");
	add(b, SQL_PLACE_ORDER, "a DESC");
	add(b, SQL_PLACE_ORDER, "b");
	sql_builder_add(b, SQL_PLACE_HAVING, part_with("n > ?", 3), NULL);
	add(b, SQL_PLACE_GROUP, "a");
	sql_builder_add(b, SQL_PLACE_WHERE, part_with("a = ?", 1), NULL);
	copy = sql_builder_copy(b);
	sql_builder_add(b, SQL_PLACE_WHERE, part_with("b = ?", 2), NULL);
	add(b, SQL_PLACE_JOIN, "LEFT JOIN u ON u.id = t.id");
	add(b, SQL_PLACE_FROM, "t");
	add(b, SQL_PLACE_COLUMN, "a");
	add(b, SQL_PLACE_COLUMN, "count(*) AS n");
	sql_builder_set_distinct(b);
	check(b,
		"SELECT DISTINCT a, count(*) AS n FROM t LEFT JOIN u ON u.id = t.id WHERE a = ? AND b = ? GROUP BY a "
		"HAVING n > ? ORDER BY a DESC, b LIMIT 10 OFFSET 5 FOR UPDATE",
		3);
	/* The copy knows nothing of what came later. */
	check(copy, "select statements must have at least one result column", 0);
}

static void test_or_keeps_its_place(void **state)
{
	struct sql_builder *b = sql_builder_new(SQL_BUILD_SELECT);

	(void)state;
	add(b, SQL_PLACE_COLUMN, "*");
	add(b, SQL_PLACE_WHERE, "a = 1 OR b = 2");
	add(b, SQL_PLACE_WHERE, "(c = 1 OR d = 2)");
	add(b, SQL_PLACE_WHERE, "color = 3");
	check(b, "SELECT * WHERE (a = 1 OR b = 2) AND (c = 1 OR d = 2) AND color = 3", 0);
}

static void test_insert(void **state)
{
	struct sql_builder *b = sql_builder_new(SQL_BUILD_INSERT);

	(void)state;
	check(sql_builder_copy(b), "insert statements must specify a table", 0);
	add(b, SQL_PLACE_TABLE, "t");
	check(sql_builder_copy(b), "insert statements must have at least one set of values or select clause", 0);
	add(b, SQL_PLACE_VALUES, "(?,?)");
	check(sql_builder_copy(b), "INSERT INTO t VALUES (?,?)", 0);
	add(b, SQL_PLACE_COLUMN, "a");
	add(b, SQL_PLACE_COLUMN, "b");
	add(b, SQL_PLACE_VALUES, "(?,?)");
	add(b, SQL_PLACE_OPTION, "OR IGNORE");
	add(b, SQL_PLACE_SUFFIX, "RETURNING a");
	check(sql_builder_copy(b), "INSERT OR IGNORE INTO t (a,b) VALUES (?,?),(?,?) RETURNING a", 0);
	add(b, SQL_PLACE_PREFIX, "WITH x AS (SELECT 1)");
	add(b, SQL_PLACE_SELECT, "SELECT 1, 2");
	check(b, "WITH x AS (SELECT 1) INSERT OR IGNORE INTO t (a,b) SELECT 1, 2 RETURNING a", 0);
}

static void test_update_and_delete(void **state)
{
	struct sql_builder *b = sql_builder_new(SQL_BUILD_UPDATE);

	(void)state;
	check(sql_builder_copy(b), "update statements must specify a table", 0);
	add(b, SQL_PLACE_TABLE, "t");
	check(sql_builder_copy(b), "update statements must have at least one Set clause", 0);
	add(b, SQL_PLACE_SET, "a = ?");
	add(b, SQL_PLACE_SET, "b = b + 1");
	add(b, SQL_PLACE_WHERE, "c = 1");
	add(b, SQL_PLACE_FROM, "(SELECT 1) AS x");
	check(b, "UPDATE t SET a = ?, b = b + 1 FROM (SELECT 1) AS x WHERE c = 1", 0);
	b = sql_builder_new(SQL_BUILD_DELETE);
	check(sql_builder_copy(b), "delete statements must specify a From table", 0);
	add(b, SQL_PLACE_TABLE, "t");
	add(b, SQL_PLACE_WHERE, "");
	add(b, SQL_PLACE_ORDER, "a");
	add(b, SQL_PLACE_LIMIT, "1");
	check(b, "DELETE FROM t ORDER BY a LIMIT 1", 0);
}

static void check_join(struct sql_part **parts, size_t n, const char *want)
{
	struct sql_part *p = sql_part_join(parts, n, " AND ", "(1=1)");
	struct sql_params *params = sql_params_new();
	struct buf out = BUF_INIT;
	struct err e;

	if (sql_part_render(p, &out, params, &e) < 0)
		assert_string_equal(e.text, want);
	else
		assert_string_equal(buf_str(&out), want);
	buf_done(&out);
	sql_params_free(params);
	sql_part_unref(p);
	for (size_t i = 0; i < n; i++)
		sql_part_unref(parts[i]);
}

static void test_join(void **state)
{
	struct sql_part *two[] = {part_with("a = ?", 1), part(""), part("b = 2")};
	struct sql_part *empty[] = {part("")};
	struct sql_part *bad[] = {part("a"), sql_part_bad("no good")};

	(void)state;
	check_join(two, 3, "(a = ? AND b = 2)");
	check_join(empty, 1, "(1=1)");
	check_join(bad, 2, "no good");
}

static void check_format(enum sql_format format, const char *want)
{
	static const char text[] = "a = ? AND b ?? c AND d = ?";
	struct buf out = BUF_INIT;

	sql_placeholders(format, text, sizeof(text) - 1, &out);
	assert_string_equal(buf_str(&out), want);
	buf_done(&out);
}

static void test_placeholders(void **state)
{
	(void)state;
	check_format(SQL_QUESTION, "a = ? AND b ?? c AND d = ?");
	check_format(SQL_DOLLAR, "a = $1 AND b ? c AND d = $2");
	check_format(SQL_AT, "a = @p1 AND b ? c AND d = @p2");
	check_format(SQL_COLON, "a = :1 AND b ? c AND d = :2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_select),
		cmocka_unit_test(test_or_keeps_its_place),
		cmocka_unit_test(test_insert),
		cmocka_unit_test(test_update_and_delete),
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_placeholders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
