/* JSON Schema and its patterns: what is accepted, what is refused and why, what stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "value/json.h"
#include "value/pattern.h"
#include "value/schema.h"

static struct value *json(const char *text)
{
	struct err e = {0};
	struct value *v;

	if (json_parse(text, strlen(text), &v, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	return v;
}

/* `want` NULL: valid. Otherwise a part of the error. */
static void check(const char *schema, const char *data, const char *want)
{
	struct value *doc = json(schema), *v = json(data);
	struct err e = {0};
	struct schema *s;
	int rc;

	if (schema_compile(doc, &s, &e) < 0)
		fail_msg("%s: %s", schema, e.text);
	value_unref(doc); /* the schema keeps its own reference */
	rc = schema_validate(s, v, false, &e);
	if (!want && rc < 0)
		fail_msg("%s on %s: %s", schema, data, e.text);
	if (want && rc == 0)
		fail_msg("%s accepts %s", schema, data);
	if (want && !strstr(e.text, want))
		fail_msg("%s on %s: '%s' lacks '%s'", schema, data, e.text, want);
	schema_free(s);
	value_unref(v);
}

static void keywords(void **state)
{
	static const struct {
		const char *schema, *good, *bad, *why;
	} cases[] = {
		{"{'type':'integer'}", "1.0", "1.5", "at '': type: integer expected"},
		{"{'type':['null','object']}", "{}", "[]", "type"},
		{"{'enum':[1,{'a':[]}]}", "{'a':[]}", "{'a':{}}", "enum"},
		{"{'const':1}", "1.0", "true", "const"},
		{"{'multipleOf':0.01}", "4.35", "4.351", "multipleOf"},
		{"{'multipleOf':3}", "-9", "10", "multipleOf"},
		{"{'minimum':9007199254740993}", "9007199254740993", "9007199254740992", "minimum"},
		{"{'exclusiveMaximum':3}", "2.9", "3", "exclusiveMaximum"},
		{"{'minLength':2,'maxLength':2}", "'\xc3\xa4\xf0\x9f\x98\x80'", "'\xc3\xa4'",
			"minLength: 1 where 2 is the least"},
		{"{'pattern':'^\\\\d{3}-\\\\d{4}$'}", "'555-1234'", "'x555-1234'", "pattern"},
		{"{'prefixItems':[{'type':'string'}],'items':{'type':'integer'}}", "['a',1,2]", "['a',1,'b']",
			"at '/2': type"},
		{"{'prefixItems':[true],'items':false}", "[1]", "[1,2]", "at '/1'"},
		{"{'contains':{'const':1},'minContains':2,'maxContains':3}", "[1,0,1]", "[1,0]", "contains"},
		{"{'contains':{'const':1},'maxContains':1}", "[1]", "[1,1]", "contains"},
		{"{'contains':{'const':1}}", "[1]", "[]", "contains"},
		{"{'uniqueItems':true}", "[1,true,[1],{'a':1}]", "[{'a':1,'b':2},0,{'b':2.0,'a':1}]", "uniqueItems"},
		{"{'required':['a','b']}", "{'a':null,'b':0}", "{'a':1}", "'b' is missing"},
		{"{'properties':{'a':true},'patternProperties':{'^x':true},'additionalProperties':false}",
			"{'a':1,'xy':2}", "{'b':1}", "additionalProperties"},
		{"{'propertyNames':{'maxLength':3}}", "{'abc':1}", "{'abcd':1}", "propertyNames"},
		{"{'minProperties':1,'maxProperties':1}", "{'a':1}", "{}", "minProperties"},
		{"{'dependentRequired':{'a':['b']}}", "{'a':1,'b':1}", "{'a':1}", "dependentRequired"},
		{"{'dependentSchemas':{'a':{'required':['b']}}}", "{'b':1}", "{'a':1}", "required"},
		{"{'allOf':[{'minimum':1},{'maximum':3}]}", "2", "4", "maximum"},
		{"{'anyOf':[{'minimum':5},{'maximum':3}]}", "2", "4", "anyOf"},
		{"{'oneOf':[{'minimum':3},{'maximum':3}]}", "2", "3", "more than one"},
		{"{'not':{'type':'string'}}", "2", "'x'", "not"},
		{"{'if':{'minimum':10},'then':{'multipleOf':10},'else':{'multipleOf':3}}", "20", "4", "multipleOf"},
		{"{'$ref':'#/$defs/a~1b%25','$defs':{'a/b%':{'type':'string'}}}", "'x'", "1", "type"},
		{"{'$ref':'#here','$defs':{'x':{'$anchor':'here','type':'string'}}}", "'x'", "1", "type"},
		{"{'$ref':'#/elsewhere/0','elsewhere':[{'pattern':'^a'}]}", "'a'", "'b'", "pattern"},
		{"{'items':{'$ref':'#'},'type':'array'}", "[[],[[]]]", "[[1]]", "at '/0/0': type"},
		{"{'items':[]}", "[1]", NULL, NULL},
		{"{'format':'email','unknown':5,'minimum':3}", "'no address'", "2", "minimum"},
		{"false", NULL, "1", "nothing is allowed"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[3][512];
		const char *from[3] = {cases[i].schema, cases[i].good, cases[i].bad};

		for (int k = 0; k < 3; k++) {
			snprintf(text[k], sizeof(text[k]), "%s", from[k] ? from[k] : "");
			for (char *c = text[k]; *c; c++)
				*c = *c == '\'' ? '"' : *c;
		}
		if (from[1])
			check(text[0], text[1], NULL);
		if (from[2])
			check(text[0], text[2], cases[i].why);
	}
}

static void refuses_schemas(void **state)
{
	static const char *const wrong[] = {
		"5",
		"{\"type\":\"text\"}",
		"{\"type\":[]}",
		"{\"required\":\"a\"}",
		"{\"minLength\":-1}",
		"{\"minLength\":1.5}",
		"{\"multipleOf\":0}",
		"{\"allOf\":[]}",
		"{\"properties\":{\"a\":1}}",
		"{\"pattern\":\"[\"}",
		"{\"patternProperties\":{\"(\":{}}}",
		"{\"$ref\":\"#/no\"}",
		"{\"$ref\":\"other.json\"}",
		"{\"unevaluatedItems\":false}",
		"{\"$ref\":\"#/x\",\"x\":{\"type\":5}}",
		"{\"$defs\":{\"a\":{\"$anchor\":\"x\"},\"b\":{\"$anchor\":\"x\"}}}",
		"{\"uniqueItems\":1}",
		"{\"dependentRequired\":{\"a\":[1]}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct value *doc = json(wrong[i]);
		struct err e = {0};
		struct schema *s;

		if (schema_compile(doc, &s, &e) == 0)
			fail_msg("accepted: %s", wrong[i]);
		assert_int_equal(e.kind, ERR_INVALID);
		value_unref(doc);
	}
}

/* Neither ends by itself; "not" must not make a yes of it. */
static void stops(void **state)
{
	(void)state;
	check("{\"$ref\":\"#\"}", "1", "too deeply");
	check("{\"not\":{\"$ref\":\"#\"}}", "1", "too deeply");
	check("{\"allOf\":[{\"$ref\":\"#/$defs/a\"}],\"$defs\":{\"a\":{\"anyOf\":[{\"$ref\":\"#/$defs/"
	      "a\"},{\"$ref\":\"#/$defs/a\"}]}}}",
		"1", "too deeply");
}

static void an_empty_list_may_be_a_map(void **state)
{
	struct value *doc = json("{\"type\":\"object\",\"required\":[\"a\"]}"), *open = json("{\"type\":\"object\"}"),
		     *v = value_list();
	struct err e = {0};
	struct schema *s;

	(void)state;
	assert_int_equal(schema_compile(open, &s, &e), 0);
	assert_int_equal(schema_validate(s, v, true, &e), 0);
	assert_int_equal(schema_validate(s, v, false, &e), -1);
	schema_free(s);
	assert_int_equal(schema_compile(doc, &s, &e), 0);
	assert_int_equal(schema_validate(s, v, true, &e), -1);
	assert_non_null(strstr(e.text, "'a' is missing"));
	schema_free(s);
	value_unref(doc);
	value_unref(open);
	value_unref(v);
}

static void patterns(void **state)
{
	static const struct {
		const char *pattern, *yes, *no;
	} cases[] = {
		{"b", "abc", "ac"},
		{"^a.c$",
			"a\xc3\xa4"
			"c",
			"abbc"},
		{"^.$", "\xf0\x9f\x98\x80", "ab"},
		{"^[\\d.-]+$", "1.5-2", "1,5"},
		{"^[^\\s]+$", "abc", "a b"},
		{"^[]a]$", NULL, "a"},
		{"^[\\]a]$", "]", "b"},
		{"^[a^]$", "^", "b"},
		{"^[\\^]$", "^", "a"},
		{"^[-^]$", "^", "a"},
		{"^[\\^-]$", "-", "a"},
		{"^[^^]$", "a", "^"},
		{"^[[:]$", ":", "a"},
		{"^[+--]$", ",", "."},
		{"^[\\\\]$", "\\", "/"},
		{"^[!-~]$", "]", " "},
		{"^[\xc3\xa0-\xc3\xbf]$", "\xc3\xa9", "e"},
		{"^[^\\u4e00-\\u9fffz-\xc3\xa5]$", "y", "\xe4\xb8\xad"},
		{"^[z-\xc3\xa5]$", "\xc3\xa5", "y"},
		{"^\\u00e9\\x41\\uD83D\\uDE00$",
			"\xc3\xa9"
			"A\xf0\x9f\x98\x80",
			"eA"},
		{"^(?:ab)+?c{2,3}$", "ababccc", "abc"},
		{"^(a|b)*$", "abba", "abc"},
		{"^a{0}b$", "b", "ab"},
		{"^a{2}$", "aa", "a"},
		{"^{x}$", "{x}", "x"},
		{"\\bword\\b", "a word.", "swords"},
		{"^\\w\\W\\S\\D$", "a-bc", "aabc"},
		{"^\\/\\-\\.$", "/-.", "/-x"},
		{"^$", "", "a"},
		{"^[\\u0100-\\uffff]$", "\xe4\xb8\xad", "a"},
		{"^[\\S\\b]$", "\b", "\v"},
		{"^\\s[\\s]$", "\v ", "\va"},
	};
	static const char *const wrong[] = {
		"(",
		")",
		"*",
		"a**",
		"a{2}{3}",
		"[",
		"[z-a]",
		"[a-\\d]",
		"\\",
		"\\1",
		"\\p{L}",
		"(?=a)",
		"(?i)a",
		"a{3,2}",
		"a{1001}",
		"(((a{1000}){1000}){1000})",
		"[]",
		"\xff",
		"\\x4",
		"\\ud800",
	};
	struct pattern *p;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *yes = cases[i].yes, *no = cases[i].no;

		if (!yes) {
			assert_int_equal(pattern_compile(cases[i].pattern, strlen(cases[i].pattern), &p, &e), -1);
			continue;
		}
		if (pattern_compile(cases[i].pattern, strlen(cases[i].pattern), &p, &e) < 0)
			fail_msg("%s: %s", cases[i].pattern, e.text);
		if (!pattern_matches(p, yes, strlen(yes)))
			fail_msg("%s does not match %s", cases[i].pattern, yes);
		if (pattern_matches(p, no, strlen(no)))
			fail_msg("%s matches %s", cases[i].pattern, no);
		pattern_free(p);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		if (pattern_compile(wrong[i], strlen(wrong[i]), &p, &e) == 0)
			fail_msg("accepted: %s", wrong[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keywords),
		cmocka_unit_test(refuses_schemas),
		cmocka_unit_test(stops),
		cmocka_unit_test(an_empty_list_may_be_a_map),
		cmocka_unit_test(patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
