/* Value trees: building, sharing, getters, paths, field readers and their error texts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "value/value.h"

static void scalars(void **state)
{
	struct value *v;
	size_t len;

	(void)state;
	assert_int_equal(value_type(NULL), VALUE_NIL);
	assert_string_equal(value_type_name(NULL), "nil");
	assert_null(value_ref(NULL));
	value_unref(NULL);
	v = value_nil();
	assert_int_equal(value_type(v), VALUE_NIL);
	assert_int_equal(value_count(v), 0);
	value_unref(v);
	v = value_bool(true);
	assert_true(value_get_bool(v));
	assert_string_equal(value_type_name(v), "boolean");
	value_unref(v);
	v = value_int(INT64_MIN);
	assert_true(value_get_int(v) == INT64_MIN);
	assert_true(value_get_float(v) == -0x1p63);
	value_unref(v);
	v = value_float(0.5);
	assert_true(value_get_float(v) == 0.5);
	value_unref(v);
	v = value_string("a\0b", 3);
	assert_memory_equal(value_get_string(v, &len), "a\0b", 4);
	assert_int_equal(len, 3);
	value_set_position(v, 12, 3);
	assert_int_equal(value_line(v), 12);
	assert_int_equal(value_column(v), 3);
	value_unref(v);
	v = value_cstring("");
	assert_string_equal(value_get_string(v, NULL), "");
	value_unref(v);
}

static void lists_share_items(void **state)
{
	struct value *list = value_list();
	struct value *item = value_cstring("shared");

	(void)state;
	for (int i = 0; i < 100; i++)
		value_list_append(list, value_ref(item));
	value_unref(item);
	assert_int_equal(value_count(list), 100);
	assert_ptr_equal(value_at(list, 99), item);
	assert_string_equal(value_get_string(value_at(list, 99), NULL), "shared");
	value_unref(list);
}

/* Both sides of the size from which a map has an index. */
static void maps(void **state)
{
	(void)state;
	for (int n = 0; n < 40; n++) {
		struct value *map = value_map();
		char key[16];

		for (int i = 0; i < n; i++) {
			snprintf(key, sizeof(key), "k%d", i);
			value_map_set_at(map, key, (uint32_t)i + 1, value_int(-1));
			value_map_set_at(map, key, (uint32_t)i + 1, value_int(i)); /* replaces */
		}
		assert_int_equal(value_count(map), n);
		assert_null(value_get(map, "absent"));
		assert_false(value_map_remove(map, "absent"));
		for (int i = 0; i < n; i += 3) {
			snprintf(key, sizeof(key), "k%d", i);
			assert_true(value_map_remove(map, key));
			assert_null(value_get(map, key));
		}
		for (int i = 0, left = 0; i < n; i++) {
			const char *found;
			uint32_t line;

			if (i % 3 == 0)
				continue;
			snprintf(key, sizeof(key), "k%d", i);
			assert_int_equal(value_get_int(value_get(map, key)), i);
			assert_int_equal(value_get_int(value_pair(map, (size_t)left, &found, &line)), i);
			assert_string_equal(found, key);
			assert_int_equal(line, i + 1);
			left++;
		}
		value_unref(map);
	}
	assert_null(value_get(NULL, "x"));
}

static void frees_deep_trees(void **state)
{
	struct value *v = value_nil();

	(void)state;
	for (int i = 0; i < 1000000; i++) {
		struct value *outer = value_list();

		value_list_append(outer, v);
		v = outer;
	}
	value_unref(v); /* a recursive one would leave the stack */
}

static void equality(void **state)
{
	struct value *one = value_int(1), *one_f = value_float(1.0), *nan = value_float(NAN);
	struct value *big = value_int(9007199254740993), *big_f = value_float(9007199254740992.0);
	struct value *max = value_int(INT64_MAX), *max_f = value_float(0x1p63);
	struct value *a = value_map(), *b = value_map();

	(void)state;
	assert_true(value_equal(one, one_f));
	assert_true(value_equal(one_f, one));
	assert_false(value_equal(nan, nan));
	assert_false(value_equal(big, big_f));
	assert_false(value_equal(max, max_f));
	assert_true(value_equal(NULL, NULL));
	assert_false(value_equal(NULL, one));
	value_map_set(a, "x", value_ref(one));
	value_map_set(a, "y", value_list());
	value_map_set(b, "y", value_list());
	assert_false(value_equal(a, b));
	value_map_set(b, "x", value_ref(one_f));
	assert_true(value_equal(a, b));
	value_map_set(b, "y", value_map());
	assert_false(value_equal(a, b));
	value_unref(one);
	value_unref(one_f);
	value_unref(nan);
	value_unref(big);
	value_unref(big_f);
	value_unref(max);
	value_unref(max_f);
	value_unref(a);
	value_unref(b);
}

static void paths(void **state)
{
	struct value *a = value_with_path(NULL, "x.y.z", value_int(1));
	struct value *b = value_with_path(a, "x.w", value_int(2));
	struct value *c = value_with_path(b, "x.w.deeper", value_int(3));
	struct value *d = value_with_path(c, "top", value_int(4));

	(void)state;
	assert_int_equal(value_get_int(value_path(a, "x.y.z")), 1);
	assert_null(value_path(a, "x.w"));
	assert_null(value_path(a, "x.y.z.too.far"));
	assert_null(value_path(a, ""));
	assert_int_equal(value_get_int(value_path(b, "x.w")), 2);
	/* What is off the path is shared. */
	assert_ptr_equal(value_path(a, "x.y"), value_path(d, "x.y"));
	assert_int_equal(value_get_int(value_path(c, "x.w.deeper")), 3);
	assert_int_equal(value_get_int(value_path(d, "top")), 4);
	value_unref(a);
	value_unref(b);
	value_unref(c);
	value_unref(d);
}

static void put(struct value *map, const char *key, struct value *item, uint32_t line)
{
	value_set_position(item, line, 1);
	value_map_set_at(map, key, line, item);
}

static void reads_fields(void **state)
{
	struct value *map = value_map();
	const char *text = "default";
	int64_t n = 7;
	bool b = false;
	struct err e;

	(void)state;
	put(map, "s", value_cstring("x\n"), 12);
	put(map, "n", value_int(80), 2);
	put(map, "f", value_float(1.5), 3);
	put(map, "b", value_bool(true), 4);
	put(map, "d", value_cstring("15s"), 5);
	put(map, "nothing", value_nil(), 6);
	put(map, "list", value_list(), 7);
	put(map, "nul", value_string("a\0b", 3), 8);
	put(map, "nowhere", value_int(1), 0);

	assert_int_equal(value_read_string(map, "absent", &text, &e), 0);
	assert_int_equal(value_read_string(map, "nothing", &text, &e), 0);
	assert_int_equal(value_read_string(NULL, "s", &text, &e), 0);
	assert_string_equal(text, "default");
	assert_int_equal(value_read_int(map, "absent", &n, &e), 0);
	assert_int_equal(n, 7);
	assert_int_equal(value_read_string(map, "s", &text, &e), 0);
	assert_string_equal(text, "x\n");
	assert_int_equal(value_read_int(map, "n", &n, &e), 0);
	assert_int_equal(n, 80);
	assert_int_equal(value_read_bool(map, "b", &b, &e), 0);
	assert_true(b);
	assert_int_equal(value_read_duration(map, "d", &n, &e), 0);
	assert_int_equal(n, 15000000000);

	assert_int_equal(value_read_int(map, "s", &n, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_string_equal(e.text, "line 12: field 's': expected integer, got string \"x\\x0a\"");
	assert_int_equal(value_read_int(map, "f", &n, &e), -1);
	assert_string_equal(e.text, "line 3: field 'f': expected integer, got float 1.5");
	assert_int_equal(value_read_string(map, "n", &text, &e), -1);
	assert_string_equal(e.text, "line 2: field 'n': expected string, got integer 80");
	assert_int_equal(value_read_bool(map, "list", &b, &e), -1);
	assert_string_equal(e.text, "line 7: field 'list': expected boolean, got list");
	assert_int_equal(value_read_string(map, "b", &text, &e), -1);
	assert_string_equal(e.text, "line 4: field 'b': expected string, got boolean true");
	assert_int_equal(value_read_string(map, "nul", &text, &e), -1);
	assert_string_equal(e.text, "line 8: field 'nul': expected string without NUL bytes, got string \"a\\x00b\"");
	assert_int_equal(value_read_duration(map, "n", &n, &e), -1);
	assert_string_equal(e.text, "line 2: field 'n': expected duration string such as \"15s\", got integer 80");
	assert_int_equal(value_read_duration(map, "s", &n, &e), -1);
	assert_string_equal(e.text, "line 12: field 's': time: invalid duration \"x\\x0a\"");
	assert_int_equal(value_read_bool(map, "nowhere", &b, &e), -1);
	assert_string_equal(e.text, "field 'nowhere': expected boolean, got integer 1");
	assert_int_equal(n, 15000000000);
	value_unref(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalars),
		cmocka_unit_test(lists_share_items),
		cmocka_unit_test(maps),
		cmocka_unit_test(frees_deep_trees),
		cmocka_unit_test(equality),
		cmocka_unit_test(paths),
		cmocka_unit_test(reads_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
