/* What a binding's id may carry: the query, cut off and turned into values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "bind/contract.h"
#include "value/json.h"

static void the_query_is_cut_off(void **state)
{
	const char *query;
	char *id;

	(void)state;
	id = binding_id_split("app:b?k=v?", &query);
	assert_string_equal(id, "app:b");
	assert_string_equal(query, "k=v?");
	free(id);
	id = binding_id_split("app:b", &query);
	assert_string_equal(id, "app:b");
	assert_null(query);
	free(id);
	id = binding_id_split("?", &query);
	assert_string_equal(id, "");
	assert_string_equal(query, "");
	free(id);
}

static void values_have_the_type_they_look_like(void **state)
{
	static const struct {
		const char *query;
		const char *json;
	} cases[] = {
		{"", "{}"},
		{"a=1&b=-2.5&c=1e3&d=true&e=false", "{\"a\":1,\"b\":-2.5,\"c\":1000,\"d\":true,\"e\":false}"},
		{"a=True&b=0x10&c=1.2.3&d=-&e=e",
			"{\"a\":\"True\",\"b\":\"0x10\",\"c\":\"1.2.3\",\"d\":\"-\",\"e\":\"e\"}"},
		{"a=nan&b=inf", "{\"a\":\"nan\",\"b\":\"inf\"}"},
		{"a&b=&=c&&d=1", "{\"a\":\"\",\"b\":\"\",\"d\":1}"},
		{"a=x+y%20z&b%3D=%26", "{\"a\":\"x y z\",\"b=\":\"&\"}"},
		{"a=%4&b=%zz&c=%", "{\"a\":\"%4\",\"b\":\"%zz\",\"c\":\"%\"}"},
		{"a=1&a=2&b=c=d", "{\"a\":2,\"b\":\"c=d\"}"},
		{"a=99999999999999999999", "{\"a\":100000000000000000000}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct value *map = value_map();
		struct buf json = BUF_INIT;

		query_values(cases[i].query, map);
		json_write(map, &json);
		assert_string_equal(buf_str(&json), cases[i].json);
		buf_done(&json);
		value_unref(map);
	}
	query_values(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_query_is_cut_off),
		cmocka_unit_test(values_have_the_type_they_look_like),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
