/* Templates: what every action and function gives, how templates join, what is refused and where, what ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "value/json.h"
#include "value/template.h"

static const char data_text[] =
	"{\"name\": \"Ann <b>\", \"n\": 3, \"half\": 2.5, \"yes\": true, \"list\": [\"a\", \"b\"], \"none\": [],"
	" \"m\": {\"k2\": 2, \"k1\": {\"x\": \"deep\"}}, \"users\": [{\"name\": \"Bob\"}, {\"name\": \"Cid\"}], "
	"\"js\": \"it's </script>\"}";

static const char *const others[][2] = {
	{"layout", "<{{ yield title() }}|{{ block body() }}default{{ end }}|{{ block foot() }}f{{ end }}>"},
	{"middle", "{{ extends \"layout\" }}{{ block foot() }}middle foot{{ end }}"},
	{"blocks", "{{ block title() }}imported{{ end }}{{ block twice(x, sep=\",\") }}{{ x }}{{ sep }}{{ x }}{{ end "
		   "}}never"},
	{"row", "[{{ .name }}]"},
	{"self", "{{ include \"self\" }}"},
	{"ring", "{{ extends \"ring\" }}"},
	{"sub/page", "sub {{ name | raw }}"},
};

static int render_in(struct template_set *set, const char *source, struct buf *out, struct err *e)
{
	struct template *t;
	struct value *data;
	int rc;

	if (template_parse("main", source, strlen(source), &t, e) < 0)
		return -1;
	template_set_put(set, "main", t);
	template_unref(t);
	assert_int_equal(json_parse(data_text, strlen(data_text), &data, e), 0);
	rc = template_render(set, "main", data, out, e);
	value_unref(data);
	return rc;
}

static struct template_set *make_set(void)
{
	struct template_set *set = template_set_new();
	struct template *t;
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (template_parse(others[i][0], others[i][1], strlen(others[i][1]), &t, &e) < 0)
			fail_msg("%s: %s", others[i][0], e.text);
		template_set_put(set, others[i][0], t);
		template_unref(t);
	}
	return set;
}

static void gives(void **state)
{
	static const struct {
		const char *source, *want;
	} cases[] = {
		{"", ""},
		{"plain { text } }}", "plain { text } }}"},
		{"a{* {{ no }} *}b", "ab"},
		{"{{ }}x{{}}", "x"},
		{"{{ name }}", "Ann &lt;b&gt;"},
		{"{{ .name | raw }}", "Ann <b>"},
		{"{{ unsafe: name }}|{{ raw(name) }}", "Ann <b>|Ann <b>"},
		{"{{ \"a&\\\"'\" }}", "a&amp;&#34;&#39;"},
		{"{{ js | safeJs }}", "it\\'s \\u003C/script\\u003E"},
		{"{{ writeJson: map(\"a\", \"<\") }}", "{\"a\":\"\\u003c\"}"},
		{"{{ json(list) | raw }}", "[\"a\",\"b\"]"},
		{"{{ url(\"a b&c\") }} {{ html(\"<\") | raw }}", "a+b%26c &lt;"},
		{"a {{- \" b \" -}} c", "a b c"},
		{"a {{-1}}", "a -1"},
		{"\n  {{- n -}}  \n.", "3."},
		/* expressions */
		{"{{ 1 + 2 * 3 - 4 }} {{ (1 + 2) * 3 - 4.5 }} {{ 7 / 2 }} {{ 7 % 2 }} {{ half * 2 }}", "3 4.5 3 1 5"},
		{"{{ \"a\" + 1 + \"b\" }}", "a1b"},
		{"{{ n == 3 && !(n > 5) || false }} {{ not yes }} {{ n != 3 }}", "true false false"},
		{"{{ yes ? \"y\" : \"n\" }} {{ none ? 1 : 2 }}", "y 2"},
		{"{{ m.k1.x }} {{ m[\"k2\"] }} {{ .m.k1[\"x\"] }} {{ users[1].name }}", "deep 2 deep Cid"},
		{"{{ list[0] }}{{ list[1:] | len }}{{ list[:1][0] }}{{ \"hello\"[1:3] }}", "a1ael"},
		{"{{ m.missing }}|{{ nil }}|", "||"},
		{"{{ list }} {{ half }}", "[a b] 2.5"},
		{"{{ -n }} {{ 2 - -n }}", "-3 5"},
		{"{{ isset(name) }} {{ isset(m.zz) }} {{ isset(zz) }} {{ isset(m.zz.y, name) }}",
			"true false false false"},
		/* functions and pipes */
		{"{{ upper(\"\xc3\xa9\") }} {{ lower: \"AB\" }} {{ \"x\" | repeat: 3 }} {{ \"x\" | repeat(2) | upper "
		 "}}",
			"\xc3\x89 ab xxx XX"},
		{"{{ 2 | repeat(\"foo\", _) }} {{ \"a,b\" | split: \",\" | len }}", "foofoo 2"},
		{"{{ replace(\"aXa\", \"X\", \"-\") }} {{ trimSpace(\" a \") }}.", "a-a a."},
		{"{{ hasPrefix(\"abc\", \"ab\") }} {{ hasSuffix(\"abc\", \"ab\") }} {{ len(list) }}", "true false 2"},
		{"{{ map(\"a\", 1).a }} {{ slice(1, 2)[1] }} {{ array(4)[0] }}", "1 2 4"},
		/* variables */
		{"{{ x := 1 }}{{ x }}{{ x = x + 1 }}{{ x }}", "12"},
		{"{{ x := 1; x + 1 }}", "2"},
		{"{{ _ := 1 }}{{ _ = 2 }}.", "."},
		{"{{ x := 1 }}{{ if yes }}{{ x = 2 }}{{ y := 3 }}{{ end }}{{ x }}{{ isset(y) }}", "2false"},
		{"{{ name := \"mine\" }}{{ name }}{{ .name | raw }}", "mineAnn <b>"},
		/* if */
		{"{{ if n > 5 }}a{{ else if n > 2 }}b{{ else }}c{{ end }}", "b"},
		{"{{ if none }}a{{ else }}c{{ end }}{{ if list }}l{{ end }}", "cl"},
		{"{{ if x := n * 2; x > 5 }}{{ x }}{{ end }}", "6"},
		{"{{ if false }}a{{ else if false }}b{{ else if true }}c{{ else }}d{{ end }}", "c"},
		/* range */
		{"{{ range list }}{{ . }};{{ end }}", "a;b;"},
		{"{{ range i := list }}{{ i }}{{ . }};{{ end }}", "0a;1b;"},
		{"{{ range i, v := list }}{{ i }}{{ v }}{{ .n }};{{ end }}", "0a3;1b3;"},
		{"{{ range k, v := m }}{{ k }},{{ end }}", "k1,k2,"},
		{"{{ range _, u := users }}{{ u.name }}{{ end }}", "BobCid"},
		{"{{ range users }}{{ .name }}{{ else }}nobody{{ end }}", "BobCid"},
		{"{{ range none }}x{{ else }}nobody{{ end }}{{ range m.zz }}{{ end }}", "nobody"},
		{"{{ range ints(1, 4) }}{{ . }}{{ end }}", "123"},
		{"{{ range list }}{{ range users }}{{ .name }}{{ end }}{{ . }} {{ end }}", "BobCida BobCidb "},
		/* blocks */
		{"{{ block b() }}in{{ end }}{{ yield b() }}", "inin"},
		{"{{ block b(x, y=\"d\") }}{{ x }}{{ y }};{{ end }}{{ yield b(x=1) }}{{ yield b(y=2, x=3) }}{{ yield "
		 "b(4, 5) }}",
			"d;1d;32;45;"},
		{"{{ block b() }}<{{ . }}>{{ end }}{{ yield b() \"Batman\" }}",
			"<map[name:Ann &lt;b&gt; n:3 half:2.5 yes:true list:[a b] "
			"none:[] m:map[k2:2 k1:map[x:deep]] users:[map[name:Bob] map[name:Cid]] js:it&#39;s "
			"&lt;/script&gt;]><Batman>"},
		{"{{ import \"blocks\" }}{{ yield twice(x=n) }}", "3,3"},
		{"{{ block l(t) }}<a {{ t }}>{{ yield content }}</a>{{ end }}{{ who := \"me\" }}"
		 "{{ yield l(t=\"u\") content }}to {{ who }}{{ end }}",
			"<a ></a><a u>to me</a>"},
		{"{{ t := \"outer\" }}{{ block l(t) }}{{ t }}:{{ yield content }}{{ end }}{{ yield l(t=\"in\") content "
		 "}}{{ t }}{{ end }}",
			":in:outer"},
		{"{{ w := \"S\" }}{{ block h() }}[{{ yield content }}]{{ content }}Hey {{ w }}{{ end }}", "[Hey S]"},
		{"{{ block w() }}{{ yield content }}{{ end }}{{ yield w() n content }}{{ . }}{{ end }}", "3"},
		{"{{ block menu() }}({{ range . }}{{ .t }}{{ if .c }}{{ yield menu() .c }}{{ end }}{{ end }}){{ end }}"
		 "{{ yield menu() slice(map(\"t\", 1, \"c\", slice(map(\"t\", 2)))) }}",
			NULL},
		{"{{ extends \"layout\" }}gone{{ block title() }}T{{ end }}{{ block body() }}B {{ n }}{{ end }}gone",
			"<T|B 3|f>"},
		{"{{ extends \"middle\" }}\n{{ import \"blocks\" }}", "<imported|default|middle foot>"},
		{"{{ import \"blocks\" }}\n\n{{ import \"./row.jet\" }}\nx", "\nx"},
		{"{{ range users }}{{ include \"row\" }}{{ end }}{{ include \"./row.jet\" map(\"name\", n) }}",
			"[Bob][Cid][3]"},
		{"{{ include \"/sub/page.jet\" }}", "sub Ann <b>"},
		{"{{ x := \"row\" }}{{ include x + \".jet\" users[0] }}", "[Bob]"},
		/* try */
		{"{{ try }}a{{ zz }}b{{ end }}c", "c"},
		{"{{ try }}a{{ zz }}{{ catch err }}no: {{ err | raw }}{{ end }}", "no: 'zz' is not known here (1:14)"},
		{"{{ try }}ok{{ catch }}no{{ end }}", "ok"},
		{"{{ try }}{{ include \"nowhere\" }}{{ catch }}missing{{ end }}", "missing"},
		{"{{ \"}}\" }}{{ '{{' }}", "}}{{"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct template_set *set = make_set();
		struct buf out = BUF_INIT;
		struct err e = {0};

		if (render_in(set, cases[i].source, &out, &e) < 0) {
			if (cases[i].want)
				fail_msg("%s: %s", cases[i].source, e.text);
		} else if (!cases[i].want || strcmp(buf_str(&out), cases[i].want) != 0) {
			fail_msg("%s: got %s, want %s", cases[i].source, buf_str(&out), cases[i].want);
		}
		buf_done(&out);
		template_set_unref(set);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *source;
		enum err_kind kind;
		const char *want;
	} cases[] = {
		{"{{ if n }}", ERR_INVALID, "template main:1: {{ if }} without {{ end }}"},
		{"{{ end }}", ERR_INVALID, NULL},
		{"{{ else }}", ERR_INVALID, NULL},
		{"\n\n{{ n +", ERR_INVALID, "template main:3: unclosed action"},
		{"\n{{ n + }}", ERR_INVALID, "template main:2: unexpected end of an action"},
		{"{{ n n }}", ERR_INVALID, "template main:1: unexpected n (1:6)"},
		{"{* x", ERR_INVALID, "template main:1: unclosed comment"},
		{"{{ 1 := 2 }}", ERR_INVALID, "template main:1: only a variable can be set"},
		{"x{{ extends \"layout\" }}", ERR_INVALID,
			"template main:1: {{ extends }} and {{ import }} come first"},
		{"{{ import \"row\" }}{{ extends \"layout\" }}", ERR_INVALID,
			"template main:1: {{ extends }} must come once, before every {{ import }}"},
		{"{{ return 1 }}", ERR_INVALID, "template main:1: {{ return }} is not supported"},
		{"{{ block b }}{{ end }}", ERR_INVALID, NULL},
		{"{{ n | 5 }}", ERR_INVALID, "template main:1: a pipeline goes on with a function only"},
		{"a\n{{ zz }}", ERR_INTERNAL, "template main: 'zz' is not known here (2:4)"},
		{"{{ nope(1) }}", ERR_INTERNAL, "template main: there is no function 'nope' (1:4)"},
		{"{{ len(1, 2) }}", ERR_INTERNAL, "template main: len(): a wrong number of arguments (1:4)"},
		{"{{ x = 1 }}", ERR_INTERNAL, "template main: 'x' is not a variable yet: use := (1:4)"},
		{"{{ yield nope() }}", ERR_INTERNAL, "template main: there is no block 'nope' (1:4)"},
		{"{{ block b(x) }}{{ end }}{{ yield b() }}", ERR_INTERNAL, "template main: block 'b' needs 'x' (1:29)"},
		{"{{ include \"nope\" }}", ERR_INTERNAL, "template main: template not found: nope (1:4)"},
		{"{{ extends \"nope\" }}", ERR_INTERNAL, "template main: template not found: nope (1:1)"},
		{"{{ range n }}{{ end }}", ERR_INTERNAL, "template main: cannot range over a value of type int (1:4)"},
		{"{{ n.x }}", ERR_INTERNAL, "template main: cannot fetch x from int (1:5)"},
		{"{{ 1 / 0 }}", ERR_INTERNAL, "template main: integer divide by zero (1:6)"},
		{"{{ n - name }}", ERR_INTERNAL, "template main: invalid operation: int - string (1:6)"},
		{"{{ include \"row\" n }}", ERR_INTERNAL, "template row: cannot fetch name from int (1:6)"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct template_set *set = make_set();
		struct buf out = BUF_INIT;
		struct err e = {0};

		if (render_in(set, cases[i].source, &out, &e) == 0)
			fail_msg("%s: %s", cases[i].source, buf_str(&out));
		if (e.kind != cases[i].kind || (cases[i].want && strcmp(e.text, cases[i].want) != 0))
			fail_msg("%s: %d %s", cases[i].source, e.kind, e.text);
		assert_int_equal(buf_len(&out), 0);
		buf_done(&out);
		template_set_unref(set);
	}
}

static char *repeated(const char *before, const char *part, size_t n, const char *after)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, before);
	while (n-- > 0)
		buf_adds(&b, part);
	buf_adds(&b, after);
	return buf_detach(&b, NULL);
}

static void ends_with_a_reason(void **state)
{
	struct {
		char *source;
		const char *want; /* a part */
	} cases[] = {
		{repeated("", "{{ if n }}", 2000, ""), "nested too deeply"},
		{repeated("{{ if n }}", "{{ else if n }}", 20000, "{{ end }}"), "nested too deeply"},
		{repeated("{{ ", "(", 2000, "}}"), "nested too deeply"},
		{repeated("{{ ", "!", 2000, "n }}"), "nested too deeply"},
		{repeated("{{ ", "n ? 1 : ", 2000, "1 }}"), "nested too deeply"},
		{repeated("{{ 1", "+1", 2000, "}}"), "too deep"},
		{repeated("{{ m", ".x", 2000, "}}"), "too deep"},
		{repeated("{{ n", " | len", 2000, "}}"), "too deep"},
		{repeated("{{ n", "[n", 2000, "}}"), "nested too deeply"},
		{repeated("{{ len(", "len(", 2000, "}}"), "nested too deeply"},
		{repeated("", " ", TEMPLATE_SOURCE_BYTES_MAX, "1"), "longer than"},
		{xstrdup("{{ include \"self\" }}"), "too deeply"},
		{xstrdup("{{ extends \"ring\" }}"), "too deeply"},
		{xstrdup("{{ block b() }}{{ yield b() }}{{ end }}"), "too deeply"},
		{xstrdup("{{ block b() }}{{ yield b() content }}{{ yield content }}{{ end }}{{ end }}"), "too deeply"},
		{xstrdup("{{ range ints(0, 99999) }}{{ range ints(0, 99999) }}{{ end }}{{ end }}"), "steps"},
		{xstrdup("{{ x := repeat(\"0123456789\", 100000) }}{{ range ints(0, 1000) }}{{ x }}{{ end }}"),
			"bytes"},
		{xstrdup("{{ x := slice() }}{{ range ints(0, 50000) }}{{ x = slice(x) }}{{ end }}{{ x }}"), "deep"},
		{xstrdup("{{ x := \"a\" }}{{ range ints(0, 60) }}{{ x = x + x }}{{ end }}"), "bytes"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct template_set *set = make_set();
		struct buf out = BUF_INIT;
		struct err e = {0};

		if (render_in(set, cases[i].source, &out, &e) == 0)
			fail_msg("%.60s renders", cases[i].source);
		if (!strstr(e.text, cases[i].want))
			fail_msg("%.60s: %s", cases[i].source, e.text);
		buf_done(&out);
		free(cases[i].source);
		template_set_unref(set);
	}
}

static void sets_change(void **state)
{
	struct template_set *set = template_set_new();
	struct template *one, *two;
	struct buf out = BUF_INIT;
	struct err e = {0};

	(void)state;
	assert_int_equal(template_render(set, "a", NULL, &out, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_string_equal(e.text, "template not found: a");
	assert_int_equal(template_parse("a", "one", 3, &one, &e), 0);
	assert_int_equal(template_parse("a", "two", 3, &two, &e), 0);
	template_set_put(set, "a", one);
	template_set_put(set, "a", two);
	assert_int_equal(template_render(set, "a", NULL, &out, &e), 0);
	assert_string_equal(buf_str(&out), "two");
	template_set_remove(set, "a");
	template_set_remove(set, "a");
	assert_int_equal(template_render(set, "a", NULL, &out, &e), -1);
	template_unref(one);
	template_unref(two);
	template_set_unref(template_set_ref(set));
	template_set_unref(set);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives),
		cmocka_unit_test(refuses),
		cmocka_unit_test(ends_with_a_reason),
		cmocka_unit_test(sets_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
