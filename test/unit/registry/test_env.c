/* Storages and variables: what a name means, what a storage answers, files, threads. */
#include "env_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "scratch.h"

static const char unknown[] = "environment variable not found";
static const char no_storage[] = "environment storage backend not found";

static void names_are_resolved_in_order(void **state)
{
	struct env *env = env_new();

	(void)state;
	storage(env, ENV_STORAGE_STATIC, "app:s", "values: {TOKEN: public, 'app:nameless': by id, local: odd}");
	variable(env, "app:token", "{variable: TOKEN, storage: 'app:s'}");
	variable(env, "app:nameless", "{storage: 'app:s'}");
	variable(env, "app:TOKEN", "{storage: 'app:s', default: shadowed}");
	assert_value(env, "app", "TOKEN", "public"); /* the public name before app:TOKEN */
	assert_value(env, "app", "app:TOKEN", "shadowed");
	assert_value(env, "other", "app:token", "public");
	assert_value(env, "app", "token", "public");
	assert_value(env, "app", "nameless", "by id");
	assert_no_value(env, "other", "token", ERR_NOT_FOUND, unknown);
	assert_no_value(env, "app", "local", ERR_NOT_FOUND, unknown); /* a key is no variable */
	assert_no_value(env, "", "token", ERR_NOT_FOUND, unknown);
	env_free(env);
}

static void empty_counts_as_unset(void **state)
{
	struct env *env = env_new();

	(void)state;
	storage(env, ENV_STORAGE_STATIC, "app:s", "values: {A: '', B: ''}");
	variable(env, "app:a", "{variable: A, storage: 'app:s', default: fallback}");
	variable(env, "app:b", "{variable: B, storage: 'app:s', default: ''}");
	assert_value(env, "app", "A", "fallback");
	assert_no_value(env, "app", "B", ERR_NOT_FOUND, unknown);
	env_free(env);
}

static void operating_system(void **state)
{
	struct env *env = env_new();
	struct err e = {0};
	struct map *all;

	(void)state;
	setenv("WIPPY_TEST_ENV", "from outside", 1);
	storage(env, ENV_STORAGE_OS, "app:os", "{}");
	variable(env, "app:v", "{variable: WIPPY_TEST_ENV, storage: 'app:os'}");
	variable(env, "app:nameless", "{storage: 'app:os'}");
	assert_value(env, "app", "WIPPY_TEST_ENV", "from outside");
	assert_no_value(env, "app", "nameless", ERR_NOT_FOUND, unknown);
	assert_error(set(env, "WIPPY_TEST_ENV", "x", &e), &e, ERR_PERMISSION_DENIED, "storage is read-only");
	assert_string_equal(getenv("WIPPY_TEST_ENV"), "from outside");
	all = env_list(env);
	assert_string_equal(map_get(all, "WIPPY_TEST_ENV"), "from outside");
	assert_false(env_list_waits(env));
	env_list_free(all);
	env_free(env);
}

static void memory_and_readonly(void **state)
{
	struct env *env = env_new();
	struct err e = {0};

	(void)state;
	storage(env, ENV_STORAGE_MEMORY, "app:m", "{}");
	variable(env, "app:v", "{variable: V, storage: 'app:m', default: first}");
	variable(env, "app:ro", "{variable: RO, storage: 'app:m', default: fixed, readonly: true}");
	assert_value(env, "app", "V", "first");
	set_well(env, "V", "second");
	assert_value(env, "app", "V", "second");
	storage(env, ENV_STORAGE_MEMORY, "app:m", "{}"); /* an update keeps what was set */
	assert_value(env, "app", "V", "second");
	set_well(env, "V", "");
	assert_value(env, "app", "V", "first");
	assert_error(set(env, "RO", "x", &e), &e, ERR_PERMISSION_DENIED, "environment variable is read-only");
	assert_value(env, "app", "RO", "fixed");
	assert_error(set(env, "NONE", "x", &e), &e, ERR_NOT_FOUND, unknown);
	env_free(env);
}

static void bad_variables_are_refused(void **state)
{
	static const struct {
		const char *yaml;
		enum err_kind kind;
		const char *text;
	} cases[] = {
		{"{variable: 'a-b', storage: 'app:s'}", ERR_INVALID,
			"invalid configuration: field 'variable': invalid environment variable name: must only contain "
			"alphanumeric characters and "
			"underscores"},
		{"{variable: V, storage: s}", ERR_INVALID,
			"invalid configuration: field 'storage': invalid storage ID format, must have both namespace "
			"and name"},
		{"{variable: V, storage: ':s'}", ERR_INVALID,
			"invalid configuration: field 'storage': invalid storage ID format, must have both namespace "
			"and name"},
		{"{variable: V}", ERR_INVALID,
			"invalid configuration: field 'storage': invalid storage ID format, must have both namespace "
			"and name"},
		{"{variable: V, storage: 'app:none'}", ERR_NOT_FOUND,
			"field 'storage': referenced storage not found: app:none"},
		{"{variable: TAKEN, storage: 'app:s'}", ERR_ALREADY_EXISTS,
			"field 'variable': variable name already exists: TAKEN"},
		{"{variable: V, storage: 'app:s', default: 123456}", ERR_INVALID,
			"failed to unmarshal config: line 1: field 'default': expected string, got integer; put it in "
			"quotes"},
	};
	struct env *env = env_new();

	(void)state;
	storage(env, ENV_STORAGE_STATIC, "app:s", "values: {V: v}");
	variable(env, "app:holder", "{variable: TAKEN, storage: 'app:s'}");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = {0};

		assert_error(put_variable(env, "app:v", cases[i].yaml, &e), &e, cases[i].kind, cases[i].text);
		assert_no_value(env, "app", "V", ERR_NOT_FOUND, unknown);
	}
	env_free(env);
}

static void bad_storages_are_refused(void **state)
{
	static const struct {
		enum env_storage_type type;
		const char *yaml;
		enum err_kind kind;
		const char *text;
	} cases[] = {
		{ENV_STORAGE_FILE, "{}", ERR_INVALID, "invalid configuration: file path must not be empty"},
		{ENV_STORAGE_FILE, "{file_path: x, file_mode: 0999}", ERR_INVALID,
			"invalid configuration: line 1: field 'file_mode': no file mode; write it as 0o644"},
		{ENV_STORAGE_FILE, "{file_path: x, file_mode: 0440}", ERR_INVALID,
			"invalid configuration: line 1: field 'file_mode': no file mode; write it as 0o644"},
		{ENV_STORAGE_FILE, "{file_path: x, dir_mode: 'rwx'}", ERR_INVALID,
			"invalid configuration: line 1: field 'dir_mode': no file mode; write it as 0o755"},
		{ENV_STORAGE_FILE, "{file_path: x, dir_mode: 0500}", ERR_INVALID,
			"invalid configuration: line 1: field 'dir_mode': no file mode; write it as 0o755"},
		{ENV_STORAGE_ROUTER, "{}", ERR_INVALID,
			"invalid configuration: router storage must have at least one storage"},
		{ENV_STORAGE_ROUTER, "{storages: []}", ERR_INVALID,
			"invalid configuration: router storage must have at least one storage"},
		{ENV_STORAGE_ROUTER, "{storages: [s]}", ERR_INVALID,
			"invalid configuration: field 'storages': invalid storage ID format, must have both namespace "
			"and name"},
		{ENV_STORAGE_ROUTER, "{storages: ['app:s', 'app:none']}", ERR_NOT_FOUND,
			"field 'storages': environment storage backend not found: app:none"},
		{ENV_STORAGE_STATIC, "{values: [a]}", ERR_INVALID,
			"failed to unmarshal config: line 1: field 'values': expected map, got list"},
		/* The value may be a secret: it is not shown. */
		{ENV_STORAGE_STATIC, "{values: {PIN: 123456}}", ERR_INVALID,
			"failed to unmarshal config: line 1: field 'PIN': expected string, got integer; put it in "
			"quotes"},
	};
	struct env *env = env_new();

	(void)state;
	storage(env, ENV_STORAGE_MEMORY, "app:s", "{}");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = {0};

		assert_error(put_storage(env, cases[i].type, "app:new", cases[i].yaml, &e), &e, cases[i].kind,
			cases[i].text);
	}
	env_free(env);
}

static void update_moves_the_name(void **state)
{
	struct env *env = env_new();
	struct err e = {0};

	(void)state;
	storage(env, ENV_STORAGE_STATIC, "app:s", "values: {OLD: o, NEW: n}");
	variable(env, "app:v", "{variable: OLD, storage: 'app:s'}");
	assert_int_equal(put_variable(env, "app:v", "{variable: 'no no', storage: 'app:s'}", &e), -1);
	assert_value(env, "app", "OLD", "o"); /* a refused update changes nothing */
	variable(env, "app:v", "{variable: NEW, storage: 'app:s'}");
	assert_value(env, "app", "NEW", "n");
	assert_no_value(env, "app", "OLD", ERR_NOT_FOUND, unknown);
	variable(env, "app:w", "{variable: OLD, storage: 'app:s'}"); /* the name is free again */
	env_variable_remove(env, "app:v");
	assert_no_value(env, "app", "NEW", ERR_NOT_FOUND, unknown);
	assert_no_value(env, "app", "app:v", ERR_NOT_FOUND, unknown);
	storage(env, ENV_STORAGE_STATIC, "app:s", "values: {OLD: changed}");
	assert_value(env, "app", "OLD", "changed");
	env_storage_remove(env, "app:s");
	assert_no_value(env, "app", "OLD", ERR_NOT_FOUND, no_storage);
	assert_error(set(env, "OLD", "x", &e), &e, ERR_NOT_FOUND, no_storage);
	env_free(env);
}

static void router_asks_in_turn(void **state)
{
	struct env *env = env_new();
	struct err e = {0};
	struct map *all;

	(void)state;
	storage(env, ENV_STORAGE_MEMORY, "app:m", "{}");
	storage(env, ENV_STORAGE_STATIC, "app:s", "values: {A: static, B: static, E: ''}");
	storage(env, ENV_STORAGE_STATIC, "app:t", "values: {E: behind, C: third}");
	storage(env, ENV_STORAGE_ROUTER, "app:r", "storages: ['app:m', 'app:s', 'app:t']");
	storage(env, ENV_STORAGE_ROUTER, "app:read_only", "storages: ['app:s', 'app:m']");
	variable(env, "app:a", "{variable: A, storage: 'app:r'}");
	variable(env, "app:c", "{variable: C, storage: 'app:r'}");
	variable(env, "app:e", "{variable: E, storage: 'app:r'}");
	variable(env, "app:b", "{variable: B, storage: 'app:read_only'}");
	assert_value(env, "app", "A", "static");
	assert_value(env, "app", "C", "third");
	assert_no_value(env, "app", "E", ERR_NOT_FOUND, unknown); /* the empty text is found, and counts as unset */
	/* Remembered: the member's change is not seen. */
	storage(env, ENV_STORAGE_STATIC, "app:s", "values: {A: changed, B: static}");
	assert_value(env, "app", "A", "static");
	set_well(env, "A", "set"); /* into the first member */
	assert_value(env, "app", "A", "set");
	all = env_list(env);
	assert_string_equal(map_get(all, "A"), "set");
	env_list_free(all);
	assert_error(set(env, "B", "x", &e), &e, ERR_PERMISSION_DENIED, "storage is read-only");
	env_storage_remove(env, "app:m");
	assert_error(set(env, "C", "x", &e), &e, ERR_NOT_FOUND, no_storage);
	env_free(env);
}

static void router_circle_ends(void **state)
{
	struct env *env = env_new();
	struct err e = {0};
	char *text = NULL;

	(void)state;
	storage(env, ENV_STORAGE_MEMORY, "app:m", "{}");
	storage(env, ENV_STORAGE_ROUTER, "app:a", "storages: ['app:m']");
	storage(env, ENV_STORAGE_ROUTER, "app:b", "storages: ['app:a']");
	storage(env, ENV_STORAGE_ROUTER, "app:a", "storages: ['app:b']");
	variable(env, "app:v", "{variable: V, storage: 'app:a', default: d}");
	assert_int_equal(env_lookup(env, "app", "V", &text, &e), -1);
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_non_null(strstr(e.text, "circle"));
	assert_int_equal(set(env, "V", "x", &e), -1);
	env_free(env);
}

/* -- files ------------------------------------------------------------------------------------------------- */

static char *slurp(const char *name)
{
	static char text[8192];
	FILE *f = fopen(scratch_path(name), "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static struct env *file_env(const char *name, const char *more)
{
	struct env *env = env_new();
	char yaml[1024];

	snprintf(yaml, sizeof(yaml), "{file_path: '%s'%s}", scratch_path(name), more);
	storage(env, ENV_STORAGE_FILE, "app:f", yaml);
	variable(env, "app:a", "{variable: A, storage: 'app:f'}");
	variable(env, "app:b", "{variable: B, storage: 'app:f'}");
	variable(env, "app:c", "{variable: C, storage: 'app:f'}");
	variable(env, "app:eq", "{storage: 'app:f', default: d}");
	return env;
}

static void file_format(void **state)
{
	struct env *env = file_env("f.env", "");
	struct env_variable *v;
	struct err e = {0};
	struct map *all;

	(void)state;
	scratch_write("f.env", "# A=comment\n\n  A =  one # tail\nno data\nA=second\nB= 'quoted'\\n \r\n=x\nC=#only a "
			       "comment\nD=a=b\napp:eq=id");
	assert_value(env, "app", "A", "one");
	assert_value(env, "app", "B", "'quoted'\\n");
	assert_no_value(env, "app", "C", ERR_NOT_FOUND, unknown);
	assert_value(env, "app", "app:eq", "id");
	assert_int_equal(env_variable_find(env, "", "A", &v, &e), 0);
	assert_true(env_variable_waits(env, v));
	env_variable_unref(v);
	assert_true(env_list_waits(env));
	all = env_list(env);
	assert_int_equal(map_count(all), 5);
	assert_string_equal(map_get(all, "A"), "one");
	assert_string_equal(map_get(all, "C"), "");
	assert_string_equal(map_get(all, "D"), "a=b");
	env_list_free(all);
	scratch_write("f.env", "A=read again\n"); /* live */
	assert_value(env, "app", "A", "read again");
	env_free(env);
}

static void file_set_keeps_the_rest(void **state)
{
	struct env *env = file_env("f.env", "");

	(void)state;
	scratch_write("f.env", "# head\nA=one # tail\n\nB=two\r\njunk\nA=second");
	set_well(env, "A", "1");
	assert_string_equal(slurp("f.env"), "# head\nA=1 # tail\n\nB=two\r\njunk\nA=second");
	set_well(env, "B", "2");
	assert_string_equal(slurp("f.env"), "# head\nA=1 # tail\n\nB=2\r\njunk\nA=second");
	set_well(env, "C", "three");
	assert_string_equal(slurp("f.env"), "# head\nA=1 # tail\n\nB=2\r\njunk\nA=second\nC=three\n");
	set_well(env, "A", "");
	assert_no_value(env, "app", "A", ERR_NOT_FOUND, unknown);
	set_well(env, "A", "back");
	assert_string_equal(slurp("f.env"), "# head\nA=back # tail\n\nB=2\r\njunk\nA=second\nC=three\n");
	scratch_write("f.env", "A=x#tight\n");
	set_well(env, "A", "y");
	assert_string_equal(slurp("f.env"), "A=y #tight\n");
	assert_int_equal(access(scratch_path("f.env.tmp"), F_OK), -1);
	env_free(env);
}

static void file_refuses_what_would_not_come_back(void **state)
{
	struct env *env = file_env("f.env", "");
	struct err e = {0};

	(void)state;
	scratch_write("f.env", "A=one\n");
	assert_error(set(env, "A", "x\nB=injected", &e), &e, ERR_INVALID,
		"a value in an environment file cannot contain a line break");
	assert_error(set(env, "A", "x\rB", &e), &e, ERR_INVALID,
		"a value in an environment file cannot contain a line break");
	assert_error(set(env, "A", "x#y", &e), &e, ERR_INVALID,
		"a value in an environment file cannot contain '#', which begins a comment");
	assert_string_equal(slurp("f.env"), "A=one\n");
	env_free(env);
}

static void file_missing(void **state)
{
	struct env *env = file_env("deep/er/f.env", "");
	struct err e = {0};
	struct stat st;

	(void)state;
	assert_no_value(env, "app", "A", ERR_NOT_FOUND, unknown);
	assert_value(env, "app", "eq", "d");
	assert_int_equal(set(env, "A", "x", &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(access(scratch_path("deep"), F_OK), -1);
	env_free(env);

	umask(022);
	env = file_env("deep/er/f.env", ", auto_create: true, file_mode: 0600, dir_mode: 0o700");
	set_well(env, "A", "made");
	assert_string_equal(slurp("deep/er/f.env"), "A=made\n");
	assert_int_equal(stat(scratch_path("deep/er/f.env"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(scratch_path("deep/er"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(scratch_path("deep"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	env_free(env);
}

static void file_mode_survives_a_change(void **state)
{
	struct env *env = file_env("link.env", "");
	struct stat st;

	(void)state;
	scratch_write("real.env", "A=one\n");
	assert_int_equal(chmod(scratch_path("real.env"), 0600), 0);
	assert_int_equal(symlink("real.env", scratch_path("link.env")), 0);
	scratch_write("real.env.tmp", "left behind");
	set_well(env, "A", "two");
	assert_int_equal(lstat(scratch_path("link.env"), &st), 0);
	assert_true(S_ISLNK(st.st_mode)); /* the link is still one */
	assert_string_equal(slurp("real.env"), "A=two\n");
	assert_int_equal(stat(scratch_path("real.env"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600); /* not the 0644 of a new file */
	env_free(env);
}

static void file_that_is_none(void **state)
{
	struct env *env = file_env("f.env", ", auto_create: true");
	struct err e = {0};
	char *text = NULL;
	FILE *f;

	(void)state;
	assert_int_equal(mkfifo(scratch_path("f.env"), 0600), 0);
	assert_int_equal(env_lookup(env, "app", "A", &text, &e), -1); /* and does not hang */
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_non_null(strstr(e.text, "not a regular file"));
	assert_int_equal(set(env, "A", "x", &e), -1);
	assert_int_equal(unlink(scratch_path("f.env")), 0);

	f = fopen(scratch_path("f.env"), "w");
	assert_non_null(f);
	fputs("A=secret\n", f);
	assert_int_equal(ftruncate(fileno(f), ENV_FILE_BYTES_MAX + 1), 0);
	fclose(f);
	assert_int_equal(env_lookup(env, "app", "A", &text, &e), -1);
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_non_null(strstr(e.text, "larger than"));
	assert_null(strstr(e.text, "secret"));
	assert_int_equal(truncate(scratch_path("f.env"), ENV_FILE_BYTES_MAX), 0);
	assert_value(env, "app", "A", "secret");
	env_free(env);
}

static void file_error_stops_a_router(void **state)
{
	struct env *env = file_env("f.env", "");
	struct err e = {0};
	char *text = NULL;

	(void)state;
	storage(env, ENV_STORAGE_STATIC, "app:s", "values: {R: static}");
	storage(env, ENV_STORAGE_ROUTER, "app:r", "storages: ['app:f', 'app:s']");
	variable(env, "app:r_v", "{variable: R, storage: 'app:r', default: d}");
	assert_int_equal(mkdir(scratch_path("f.env"), 0755), 0);
	assert_int_equal(env_lookup(env, "app", "R", &text, &e), -1);
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_int_equal(rmdir(scratch_path("f.env")), 0);
	assert_value(env, "app", "R", "static"); /* no file: no key */
	env_free(env);
}

/* -- threads ----------------------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 300 };

struct shared {
	struct env *env;
	atomic_bool stop;
	atomic_int wrong;
};

static void *reader(void *arg)
{
	static const char *const names[] = {"M", "S", "F", "R", "NONE"};
	struct shared *s = arg;

	while (!atomic_load(&s->stop)) {
		for (size_t i = 0; i < ARRAY_LEN(names); i++) {
			struct err e = {0};
			char *text;

			if (env_lookup(s->env, "app", names[i], &text, &e) == 0) {
				if (strlen(text) != 64 || strspn(text, "ab") != 64 ||
					strspn(text, (char[]){text[0], 0}) != 64)
					atomic_fetch_add(&s->wrong, 1);
				env_text_free(text);
			} else if (e.kind != ERR_NOT_FOUND) {
				atomic_fetch_add(&s->wrong, 1);
			}
		}
		env_list_free(env_list(s->env));
	}
	return NULL;
}

static void *writer(void *arg)
{
	static const char *const names[] = {"M", "F", "R"};
	struct shared *s = arg;
	char text[65] = "";

	for (int round = 0; round < ROUNDS && !atomic_load(&s->stop); round++) {
		memset(text, round % 2 ? 'a' : 'b', 64);
		for (size_t i = 0; i < ARRAY_LEN(names); i++) {
			struct err e = {0};

			if (set(s->env, names[i], text, &e) < 0 && e.kind != ERR_NOT_FOUND)
				atomic_fetch_add(&s->wrong, 1);
		}
	}
	return NULL;
}

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void threads_read_while_entries_change(void **state)
{
	struct shared s = {.env = env_new()};
	pthread_t readers[THREADS], writers[2];
	char yaml[1024];

	(void)state;
	snprintf(yaml, sizeof(yaml), "{file_path: '%s', auto_create: true}", scratch_path("t.env"));
	storage(s.env, ENV_STORAGE_MEMORY, "app:m", "{}");
	storage(s.env, ENV_STORAGE_STATIC, "app:s", "values: {S: " A64 "}");
	storage(s.env, ENV_STORAGE_FILE, "app:f", yaml);
	storage(s.env, ENV_STORAGE_ROUTER, "app:r", "storages: ['app:m', 'app:s']");
	variable(s.env, "app:m_v", "{variable: M, storage: 'app:m'}");
	variable(s.env, "app:s_v", "{variable: S, storage: 'app:s'}");
	variable(s.env, "app:f_v", "{variable: F, storage: 'app:f', default: " B64 "}");
	variable(s.env, "app:r_v", "{variable: R, storage: 'app:r'}");
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, reader, &s), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, writer, &s), 0);
	for (int round = 0; round < ROUNDS; round++) {
		storage(s.env, ENV_STORAGE_STATIC, "app:s",
			round % 2 ? "values: {S: " A64 "}" : "values: {S: " B64 "}");
		storage(s.env, ENV_STORAGE_ROUTER, "app:r", "storages: ['app:m', 'app:s']");
		env_variable_remove(s.env, "app:m_v");
		variable(s.env, "app:m_v", "{variable: M, storage: 'app:m'}");
		env_storage_remove(s.env, "app:f");
		storage(s.env, ENV_STORAGE_FILE, "app:f", yaml);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(writers[i], NULL);
	atomic_store(&s.stop, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(readers[i], NULL);
	assert_int_equal(atomic_load(&s.wrong), 0);
	env_free(s.env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_resolved_in_order),
		cmocka_unit_test(empty_counts_as_unset),
		cmocka_unit_test(operating_system),
		cmocka_unit_test(memory_and_readonly),
		cmocka_unit_test(bad_variables_are_refused),
		cmocka_unit_test(bad_storages_are_refused),
		cmocka_unit_test(update_moves_the_name),
		cmocka_unit_test(router_asks_in_turn),
		cmocka_unit_test(router_circle_ends),
		cmocka_unit_test_setup_teardown(file_format, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(file_set_keeps_the_rest, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(file_refuses_what_would_not_come_back, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(file_missing, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(file_mode_survives_a_change, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(file_that_is_none, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(file_error_stops_a_router, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(threads_read_while_entries_change, scratch_setup, scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
