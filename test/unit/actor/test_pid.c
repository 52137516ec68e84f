/* Process identifiers: text, parsing, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "actor/atom.h"
#include "actor/pid.h"
#include "base/alloc.h"

static void test_format(void **state)
{
	static const struct {
		uint64_t number;
		const char *text;
	} cases[] = {
		{1, "{app:processes|0x00001}"},
		{0x1f, "{app:processes|0x0001f}"},
		{0xfffff, "{app:processes|0xfffff}"},
		{0x100000, "{app:processes|0x100000}"},
		{0xffffff, "{app:processes|0xffffff}"},
		{0x1000000, "{app:processes|0x01000000}"},
		{0xffffffff, "{app:processes|0xffffffff}"},
		{0x100000000, "{app:processes|0x0000000100000000}"},
		{UINT64_MAX, "{app:processes|0xffffffffffffffff}"},
	};
	char text[PID_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pid back, pid = {atom("app:processes"), cases[i].number};
		struct err e;

		assert_string_equal(pid_format(pid, text), cases[i].text);
		assert_int_equal(pid_parse(text, strlen(text), &back, &e), 0);
		assert_true(pid_equal(back, pid));
	}
	assert_string_equal(pid_format(pid_system, text), "{|}");
}

static void test_long_host_is_cut(void **state)
{
	char host[2000], text[PID_TEXT_MAX];
	struct pid pid = {NULL, UINT64_MAX};

	(void)state;
	memset(host, 'h', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	pid.host = atom(host);
	assert_true(strlen(pid_format(pid, text)) < PID_TEXT_MAX);
}

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		uint64_t number;
		const char *host;
	} cases[] = {
		{"{app:processes|0x0001f}", 0x1f, "app:processes"},
		{"{local@app:processes|0x0001f}", 0x1f, "app:processes"},
		{"{local@app:processes|old|0x0001f}", 0x1f, "app:processes"},
		{"{|}", 0, ""},
		{"{app:processes|}", 0, "app:processes"},
		{"{app:processes|31}", 0, "app:processes"},
		{"{app:processes|0x0001F}", 0, "app:processes"},
		{"{app:processes|0x11112222333344445}", 0, "app:processes"},
		{"{nobody:made this|0x00001}", 1, NULL},
	};
	struct err e;

	(void)state;
	atom("app:processes");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pid pid;

		assert_int_equal(pid_parse(cases[i].text, strlen(cases[i].text), &pid, &e), 0);
		assert_int_equal(pid.number, cases[i].number);
		if (cases[i].host)
			assert_string_equal(pid.host, cases[i].host);
		else
			assert_null(pid.host);
	}
}

static void test_parse_errors(void **state)
{
	static const struct {
		const char *text;
		enum err_kind kind;
		const char *words;
	} cases[] = {
		{"", ERR_INVALID, "invalid pid format: missing braces"},
		{"{", ERR_INVALID, "invalid pid format: missing braces"},
		{"app|1", ERR_INVALID, "invalid pid format: missing braces"},
		{"{app|1", ERR_INVALID, "invalid pid format: missing braces"},
		{"{}", ERR_INVALID, "invalid pid format: missing pipe"},
		{"{app}", ERR_INVALID, "invalid pid format: missing pipe"},
		{"{other@app|0x00001}", ERR_NOT_FOUND, "node not found"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pid pid;
		struct err e;

		assert_int_equal(pid_parse(cases[i].text, strlen(cases[i].text), &pid, &e), -1);
		assert_int_equal(e.kind, cases[i].kind);
		assert_string_equal(e.text, cases[i].words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_long_host_is_cut),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
