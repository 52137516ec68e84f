/* Command-line options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "app/options.h"

static bool verbose, console;
static const char *host;
static struct option_list sets;

static const struct option own[] = {
	{"host", 'H', OPTION_TEXT, &host, "ID", "host"},
	{"set", 0, OPTION_LIST, &sets, "K=V", "set"},
	{0},
};
static const struct option global[] = {
	{"verbose", 'v', OPTION_SWITCH, &verbose, NULL, "verbose"},
	{"console", 'c', OPTION_SWITCH, &console, NULL, "console"},
	{0},
};

/* Parse up to eight words; the positionals end up in `argv`. */
static int parse(char **argv, struct err *e)
{
	int argc = 0;

	verbose = console = false;
	host = NULL;
	option_list_done(&sets);
	while (argv[argc])
		argc++;
	return options_parse(argv, argc, own, global, e);
}

static void options_anywhere(void **state)
{
	char *argv[] = {"probe", "-v", "x", "--host=a:b", "--set", "k=1", "--set=k=2", "-c", NULL};
	struct err e = {0};

	(void)state;
	assert_int_equal(parse(argv, &e), 2);
	assert_string_equal(argv[0], "probe");
	assert_string_equal(argv[1], "x");
	assert_true(verbose);
	assert_true(console);
	assert_string_equal(host, "a:b");
	assert_int_equal(sets.count, 2);
	assert_string_equal(sets.items[0], "k=1");
	assert_string_equal(sets.items[1], "k=2");
	option_list_done(&sets);
}

static void short_forms(void **state)
{
	char *bundled[] = {"-vcH", "a", NULL}, *attached[] = {"-Ha", NULL}, *equals[] = {"-H=a", NULL};
	char **all[] = {bundled, attached, equals};
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(parse(all[i], &e), 0);
		assert_string_equal(host, "a");
	}
}

static void two_dashes_end_options(void **state)
{
	char *argv[] = {"probe", "--", "--fast", "-v", "--", NULL};
	struct err e = {0};

	(void)state;
	assert_int_equal(parse(argv, &e), 4);
	assert_string_equal(argv[1], "--fast");
	assert_string_equal(argv[2], "-v");
	assert_string_equal(argv[3], "--");
	assert_false(verbose);
}

static void lone_dash_is_an_argument(void **state)
{
	char *argv[] = {"-", NULL};
	struct err e = {0};

	(void)state;
	assert_int_equal(parse(argv, &e), 1);
}

static void refusals(void **state)
{
	static const struct {
		char *word;
		const char *wanted;
	} cases[] = {
		{"--nope", "unknown flag: --nope"},
		{"--nope=1", "unknown flag: --nope"},
		{"-x", "unknown shorthand flag: 'x' in -x"},
		{"--host", "flag needs an argument: --host"},
		{"-H", "flag needs an argument: 'H' in -H"},
		{"--verbose=maybe", "flag --verbose takes no value"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *argv[] = {cases[i].word, NULL};
		struct err e = {0};

		assert_int_equal(parse(argv, &e), -1);
		assert_string_equal(e.text, cases[i].wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_anywhere),
		cmocka_unit_test(short_forms),
		cmocka_unit_test(two_dashes_end_options),
		cmocka_unit_test(lone_dash_is_an_argument),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
