/* JSON: what is read, clamped, refused; what is written. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "value/json.h"

/* Parse and write again on one line. */
static void assert_json(const char *text, size_t len, const char *want)
{
	struct buf out = BUF_INIT;
	struct err e = {0};
	struct value *v;

	if (json_parse(text, len, &v, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	json_write(v, &out);
	assert_string_equal(buf_str(&out), want);
	buf_done(&out);
	value_unref(v);
}

static void reads(void **state)
{
	static const struct {
		const char *text;
		const char *want;
	} cases[] = {
		{"null", "null"},
		{" true ", "true"},
		{"-0", "0"},
		{"1.0", "1"},
		{"2.5e-7", "0.00000025"},
		{"[]", "[]"},
		{"{}", "{}"},
		{"{\"b\":1,\"a\":[2,{\"c\":null}]}", "{\"b\":1,\"a\":[2,{\"c\":null}]}"},
		{"\"\\u00e9\\ud83d\\ude00\\/\\\"\\\\\\b\\f\\n\\r\\t\"",
			"\"\xc3\xa9\xf0\x9f\x98\x80/\\\"\\\\\\b\\f\\n\\r\\t\""},
		{"\"a\\u0000b\\u001f\"", "\"a\\u0000b\\u001f\""},
		/* Only the first value counts, whatever follows. */
		{"1 2", "1"},
		{"{} [[[", "{}"},
		{"[1]99999999999999999999", "[1]"},
		{"\"x\" \xff", "\"x\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_json(cases[i].text, strlen(cases[i].text), cases[i].want);
	/* The length counts, not a NUL. */
	assert_json("12345", 2, "12");
}

static void tells_ints_from_floats(void **state)
{
	struct value *v;
	struct err e;

	(void)state;
	assert_int_equal(json_parse("[1,1.0,1e2]", 11, &v, &e), 0);
	assert_int_equal(value_type(value_at(v, 0)), VALUE_INT);
	assert_int_equal(value_type(value_at(v, 1)), VALUE_FLOAT);
	assert_int_equal(value_type(value_at(v, 2)), VALUE_FLOAT);
	value_unref(v);
}

static void clamps_integers(void **state)
{
	static const char text[] =
		"{\"99999999999999999999\":[9223372036854775807,9223372036854775808,-9223372036854775808,"
		"-9223372036854775809,123456789012345678901234567890,1000000000000000000,"
		"\"99999999999999999999 \\\" 99999999999999999999\",12345678901234567890.5]}";

	(void)state;
	assert_json(text, strlen(text),
		"{\"99999999999999999999\":[9223372036854775807,9223372036854775807,-9223372036854775808,"
		"-9223372036854775808,9223372036854775807,1000000000000000000,"
		"\"99999999999999999999 \\\" 99999999999999999999\",12345678901234567000]}");
	assert_json("99999999999999999999", 20, "9223372036854775807");
	assert_json("-99999999999999999999", 21, "-9223372036854775808");
}

static void refuses(void **state)
{
	static const char *const cases[] = {
		"",
		" ",
		"[",
		"{\"a\":1",
		"[1,]",
		"{'a':1}",
		"tru",
		"nul",
		"01",
		"099999999999999999999",
		"-",
		"+1",
		"[99999999999999999999 1]",
		"1e999",
		"\"\x01\"",
		"\"\\ud800\"",
		"\"\xff\"",
		"{\"a\":1,\"a\":2}",
		"{\"a\\u0000\":1}",
		"NaN",
		"[1 2]",
		"\"abc",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct value *v = NULL;
		struct err e = {0};
		int rc = json_parse(cases[i], strlen(cases[i]), &v, &e);

		if (rc == 0)
			fail_msg("accepted: %s", cases[i]);
		assert_int_equal(e.kind, ERR_INTERNAL);
		assert_true(strlen(e.text) > 4);
	}
}

static void shows_where(void **state)
{
	static const char text[] = "{\n  \"a\": 99999999999999999999,\n  \"b\": x\n}";
	struct value *v;
	struct err e;

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), &v, &e), -1);
	assert_int_equal(strncmp(e.text, "3:8: ", 5), 0);
	/* What was clamped on the way does not move the place. */
	assert_int_equal(json_parse("[999999999999999999999999999999, x]", 35, &v, &e), -1);
	assert_int_equal(strncmp(e.text, "1:34: ", 6), 0);
}

static void limits_depth(void **state)
{
	char text[2 * (JSON_DEPTH_MAX + 1)];
	struct value *v;
	struct err e;

	(void)state;
	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	assert_int_equal(json_parse(text, 2 * JSON_DEPTH_MAX, &v, &e), 0);
	value_unref(v);
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	assert_int_equal(json_parse(text, sizeof(text), &v, &e), -1);
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_string_equal(e.text, "maximum nesting depth exceeded");
	/* Brackets in strings and behind the value do not count. */
	memset(text, '[', sizeof(text));
	text[0] = text[sizeof(text) - 1] = '"';
	assert_int_equal(json_parse(text, sizeof(text), &v, &e), 0);
	value_unref(v);
	text[0] = '1';
	assert_int_equal(json_parse(text, sizeof(text), &v, &e), 0);
	value_unref(v);
}

static void writes(void **state)
{
	struct value *map = value_map(), *list = value_list();
	struct buf out = BUF_INIT;

	(void)state;
	value_list_append(list, value_float(NAN));
	value_list_append(list, value_float(-INFINITY));
	value_list_append(list, value_float(1e21));
	value_list_append(list, value_string("\xff\xc3<\x7f", 4));
	value_map_set(map, "list", list);
	value_map_set(map, "empty", value_map());
	value_map_set(map, "none", value_list());
	value_map_set(map, "", value_bool(false));
	json_write(map, &out);
	assert_string_equal(buf_str(&out),
		"{\"list\":[null,null,1000000000000000000000,\"\xef\xbf\xbd\xef\xbf\xbd<\x7f\"],"
		"\"empty\":{},\"none\":[],\"\":false}");
	buf_clear(&out);
	json_write_pretty(map, &out);
	assert_string_equal(buf_str(&out),
		"{\n  \"list\": [\n    null,\n    null,\n    1000000000000000000000,\n"
		"    \"\xef\xbf\xbd\xef\xbf\xbd<\x7f\"\n  ],\n  \"empty\": {},\n  \"none\": [],\n"
		"  \"\": false\n}");
	buf_clear(&out);
	json_write(NULL, &out);
	assert_string_equal(buf_str(&out), "null");
	buf_done(&out);
	value_unref(map);
}

/* Strings are looked at several bytes at a time: each must be escaped wherever it stands. */
static void every_byte_everywhere(void **state)
{
	char text[20], want[64], escape[8];

	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		const char *name = "\"\\\b\f\n\r\t", *letters = "\"\\bfnrt",
			   *found = byte ? strchr(name, (int)byte) : NULL;

		if (byte >= 0x80)
			strcpy(escape, "\xef\xbf\xbd"); /* alone it is no character */
		else if (found)
			snprintf(escape, sizeof(escape), "\\%c", letters[found - name]);
		else if (byte < 0x20)
			snprintf(escape, sizeof(escape), "\\u%04x", byte);
		else
			snprintf(escape, sizeof(escape), "%c", (char)byte);
		for (size_t at = 0; at < sizeof(text); at++) {
			struct buf out = BUF_INIT;

			memset(text, 'x', sizeof(text));
			text[at] = (char)byte;
			snprintf(want, sizeof(want), "\"%.*s%s%.*s\"", (int)at, text, escape,
				(int)(sizeof(text) - at - 1), text + at + 1);
			json_write_string(text, sizeof(text), &out);
			assert_string_equal(buf_str(&out), want);
			buf_done(&out);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(every_byte_everywhere),
		cmocka_unit_test(tells_ints_from_floats),
		cmocka_unit_test(clamps_integers),
		cmocka_unit_test(refuses),
		cmocka_unit_test(shows_where),
		cmocka_unit_test(limits_depth),
		cmocka_unit_test(writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
