/* YAML: what scalars mean, structure, anchors, positions, limits, and that what is written reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "value/json.h"
#include "value/yaml.h"

static struct value *parse(const char *text, size_t len)
{
	struct err e = {0};
	struct value *v = NULL;

	if (yaml_parse("t", text, len, &v, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	return v;
}

/* The tree as JSON on one line. */
static void assert_yaml(const char *text, const char *want)
{
	struct value *v = parse(text, strlen(text));
	struct buf out = BUF_INIT;

	json_write(v, &out);
	if (strcmp(buf_str(&out), want) != 0)
		fail_msg("%s\ngives %s\nnot   %s", text, buf_str(&out), want);
	buf_done(&out);
	value_unref(v);
}

static void assert_error(const char *text, size_t len, const char *want)
{
	struct value *v = NULL;
	struct err e = {0};

	if (yaml_parse("t", text, len, &v, &e) == 0)
		fail_msg("accepted: %s", text);
	assert_null(v);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_string_equal(e.text, want);
}

static void core_schema(void **state)
{
	static const struct {
		const char *text;
		enum value_type type;
		const char *json;
	} cases[] = {
		{"", VALUE_NIL, "null"},
		{"~", VALUE_NIL, "null"},
		{"null", VALUE_NIL, "null"},
		{"NULL", VALUE_NIL, "null"},
		{"nUll", VALUE_STRING, "\"nUll\""},
		{"true", VALUE_BOOL, "true"},
		{"True", VALUE_BOOL, "true"},
		{"FALSE", VALUE_BOOL, "false"},
		{"yes", VALUE_STRING, "\"yes\""},
		{"0", VALUE_INT, "0"},
		{"-12", VALUE_INT, "-12"},
		{"+12", VALUE_INT, "12"},
		{"0012", VALUE_INT, "12"},
		{"0x1F", VALUE_INT, "31"},
		{"0o17", VALUE_INT, "15"},
		{"0x", VALUE_STRING, "\"0x\""},
		{"0o8", VALUE_STRING, "\"0o8\""},
		{"-0x1", VALUE_STRING, "\"-0x1\""},
		{"1_000", VALUE_STRING, "\"1_000\""},
		{"9223372036854775807", VALUE_INT, "9223372036854775807"},
		{"-9223372036854775808", VALUE_INT, "-9223372036854775808"},
		{"9223372036854775808", VALUE_FLOAT, "9223372036854776000"},
		{"0x8000000000000000", VALUE_FLOAT, "9223372036854776000"},
		{"1.0", VALUE_FLOAT, "1"},
		{"1.", VALUE_FLOAT, "1"},
		{".5", VALUE_FLOAT, "0.5"},
		{"-1.5e-3", VALUE_FLOAT, "-0.0015"},
		{"1e3", VALUE_FLOAT, "1000"},
		{"1e", VALUE_STRING, "\"1e\""},
		{".", VALUE_STRING, "\".\""},
		{"1.2.3", VALUE_STRING, "\"1.2.3\""},
		{"-.inf", VALUE_FLOAT, "null"},
		{".NaN", VALUE_FLOAT, "null"},
		{"+.nan", VALUE_STRING, "\"+.nan\""},
		{"inf", VALUE_STRING, "\"inf\""},
		{"2024-01-02", VALUE_STRING, "\"2024-01-02\""},
		{"\"1.0\"", VALUE_STRING, "\"1.0\""},
		{"'true'", VALUE_STRING, "\"true\""},
		{"''", VALUE_STRING, "\"\""},
		{"!!str 12", VALUE_STRING, "\"12\""},
		{"!!int \"12\"", VALUE_INT, "12"},
		{"!!float 12", VALUE_FLOAT, "12"},
		{"!!bool \"true\"", VALUE_BOOL, "true"},
		{"!!null ''", VALUE_NIL, "null"},
		{"! 12", VALUE_STRING, "\"12\""},
		{"!mine 12", VALUE_STRING, "\"12\""},
		{"!<tag:yaml.org,2002:str> 12", VALUE_STRING, "\"12\""},
		{"!!seq [1]", VALUE_LIST, "[1]"},
		{"!mine {a: 1}", VALUE_MAP, "{\"a\":1}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct value *v = parse(cases[i].text, strlen(cases[i].text));

		if (value_type(v) != cases[i].type)
			fail_msg("%s is a %s", cases[i].text, value_type_name(v));
		value_unref(v);
		assert_yaml(cases[i].text, cases[i].json);
	}
}

static void structures(void **state)
{
	(void)state;
	assert_yaml("version: \"1.0\"\nentries:\n  - name: a\n    meta: {x: [1, 2], y: }\n  - \n",
		"{\"version\":\"1.0\",\"entries\":[{\"name\":\"a\",\"meta\":{\"x\":[1,2],\"y\":null}},null]}");
	assert_yaml("# only a comment\n", "null");
	assert_yaml("---\n...\n", "null");
	assert_yaml("\xef\xbb\xbf"
		    "a: 1\r\nb: |\r\n  x\r\n  y\r\n",
		"{\"a\":1,\"b\":\"x\\ny\\n\"}");
	assert_yaml("a: 1\rb: 2", "{\"a\":1,\"b\":2}");
	assert_yaml("a: |\n  x\n\n   y\n\nb: >-\n  one\n  two\n\n  three\n",
		"{\"a\":\"x\\n\\n y\\n\",\"b\":\"one two\\nthree\"}");
	assert_yaml("a: |\n  no end", "{\"a\":\"no end\\n\"}");
	assert_yaml("a: |+\n  x\n\n\nb: 1", "{\"a\":\"x\\n\\n\\n\",\"b\":1}");
	assert_yaml("a: |+\n\n\nb: 1", "{\"a\":\"\\n\\n\",\"b\":1}");
	assert_yaml("- |\n x\n- |2\n   y\n", "[\"x\\n\",\" y\\n\"]");
	assert_yaml("k: &x !!map\n  a: |\n   t\n", "{\"k\":{\"a\":\"t\\n\"}}");
	assert_yaml("|\n x\n", "\"x\\n\"");
	/* Runs of quotes, folded lines, and block scalars whose length libfyaml gets wrong. */
	assert_yaml("['', '''', 'a''''b', '''''''''''''', 'a'' ', ' x\\n']",
		"[\"\",\"'\",\"a''b\",\"''''''\",\"a' \",\" x\\\\n\"]");
	assert_yaml("a: ' one \n  two\t\n\n \n  three\n  '\nb: '\n\n  x'\n",
		"{\"a\":\" one two\\n\\nthree \",\"b\":\"\\nx\"}");
	assert_yaml("a: \" one \n  two\t\n\n \n  three\n  \"\nb: \"\n\n  x\"\n",
		"{\"a\":\" one two\\n\\nthree \",\"b\":\"\\nx\"}");
	assert_yaml("a: >+\n  z\n\n   b\nc: >-\n  z\n\n   b\n", "{\"a\":\"z\\n\\n b\\n\",\"c\":\"z\\n\\n b\"}");
	assert_yaml("? key\n: value\n1: one\n~: nil\n\"\": empty\n",
		"{\"key\":\"value\",\"1\":\"one\",\"~\":\"nil\",\"\":\"empty\"}");
	assert_yaml("\"a\\0b\\u00e9\\ud83d\\ude00\"", "\"a\\u0000b\xc3\xa9\xf0\x9f\x98\x80\"");
	assert_yaml("{\n\t\"a\": 1,\n\t\"b\": \"x\\/y\"\n}", "{\"a\":1,\"b\":\"x/y\"}");
	/* Only the first document counts. */
	assert_yaml("a: 1\n---\n: : :\n", "{\"a\":1}");
	assert_yaml("a\n...\n}{", "\"a\"");
	assert_yaml("%YAML 1.2\n---\na\n", "\"a\"");
}

static void anchors(void **state)
{
	struct value *v;

	(void)state;
	assert_yaml("a: &x {k: 1}\nb: *x\nc: &x 2\nd: *x\n", "{\"a\":{\"k\":1},\"b\":{\"k\":1},\"c\":2,\"d\":2}");
	assert_yaml("&k a: 1\nb: *k\nc:\n  *k : 2\n", "{\"a\":1,\"b\":\"a\",\"c\":{\"a\":2}}");
	/* Keys written out win, then the earlier map. */
	assert_yaml("x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  c: 3\n",
		"{\"x\":{\"a\":1,\"b\":1},\"y\":{\"b\":2,\"c\":2},\"z\":{\"c\":3,\"a\":1,\"b\":1}}");
	assert_yaml("x: &x {a: 1}\nz: {<<: *x, a: 2}\n", "{\"x\":{\"a\":1},\"z\":{\"a\":2}}");
	assert_yaml("\"<<\": 1\n", "{\"<<\":1}");
	v = parse("a: &x [1]\nb: *x\n", 16);
	assert_ptr_equal(value_get(v, "a"), value_get(v, "b"));
	value_unref(v);
}

static void positions(void **state)
{
	static const char text[] = "a: 1\nlist:\n  - x\n  - k: |\n      text\n    empty:\n";
	struct value *v = parse(text, strlen(text));
	const struct value *item = value_at(value_get(v, "list"), 1);
	const char *key;
	uint32_t line;

	(void)state;
	assert_int_equal(value_line(v), 1);
	assert_int_equal(value_column(v), 1);
	assert_int_equal(value_line(value_get(v, "a")), 1);
	assert_int_equal(value_column(value_get(v, "a")), 4);
	assert_int_equal(value_line(value_get(v, "list")), 3);
	assert_int_equal(value_column(value_at(value_get(v, "list"), 0)), 5);
	assert_int_equal(value_line(item), 4);
	assert_int_equal(value_column(item), 5);
	assert_int_equal(value_line(value_get(item, "k")), 5); /* where the text is */
	value_pair(item, 1, &key, &line);
	assert_string_equal(key, "empty");
	assert_int_equal(line, 6);
	assert_int_equal(value_line(value_get(item, "empty")), 6);
	value_unref(v);
}

static void errors(void **state)
{
	static const struct {
		const char *text;
		const char *error;
	} cases[] = {
		{"a: 1\nb: 2\na: 3\n", "t:3:1: duplicate key 'a'"},
		{"{a: 1, \"a\": 2}", "t:1:9: duplicate key 'a'"},
		{"1: x\n\"1\": y\n", "t:2:2: duplicate key '1'"},
		{"<<: {}\n<<: {}\n", "t:2:1: duplicate key '<<'"},
		{"[a]: 1\n", "t:1:1: a key must be a scalar, not a list or a map"},
		{"? {a: 1}\n: 1\n", "t:1:3: a key must be a scalar, not a list or a map"},
		{"a: &x 1\n*x : 2\n", "t:2:2: an alias used as a key must name a string"},
		{"\"a\\0\": 1\n", "t:1:2: a key must not contain a NUL"},
		{"a: *x\n", "t:1:5: alias '*x' has no finished anchor before it"},
		{"a: &x [*x]\n", "t:1:9: alias '*x' has no finished anchor before it"},
		{"<<: 1\n", "t:1:1: the value of '<<' must be a map or a list of maps"},
		{"<<: [{}, 1]\n", "t:1:1: the value of '<<' must be a map or a list of maps"},
		{"!!int x",
			"t:1:7: the scalar does not fit its tag 'tag:yaml.org,2002:int', or the tag is not supported"},
		{"!!binary x", "t:1:10: the scalar does not fit its tag 'tag:yaml.org,2002:binary', or the tag is not "
			       "supported"},
		{"!!set {a: }", "t:1:7: a map cannot have the tag 'tag:yaml.org,2002:set'"},
		{"a: \xff", "t:1:4: byte 0xff is not UTF-8"},
		{"a:\n  \x01", "t:2:3: character U+0001 is not allowed here, write it as an escape"},
		{"- a: |\n  b\n", "t:2:1: a block scalar must be indented deeper than what it belongs to"},
		{"\"\\ud800\"", "t:1:2: double-quoted scalar has invalid UTF8 escape"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_error(cases[i].text, strlen(cases[i].text), cases[i].error);
	assert_error("a\0b", 3, "t:1:2: character U+0000 is not allowed here, write it as an escape");
}

/* The words are libfyaml's, the place must be right. */
static void syntax_errors(void **state)
{
	static const struct {
		const char *text;
		const char *place;
	} cases[] = {
		{"a: [1\nb: 2\n", "t:3:1: "},
		{"a: 1\n  b: 2\n", "t:1:4: "},
		{"a:\n\tb: 1\n", "t:2:1: "},
		{"a: \"x\n", "t:1:5: "},
		{"a: b: c\n", "t:1:5: "},
		{"- a\nb\n", "t:2:1: "},
		{"%YAML 9.9.9\n---\n", "t:1:"},
		{"@x\n", "t:1:1: "},
		{"\"\\q\"", "t:1:"},
		{"a: }\n", "t:1:4: "},
		{"{a: 1} x", "t:1:8: "},
		{"a: |\nb\n", "t:2:1: "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct value *v = NULL;
		struct err e = {0};

		if (yaml_parse("t", cases[i].text, strlen(cases[i].text), &v, &e) == 0)
			fail_msg("accepted: %s", cases[i].text);
		if (strncmp(e.text, cases[i].place, strlen(cases[i].place)) != 0)
			fail_msg("%s: %s", cases[i].text, e.text);
		assert_int_equal(e.kind, ERR_INVALID);
	}
}

static void limits_depth(void **state)
{
	struct buf text = BUF_INIT;
	struct value *v;
	struct err e;

	(void)state;
	for (int i = 0; i < YAML_DEPTH_MAX; i++)
		buf_addc(&text, '[');
	for (int i = 0; i < YAML_DEPTH_MAX; i++)
		buf_addc(&text, ']');
	assert_int_equal(yaml_parse("t", buf_str(&text), buf_len(&text), &v, &e), 0);
	value_unref(v);
	buf_clear(&text);
	for (int i = 0; i <= YAML_DEPTH_MAX; i++)
		buf_adds(&text, "- ");
	assert_error(buf_str(&text), buf_len(&text), "t:1:257: nested deeper than 128 levels");
	/* Through aliases: each level adds two. */
	buf_clear(&text);
	buf_adds(&text, "- &a0 x\n");
	for (int i = 1; i < 70; i++)
		buf_addf(&text, "- &a%d [[*a%d]]\n", i, i - 1);
	assert_error(buf_str(&text), buf_len(&text), "t:65:11: nested deeper than 128 levels after expanding aliases");
	buf_done(&text);
}

/* Ten aliases to ten aliases to ...: small to write, huge to walk. */
static void limits_expansion(void **state)
{
	struct buf text = BUF_INIT;

	(void)state;
	buf_adds(&text, "a0: &a0 [x]\n");
	for (int i = 1; i < 10; i++) {
		buf_addf(&text, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			buf_addf(&text, "*a%d,", i - 1);
		buf_adds(&text, "]\n");
	}
	assert_error(buf_str(&text), buf_len(&text), "t:7:23: more than 1000000 nodes after expanding aliases");
	/* Few nodes, but long ones. */
	buf_clear(&text);
	buf_addf(&text, "- &a %0100000d x\n- [", 0);
	for (int k = 0; k < 1000; k++)
		buf_adds(&text, "*a,");
	buf_adds(&text, "]\n");
	assert_error(buf_str(&text), buf_len(&text), "t:2:2015: more than 67108864 bytes after expanding aliases");
	buf_done(&text);
}

/* Texts that cost the parser far more than their length says. */
static void limits_cost(void **state)
{
	struct buf text = BUF_INIT;
	struct value *v;
	struct err e;

	(void)state;
	buf_adds(&text, "a: \"x\n");
	for (int i = 0; i < 30000; i++)
		buf_adds(&text, " \n");
	buf_adds(&text, "y\"\n");
	assert_error(buf_str(&text), buf_len(&text), "t:20002:2: too many empty lines in a row");
	buf_clear(&text);
	buf_addc(&text, '[');
	for (int i = 0; i < 200000; i++)
		buf_adds(&text, "1,");
	assert_error(buf_str(&text), buf_len(&text), "t:1:400001: too much on one line, break it into several");
	buf_clear(&text);
	buf_addc(&text, '[');
	for (int i = 0; i < 200000; i++)
		buf_adds(&text, "1,\n");
	buf_addc(&text, ']');
	assert_int_equal(yaml_parse("t", buf_str(&text), buf_len(&text), &v, &e), 0);
	assert_int_equal(value_count(v), 200000);
	value_unref(v);
	buf_clear(&text);
	buf_adds(&text, "# c\n%FOO ");
	for (int i = 0; i < 300; i++)
		buf_addc(&text, 'x');
	assert_error(buf_str(&text), buf_len(&text), "t:2:257: the directive is too long");
	buf_clear(&text);
	for (int i = 0; i < 100; i++)
		buf_adds(&text, "%FOO x\n");
	assert_error(buf_str(&text), buf_len(&text), "t:65:1: too many directives");
	buf_clear(&text);
	buf_adds(&text, "- !<");
	for (int i = 0; i < 100; i++)
		buf_adds(&text, "%41");
	assert_error(buf_str(&text), buf_len(&text), "t:1:101: too many escapes in a tag");
	buf_clear(&text);
	memset(buf_reserve(&text, YAML_BYTES_MAX + 1), 'x', YAML_BYTES_MAX + 1);
	buf_commit(&text, YAML_BYTES_MAX);
	assert_int_equal(yaml_parse("t", buf_str(&text), buf_len(&text), &v, &e), 0);
	value_unref(v);
	assert_error(buf_str(&text), YAML_BYTES_MAX + 1, "t:1:1: longer than 16777216 bytes");
	buf_done(&text);
}

static void writes(void **state)
{
	static const char text[] = "name: app\n"
				   "\"yes\": \"1.0\"\n"
				   "entries:\n"
				   "    - name: a b\n"
				   "      none: null\n"
				   "      source: |\n"
				   "          local x = 1\n"
				   "\n"
				   "          return x\n"
				   "      list:\n"
				   "          - - 1\n"
				   "            - -2.5\n"
				   "          - true\n"
				   "          - []\n"
				   "          - {}\n"
				   "    - |-\n"
				   "      x\n"
				   "      y\n"
				   "    - .inf\n"
				   "    - \"a: b\"\n"
				   "    - \"\\x00\\x1b\\\"\\\\\\t\"\n"
				   "    - \" x\"\n"
				   "    - \"\"\n";
	struct value *v = parse(text, strlen(text));
	struct buf out = BUF_INIT;

	(void)state;
	yaml_write(v, &out);
	assert_string_equal(buf_str(&out), text);
	value_unref(v);
	buf_clear(&out);
	yaml_write(NULL, &out);
	assert_string_equal(buf_str(&out), "null\n");
	buf_done(&out);
}

/* Strings that look like something else must come back as they are, as values and as keys. */
static void reads_back(void **state)
{
	static const char *const strings[] = {
		"",
		"~",
		"null",
		"true",
		"on",
		"12",
		"-1",
		"0x1f",
		".5",
		"1e3",
		".inf",
		"<<",
		"=",
		"-",
		"- x",
		"?",
		"? x",
		":",
		": x",
		"x:",
		"x: y",
		"x #y",
		"#",
		"a,b",
		"[a",
		"{a",
		"&a",
		"*a",
		"!a",
		"|",
		">",
		"'",
		"\"",
		"%a",
		"@a",
		"`a",
		" x",
		"x ",
		"\tx",
		"x\t",
		"---",
		"--- x",
		"...",
		"... x",
		"a\nb",
		"a\n",
		"\n",
		"\na",
		" a\nb",
		"a\n b\n\n",
		"a\n\n\nb",
		"a \nb",
		"a\tb\nc",
		"a\rb",
		"\xc2\x85",
		"\xe2\x80\xa8",
		"\xef\xbb\xbfx",
		"caf\xc3\xa9",
		"\xf0\x9f\x98\x80",
		"\\n",
		"\x7f",
		"--- \n...\n",
		"# a\nb",
		"key: |\n  x",
		"\xc2\xa0",
		"a\xc2\xa0",
	};
	struct value *map = value_map(), *list = value_list(), *again = NULL;
	struct buf out = BUF_INIT, key = BUF_INIT;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		struct value *one = value_cstring(strings[i]);

		yaml_write(one, &out);
		if (yaml_parse("t", buf_data(&out), buf_len(&out), &again, &e) < 0)
			fail_msg("%s: %s", buf_str(&out), e.text);
		if (!value_equal(one, again))
			fail_msg("%s is not what was written", buf_str(&out));
		value_unref(again);
		buf_clear(&out);
		value_map_set(map, strings[i], value_ref(one));
		value_list_append(list, one);
		for (int k = 0; k < 1500; k++)
			buf_addc(&key, 'k');
		buf_adds(&key, strings[i]);
		value_map_set(map, buf_str(&key), value_list());
		buf_clear(&key);
	}
	value_map_set(map, "list", list);
	yaml_write(map, &out);
	if (yaml_parse("t", buf_data(&out), buf_len(&out), &again, &e) < 0)
		fail_msg("%s: %s", buf_str(&out), e.text);
	assert_true(value_equal(map, again));
	value_unref(again);
	value_unref(map);
	buf_done(&out);
	buf_done(&key);
}

static void reads_files(void **state)
{
	char dir[] = "/tmp/test_yaml.XXXXXX";
	struct value *v = NULL;
	struct err e = {0};
	char *path;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/x.yaml", dir);
	assert_int_equal(yaml_read(path, &v, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(yaml_read(dir, &v, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(yaml_read(path, &v, &e), -1); /* and does not wait for a writer */
	assert_int_equal(e.kind, ERR_INVALID);
	unlink(path);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("a: b\n", f);
	fclose(f);
	assert_int_equal(yaml_read(path, &v, &e), 0);
	assert_string_equal(value_get_string(value_get(v, "a"), NULL), "b");
	value_unref(v);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("a: }", f);
	fclose(f);
	assert_int_equal(yaml_read(path, &v, &e), -1);
	assert_int_equal(strncmp(e.text, path, strlen(path)), 0);
	assert_int_equal(strncmp(e.text + strlen(path), ":1:4: ", 6), 0);
	unlink(path);
	rmdir(dir);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(core_schema),
		cmocka_unit_test(structures),
		cmocka_unit_test(anchors),
		cmocka_unit_test(positions),
		cmocka_unit_test(errors),
		cmocka_unit_test(syntax_errors),
		cmocka_unit_test(limits_depth),
		cmocka_unit_test(limits_expansion),
		cmocka_unit_test(limits_cost),
		cmocka_unit_test(writes),
		cmocka_unit_test(reads_back),
		cmocka_unit_test(reads_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
