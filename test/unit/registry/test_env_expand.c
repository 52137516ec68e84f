/* Placeholders and `<field>_env` in the data of entries. */
#include "env_fixture.h"

#include <limits.h>

#include "base/log.h"
#include "registry/change.h"
#include "value/json.h"

static struct env *make_env(void)
{
	struct env *env = env_new();

	storage(env, ENV_STORAGE_STATIC, "app:s",
		"values: {USER: alice, PORT: '9050', DIGITS: '123456', ON: 'true', RATE: '2', EMPTY: '', 'WEIRD': "
		"'${env:USER}'}");
	variable(env, "app:user", "{variable: USER, storage: 'app:s'}");
	variable(env, "app:port", "{variable: PORT, storage: 'app:s'}");
	variable(env, "app:digits", "{variable: DIGITS, storage: 'app:s'}");
	variable(env, "app:on", "{variable: ON, storage: 'app:s'}");
	variable(env, "app:rate", "{variable: RATE, storage: 'app:s'}");
	variable(env, "app:empty", "{variable: EMPTY, storage: 'app:s'}");
	variable(env, "app:weird", "{variable: WEIRD, storage: 'app:s'}");
	variable(env, "app:own", "{variable: OWN, storage: 'app:s', default: its own}");
	return env;
}

static void placeholders(void **state)
{
	static const struct {
		const char *in, *out; /* JSON */
	} cases[] = {
		{"\"plain\"", "\"plain\""},
		{"\"${env:USER}\"", "\"alice\""},
		{"\"${env:app:user}\"", "\"alice\""},
		{"\"${env:user}\"", "\"alice\""},
		{"\"<${env:USER}@${env:PORT}>\"", "\"<alice@9050>\""},
		{"\"${env:USER}${env:PORT}\"", "\"alice9050\""},
		/* A variable's text stays a string, whatever it looks like... */
		{"\"${env:DIGITS}\"", "\"123456\""},
		{"\"${env:DIGITS|}\"", "\"123456\""},
		{"\"${env:DIGITS|none}\"", "\"123456\""},
		/* ...unless the fallback says what it is. */
		{"\"${env:PORT|1080}\"", "9050"},
		{"\"${env:NONE|1080}\"", "1080"},
		{"\"${env:NONE|-5}\"", "-5"},
		{"\"${env:NONE|1.5}\"", "1.5"},
		{"\"${env:RATE|1.5}\"", "2"},
		{"\"${env:NONE|true}\"", "true"},
		{"\"${env:ON|false}\"", "true"},
		{"\"${env:NONE|text}\"", "\"text\""},
		{"\"${env:NONE|007}\"", "\"007\""},
		{"\"${env:NONE|1.}\"", "\"1.\""},
		{"\"${env:NONE|12345678901234567890}\"", "\"12345678901234567890\""},
		{"\"${env:NONE|}\"", "\"\""},
		{"\"${env:NONE|a|b}\"", "\"a|b\""},
		{"\"${env:NONE|a}}\"", "\"a}\""},
		{"\"p=${env:NONE|1080}\"", "\"p=1080\""},
		/* An empty value counts as unset; a variable's default comes before the fallback. */
		{"\"${env:EMPTY|fallback}\"", "\"fallback\""},
		{"\"${env:OWN|fallback}\"", "\"its own\""},
		/* The short form. */
		{"\"${USER|nobody}\"", "\"alice\""},
		{"\"${NO_ONE|nobody}\"", "\"nobody\""},
		{"\"${PORT|1}\"", "9050"},
		{"\"${USER}\"", "\"${USER}\""},
		{"\"${user|x}\"", "\"${user|x}\""},
		{"\"${}\"", "\"${}\""},
		{"\"${|x}\"", "\"${|x}\""},
		{"\"${USER|unclosed\"", "\"${USER|unclosed\""},
		/* Escapes and other dollar signs. */
		{"\"$${env:USER}\"", "\"${env:USER}\""},
		{"\"$$${env:USER}\"", "\"$${env:USER}\""},
		{"\"$ $$ $5 $\"", "\"$ $$ $5 $\""},
		{"\"a$${b}${env:USER}\"", "\"a${b}alice\""},
		/* What comes out is not looked at again. */
		{"\"${env:WEIRD}\"", "\"${env:USER}\""},
		/* Trees; keys are left alone. */
		{"{\"a\":[\"${env:USER}\",1,{\"${env:USER}\":\"${PORT|0}\"}],\"b\":null}",
			"{\"a\":[\"alice\",1,{\"${env:USER}\":9050}],\"b\":null}"},
	};
	struct env *env = make_env();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct value *in = parse(cases[i].in), *out;
		struct buf text = BUF_INIT;
		struct err e = {0};

		if (env_expand(env, "app", in, &out, &e) < 0)
			fail_msg("%s: %s", cases[i].in, e.text);
		json_write(out, &text);
		assert_string_equal(buf_str(&text), cases[i].out);
		buf_done(&text);
		value_unref(out);
		value_unref(in);
	}
	env_free(env);
}

static void expansion_fails(void **state)
{
	static const struct {
		const char *in;
		enum err_kind kind;
		const char *text;
	} cases[] = {
		{"\n{password: '${env:NONE}'}", ERR_NOT_FOUND,
			"line 2: field 'password': placeholder ${env:NONE}: environment variable not found: "
			"no entry env.variable gives it a value"},
		{"{a: [{b: 'x${env:EMPTY}'}]}", ERR_NOT_FOUND,
			"line 1: field 'a[0].b': placeholder ${env:EMPTY}: environment variable not found: "
			"no entry env.variable gives it a value"},
		{"{a: '${env:USER'}", ERR_INVALID,
			"line 1: field 'a': a placeholder ${env:... has no closing brace; write $${ for a literal ${"},
		{"{a: '${env:}'}", ERR_INVALID,
			"line 1: field 'a': a placeholder ${env:...} names no variable; write $${ for a literal ${"},
		{"{a: '${env:|x}'}", ERR_INVALID,
			"line 1: field 'a': a placeholder ${env:...} names no variable; write $${ for a literal ${"},
		/* The value is not shown. */
		{"{a: '${env:USER|1}'}", ERR_INVALID,
			"line 1: field 'a': placeholder ${env:USER}: the variable's value is no integer, as its "
			"fallback is"},
		{"{a: '${env:DIGITS|true}'}", ERR_INVALID,
			"line 1: field 'a': placeholder ${env:DIGITS}: the variable's value is no boolean, as its "
			"fallback is"},
	};
	struct env *env = make_env();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct value *in = parse(cases[i].in), *out = NULL;
		struct err e = {0};

		assert_error(env_expand(env, "app", in, &out, &e), &e, cases[i].kind, cases[i].text);
		assert_null(out);
		value_unref(in);
	}
	env_free(env);
}

static void the_entry_keeps_its_text(void **state)
{
	struct env *env = make_env();
	struct value *in = parse("{host: h,\n password: '${env:DIGITS}'}"), *out, *same;
	struct err e = {0};

	(void)state;
	assert_int_equal(env_expand(env, "app", in, &out, &e), 0);
	assert_string_equal(value_get_string(value_get(in, "password"), NULL), "${env:DIGITS}");
	assert_string_equal(value_get_string(value_get(out, "password"), NULL), "123456");
	assert_int_equal(value_line(value_get(out, "password")), 2);
	assert_int_equal(env_expand(env, "app", value_get(in, "host"), &same, &e), 0);
	assert_ptr_equal(same, value_get(in, "host"));
	value_unref(same);
	value_unref(out);
	value_unref(in);
	env_free(env);
}

static void one_field_stays_as_it_is_written(void **state)
{
	struct env *env = make_env();
	struct value *in = parse("{source: '${env:NOBODY}', deep: {source: '${env:DIGITS}'}}"), *out = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(env_expand_except(env, "app", in, "source", &out, &e), 0);
	assert_ptr_equal(value_get(out, "source"), value_get(in, "source"));
	/* Only the uppermost one of that name. */
	assert_string_equal(value_get_string(value_get(value_get(out, "deep"), "source"), NULL), "123456");
	value_unref(out);
	assert_int_equal(env_expand_except(env, "app", in, "deep", &out, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	value_unref(in);
	env_free(env);
}

static void expansion_is_bounded(void **state)
{
	struct env *env = env_new();
	struct value *list = value_list(), *out = NULL;
	char *big = xmalloc(ENV_VALUE_BYTES_MAX + 1);
	struct err e = {0};

	(void)state;
	memset(big, 'x', ENV_VALUE_BYTES_MAX);
	big[ENV_VALUE_BYTES_MAX] = '\0';
	storage(env, ENV_STORAGE_MEMORY, "app:m", "{}");
	variable(env, "app:v", "{variable: V, storage: 'app:m'}");
	set_well(env, "V", big);
	for (int i = 0; i < 16; i++)
		value_list_append(list, value_cstring("${env:V}"));
	assert_int_equal(env_expand(env, "app", list, &out, &e), 0);
	value_unref(out);
	out = NULL;
	value_list_append(list, value_cstring("${env:V}"));
	assert_error(env_expand(env, "app", list, &out, &e), &e, ERR_INVALID,
		"line 0: field '[16]': placeholders make the entry's data larger than 16777216 bytes");
	value_unref(list);
	free(big);
	env_free(env);
}

/* -- <field>_env ------------------------------------------------------------------------------------------- */

static unsigned warnings;
static char warned[256];

static void sink(void *arg, const struct log_record *r)
{
	(void)arg;
	warnings++;
	warned[0] = '\0';
	for (size_t i = 0; i < r->nfields; i++)
		snprintf(warned + strlen(warned), sizeof(warned) - strlen(warned), "%s=%s ", r->fields[i].key,
			r->fields[i].str);
}

static void fields(void **state)
{
	static const struct {
		enum env_field_rule rule;
		const char *yaml;
		const char *want; /* NULL: none */
		unsigned warnings;
	} cases[] = {
		{ENV_FIELD_INLINE_WINS, "{key: inline}", "inline", 0},
		{ENV_FIELD_INLINE_WINS, "{key: inline, key_env: USER}", "inline", 0},
		{ENV_FIELD_INLINE_WINS, "{key: inline, key_env: NONE}", "inline", 0},
		{ENV_FIELD_INLINE_WINS, "{key: '', key_env: USER}", "alice", 0},
		{ENV_FIELD_INLINE_WINS, "{key_env: user}", "alice", 0},
		{ENV_FIELD_INLINE_WINS, "{key_env: OWN}", "its own", 0},
		{ENV_FIELD_INLINE_WINS, "{}", NULL, 0},
		{ENV_FIELD_VARIABLE_WINS, "{key: inline, key_env: USER}", "alice", 0},
		{ENV_FIELD_VARIABLE_WINS, "{key: inline, key_env: NONE}", "inline", 1},
		{ENV_FIELD_VARIABLE_WINS, "{key: inline, key_env: EMPTY}", "inline", 1},
		{ENV_FIELD_VARIABLE_WINS, "{key: inline, key_env: OWN}", "inline",
			1}, /* the variable's default is not used */
		{ENV_FIELD_VARIABLE_WINS, "{key_env: NONE}", NULL, 1},
		{ENV_FIELD_VARIABLE_WINS, "{key: inline}", "inline", 0},
	};
	struct env *env = make_env();

	(void)state;
	log_set_sink(sink, NULL, LOG_DEBUG);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct value *data = parse(cases[i].yaml);
		struct err e = {0};
		char *text = NULL;

		warnings = 0;
		if (env_field(env, "app", data, "key", cases[i].rule, &text, &e) < 0)
			fail_msg("%s: %s", cases[i].yaml, e.text);
		if (cases[i].want)
			assert_string_equal(text, cases[i].want);
		else
			assert_null(text);
		assert_int_equal(warnings, cases[i].warnings);
		assert_null(strstr(warned, "inline"));
		env_text_free(text);
		value_unref(data);
	}
	log_set_sink(NULL, NULL, LOG_DEBUG);
	env_free(env);
}

static void fields_fail(void **state)
{
	static const struct {
		const char *yaml;
		enum err_kind kind;
		const char *text;
	} cases[] = {
		{"{key_env: NONE}", ERR_NOT_FOUND, "field 'key_env': NONE: environment variable not found"},
		{"{key_env: EMPTY}", ERR_NOT_FOUND, "field 'key_env': EMPTY: environment variable not found"},
		{"{key: 123456}", ERR_INVALID,
			"failed to unmarshal config: line 1: field 'key': expected string, got integer; put it in "
			"quotes"},
		{"{key_env: [a]}", ERR_INVALID,
			"failed to unmarshal config: line 1: field 'key_env': expected string, got list; put it in "
			"quotes"},
	};
	struct env *env = make_env();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct value *data = parse(cases[i].yaml);
		struct err e = {0};
		char *text = NULL;

		assert_error(env_field(env, "app", data, "key", ENV_FIELD_INLINE_WINS, &text, &e), &e, cases[i].kind,
			cases[i].text);
		assert_null(text);
		value_unref(data);
	}
	env_free(env);
}

/* -- order ------------------------------------------------------------------------------------------------- */

static void variables_come_before_what_names_them(void **state)
{
	static const char *const users[] = {
		"{password: 'x${env:SECRET}'}",
		"{password: '${env:SECRET|fallback}'}",
		"{deep: [{password: '${SECRET|fallback}'}]}",
		"{password: '${env:zz}'}",
		"{password: '${env:app:zz|x}'}",
		"{auth_key_env: SECRET}",
		"{auth_key_env: zz}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(users); i++) {
		struct entry *items[2] = {
			entry_make("app:a", users[i]), entry_make("app:zz", "{variable: SECRET, storage: 'app:s'}")};
		struct changes c = {0};

		free(items[1]->kind);
		items[1]->kind = xstrdup("env.variable");
		changes_add(&c, CHANGE_CREATE, items[0], NULL);
		changes_add(&c, CHANGE_CREATE, items[1], NULL);
		assert_true(changes_sort(&c, NULL));
		assert_string_equal(c.items[0].entry->id, "app:zz");
		changes_done(&c);
		entry_unref(items[0]);
		entry_unref(items[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(placeholders),
		cmocka_unit_test(expansion_fails),
		cmocka_unit_test(the_entry_keeps_its_text),
		cmocka_unit_test(one_field_stays_as_it_is_written),
		cmocka_unit_test(expansion_is_bounded),
		cmocka_unit_test(fields),
		cmocka_unit_test(fields_fail),
		cmocka_unit_test(variables_come_before_what_names_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
