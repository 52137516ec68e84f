/* wippy.lock: read, refused, written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "registry/project.h"
#include "scratch.h"

static void read_text(const char *name, char *out, size_t cap)
{
	FILE *f = fopen(scratch_path(name), "r");
	size_t n;

	assert_non_null(f);
	n = fread(out, 1, cap - 1, f);
	out[n] = '\0';
	fclose(f);
}

static void writes_a_new_one(void **state)
{
	struct project_lock l = {0};
	struct err e = {0};
	struct stat st;
	char text[512];

	(void)state;
	assert_int_equal(project_lock_write(scratch_path("wippy.lock"), "./src", ".wippy", &e), 0);
	read_text("wippy.lock", text, sizeof(text));
	assert_string_equal(text, "directories:\n    modules: .wippy\n    src: ./src\n");
	assert_int_equal(stat(scratch_path("wippy.lock"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(project_lock_read(scratch_path("wippy.lock"), &l, &e), 0);
	assert_string_equal(l.src, "./src");
	assert_string_equal(l.modules, ".wippy");
	project_lock_done(&l);
}

static void keeps_what_it_does_not_own(void **state)
{
	struct project_lock l = {0};
	struct err e = {0};

	(void)state;
	scratch_write("wippy.lock", "directories: {src: old}\n"
				    "modules:\n  - {name: acme/jobs, version: 1.2.3}\n"
				    "options: {unpack_modules: true}\n"
				    "stranger: 1\n");
	assert_int_equal(project_lock_write(scratch_path("wippy.lock"), "code", "mods", &e), 0);
	assert_int_equal(project_lock_read(scratch_path("wippy.lock"), &l, &e), 0);
	assert_string_equal(l.src, "code");
	assert_int_equal(value_count(value_get(l.root, "modules")), 1);
	assert_true(value_get_bool(value_path(l.root, "options.unpack_modules")));
	assert_null(value_get(l.root, "stranger"));
	project_lock_done(&l);
}

static void never_overwrites_what_it_cannot_read(void **state)
{
	struct err e = {0};
	char text[64];

	(void)state;
	scratch_write("wippy.lock", "modules: [unclosed\n");
	assert_int_equal(project_lock_write(scratch_path("wippy.lock"), "code", "mods", &e), -1);
	read_text("wippy.lock", text, sizeof(text));
	assert_string_equal(text, "modules: [unclosed\n");
}

static void refuses(void **state)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{"directories: {src: \"\"}\n", "directories.src cannot be empty"},
		{"directories: {modules: \"\"}\n", "directories.modules cannot be empty"},
		{"directories: 5\n", "line 1: field 'directories': expected a map, got integer"},
		{"directories: {src: [a]}\n", "field 'src'"},
		{"modules:\n  - {name: nope, version: 1}\n", "expected"},
		{"modules:\n  - {name: nope, version: \"1\"}\n",
			"line 2: invalid format (expected org/module, got \"nope\")"},
		{"modules:\n  - {name: a/b}\n", "line 2: module \"a/b\" has empty version"},
		{"replacements:\n  - {from: a/b, to: ./gone}\n", "line 2: replacement path \"./gone\" does not exist"},
		{"replacements:\n  - {from: ab, to: .}\n", "line 2: invalid format (expected org/module, got \"ab\")"},
		{"- a list\n", "expected a map, got list"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct project_lock l = {0};
		struct err e = {0};

		scratch_write("wippy.lock", cases[i].text);
		assert_int_equal(project_lock_read(scratch_path("wippy.lock"), &l, &e), -1);
		assert_int_equal(strncmp(e.text, "invalid lock file: ", 19), 0);
		if (!strstr(e.text, cases[i].wanted))
			fail_msg("%s: lacks %s", e.text, cases[i].wanted);
	}
}

static void missing_file(void **state)
{
	struct project_lock l = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(project_lock_read(scratch_path("gone.lock"), &l, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(e.text, "lock file not found: "));
	assert_non_null(strstr(e.text, "wippy init"));
}

static void defaults(void **state)
{
	struct project_lock l = {0};
	struct err e = {0};

	(void)state;
	scratch_write("wippy.lock", "");
	assert_int_equal(project_lock_read(scratch_path("wippy.lock"), &l, &e), 0);
	assert_string_equal(l.src, ".");
	assert_string_equal(l.modules, ".wippy");
	project_lock_done(&l);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(writes_a_new_one),
		TEST(keeps_what_it_does_not_own),
		TEST(never_overwrites_what_it_cannot_read),
		TEST(refuses),
		TEST(missing_file),
		TEST(defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
