/* `.wippy.yaml`: layers, types, warnings, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "app/config.h"
#include "scratch.h"

static char warned[2048];

static void warn(const char *text)
{
	snprintf(warned + strlen(warned), sizeof(warned) - strlen(warned), "%s\n", text);
}

static int load(const char *profile, const char *set, struct config *c, struct err *e)
{
	const char *files[] = {scratch_path("one.yaml"), scratch_path("two.yaml")};
	struct option_list file_list = {files, access(files[1], F_OK) == 0 ? 2 : 1};
	struct option_list profiles = {&profile, profile ? 1 : 0}, sets = {&set, set ? 1 : 0};
	struct config_sources src = {&file_list, &profiles, &sets};

	warned[0] = '\0';
	return config_load(&src, warn, c, e);
}

static void defaults(void **state)
{
	struct config c;
	struct err e = {0};

	(void)state;
	scratch_write("one.yaml", "version: \"1.0\"\n");
	assert_int_equal(load(NULL, NULL, &c, &e), 0);
	assert_string_equal(c.state_dir, scratch_path(".wippy/net"));
	assert_null(c.default_network);
	assert_int_equal(c.shutdown_timeout_ns, 30000000000);
	assert_int_equal(c.lua_heap_processes, 4096);
	assert_false(c.strict_mode);
	assert_string_equal(warned, "");
	config_done(&c);
}

static void layers(void **state)
{
	struct config c;
	struct err e = {0};

	(void)state;
	setenv("WIPPY_TEST_NET", "app:tor", 1);
	scratch_write("one.yaml", "version: \"1.0\"\n"
				  "vars: {secs: 5}\n"
				  "network_service: {state_dir: st, default_network: \"${env:WIPPY_TEST_NET}\"}\n"
				  "shutdown: {timeout: 1s}\n"
				  "logger: {encoding: json}\n"
				  "lua: {heap_memory: 64M}\n"
				  "profiles:\n"
				  "  fast: {shutdown: {timeout: \"${secs}s\"}}\n"
				  "  broken: {shutdown: {timeout: \"${env:WIPPY_TEST_UNSET}\"}}\n");
	scratch_write("two.yaml", "version: \"1.0\"\nshutdown: {timeout: 2s}\nsecurity: {strict_mode: true}\n");
	assert_int_equal(load(NULL, NULL, &c, &e), 0);
	assert_int_equal(c.shutdown_timeout_ns, 2000000000);
	assert_string_equal(c.default_network, "app:tor");
	assert_string_equal(c.state_dir, scratch_path("st"));
	assert_true(c.strict_mode);
	assert_true(c.log_json);
	assert_int_equal(c.lua_heap_memory, 64 << 20);
	config_done(&c);
	assert_int_equal(load("fast", NULL, &c, &e), 0);
	assert_int_equal(c.shutdown_timeout_ns, 5000000000);
	config_done(&c);
	assert_int_equal(load("fast", "shutdown.timeout=7s", &c, &e), 0);
	assert_int_equal(c.shutdown_timeout_ns, 7000000000);
	config_done(&c);
}

static void refusals(void **state)
{
	static const struct {
		const char *text, *set, *profile, *wanted;
	} cases[] = {
		{"shutdown: {timeout: 1s}\n", NULL, NULL, "missing version field"},
		{"version: 1.0\n", NULL, NULL, "unsupported version"},
		{"version: \"2.0\"\n", NULL, NULL, "unsupported version"},
		{"version: \"1.0\"\nshutdown: 5\n", NULL, NULL,
			"one.yaml:2: section 'shutdown': expected a map, got integer"},
		{"version: \"1.0\"\nshutdown:\n  timeout: 5\n", NULL, NULL,
			"line 3: shutdown.timeout: expected a duration string such as \"30s\", got integer"},
		{"version: \"1.0\"\nshutdown: {timeout: soon}\n", NULL, NULL,
			"expected a duration string such as \"30s\", got string soon"},
		{"version: \"1.0\"\nsecurity: {strict_mode: \"yes\"}\n", NULL, NULL,
			"security.strict_mode: expected true or false, got string yes"},
		{"version: \"1.0\"\nlogger: {encoding: xml}\n", NULL, NULL,
			"logger.encoding: expected \"console\" or \"json\", got string xml"},
		{"version: \"1.0\"\nlua: {heap_memory: 1}\n", NULL, NULL, "lua.heap_memory: expected at least 4M"},
		{"version: \"1.0\"\nnetwork_service: {default_network: \"${env:WIPPY_TEST_UNSET}\"}\n", NULL, NULL,
			"line 2: environment variable WIPPY_TEST_UNSET is not set"},
		{"version: \"1.0\"\nlogger: {encoding: \"${nope}\"}\n", NULL, NULL,
			"variable 'nope' is not defined under vars"},
		{"version: \"1.0\"\n", "x", NULL, "invalid --set \"x\": expected section.path=value"},
		{"version: \"1.0\"\n", "x=1", NULL, "invalid --set \"x\": key must be section.path"},
		{"version: \"1.0\"\n", NULL, "gone", "unknown profile 'gone'"},
		{"version: [\n", NULL, NULL, "failed to parse YAML: "},
	};

	(void)state;
	unsetenv("WIPPY_TEST_UNSET");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config c;
		struct err e = {0};

		scratch_write("one.yaml", cases[i].text);
		assert_int_equal(load(cases[i].profile, cases[i].set, &c, &e), -1);
		if (!strstr(e.text, cases[i].wanted))
			fail_msg("\"%s\" lacks \"%s\"", e.text, cases[i].wanted);
	}
}

static void missing_named_file(void **state)
{
	struct config c;
	struct err e = {0};

	(void)state;
	assert_int_equal(load(NULL, NULL, &c, &e), -1);
	assert_non_null(strstr(e.text, "failed to read config file: "));
}

static void unknown_keys_are_told_with_their_line(void **state)
{
	struct config c;
	struct err e = {0};

	(void)state;
	scratch_write("one.yaml", "version: \"1.0\"\n"
				  "network_service:\n"
				  "  defualt_network: app:tor\n"
				  "shutdonw: {timeout: 1s}\n"
				  "cluster: {enabled: true}\n"
				  "override: {\"app:x:y\": 1}\n");
	assert_int_equal(load(NULL, NULL, &c, &e), 0);
	assert_non_null(strstr(warned, "one.yaml:3: network_service.defualt_network: unknown key, ignored\n"));
	assert_non_null(strstr(warned, "one.yaml:4: shutdonw: unknown key, ignored\n"));
	assert_non_null(strstr(warned, "cluster.enabled: clustering is not built\n"));
	assert_null(strstr(warned, "override"));
	config_done(&c);
	scratch_write("one.yaml", "version: \"1.0\"\n");
	assert_int_equal(load(NULL, "runtime.workers=3", &c, &e), 0);
	assert_string_equal(warned, "--set: runtime: unknown key, ignored\n");
	config_done(&c);
}

static void coercion(void **state)
{
	static const struct {
		const char *text;
		enum value_type type;
	} cases[] = {
		{"true", VALUE_BOOL},
		{"FALSE", VALUE_BOOL},
		{"12", VALUE_INT},
		{"-3", VALUE_INT},
		{"007", VALUE_STRING},
		{"1.5", VALUE_FLOAT},
		{"1e3", VALUE_FLOAT},
		{"1.2.3", VALUE_STRING},
		{":9090", VALUE_STRING},
		{"", VALUE_STRING},
		{"e", VALUE_STRING},
		{"99999999999999999999", VALUE_STRING},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct value *v = config_coerce(cases[i].text);

		assert_int_equal(value_type(v), cases[i].type);
		value_unref(v);
	}
}

static void sizes(void **state)
{
	int64_t n;

	(void)state;
	assert_int_equal(config_parse_size("512M", &n), 0);
	assert_int_equal(n, 512 << 20);
	assert_int_equal(config_parse_size("1GB", &n), 0);
	assert_int_equal(n, 1 << 30);
	assert_int_equal(config_parse_size("1000", &n), 0);
	assert_int_equal(n, 1000);
	assert_int_equal(config_parse_size("1X", &n), -1);
	assert_int_equal(config_parse_size("-1", &n), -1);
	assert_int_equal(config_parse_size("", &n), -1);
	assert_int_equal(config_parse_size("1MBs", &n), -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults),
		TEST(layers),
		TEST(refusals),
		TEST(missing_named_file),
		TEST(unknown_keys_are_told_with_their_line),
		TEST(coercion),
		TEST(sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
