/* Where a secret field comes from, and what is refused without showing it. */
#include "env_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry/secret_read.h"
#include "scratch.h"

static struct env *env;

static int setup(void **state)
{
	env = env_new();
	storage(env, ENV_STORAGE_STATIC, "a:values", "{values: {PW: from the variable}}");
	variable(env, "a:pw", "{variable: PW, storage: 'a:values'}");
	return scratch_setup(state);
}

static int teardown(void **state)
{
	env_free(env);
	return scratch_teardown(state);
}

static struct secret *must_read(const char *yaml)
{
	struct entry *x = entry_make("a:x", yaml);
	struct secret *s = NULL;
	struct err e = {0};

	if (secret_read(env, x, x->data, "password", ENV_FIELD_INLINE_WINS, &s, &e) < 0)
		fail_msg("%s: %s", yaml, e.text);
	entry_unref(x);
	return s;
}

static void check(const char *yaml, const char *expected)
{
	struct secret *s = must_read(yaml);

	if (!expected)
		assert_null(s);
	else
		assert_string_equal(secret_reveal(s), expected);
	secret_free(s);
}

static void refused(const char *yaml, const char *words)
{
	struct entry *x = entry_make("a:x", yaml);
	struct secret *s = NULL;
	struct err e = {0};

	assert_int_equal(secret_read(env, x, x->data, "password", ENV_FIELD_INLINE_WINS, &s, &e), -1);
	if (!strstr(e.text, words))
		fail_msg("'%s' is not in '%s'", words, e.text);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_null(strstr(e.text, "horse"));
	assert_null(s);
	entry_unref(x);
}

static char *file(const char *content, mode_t mode)
{
	static char yaml[600];

	scratch_write("pw", content);
	assert_int_equal(chmod(scratch_path("pw"), mode), 0);
	snprintf(yaml, sizeof(yaml), "{password_file: %s}", scratch_path("pw"));
	return yaml;
}

static void inline_and_variable(void **state)
{
	(void)state;
	check("{password: right horse}", "right horse");
	check("{password_env: PW}", "from the variable");
	check("{password: right horse, password_env: PW}", "right horse");
	check("{}", NULL);
	check("{password: ''}", NULL);
	refused("{password: [right horse]}", "field 'password': expected string, got list");
}

static void files(void **state)
{
	(void)state;
	check(file("right horse\n", 0600), "right horse");
	check(file("right horse\r\n", 0600), "right horse");
	check(file("right horse", 0644), "right horse");
	check(file("right\nhorse\n\n", 0600), "right\nhorse\n");
	refused(file("", 0600), "field 'password_file': there is nothing in it");
	refused(file("\n", 0600), "there is nothing in it");
	refused("{password_file: /nowhere/horse}",
		"field 'password_file': the file it names cannot be opened: no such file");
	refused("{password_file: /tmp}", "no regular file");
	refused("{password_file: 7}", "expected a path, got integer");
}

static void sizes(void **state)
{
	size_t n = SECRET_BYTES_MAX + 2;
	char *big = xcalloc(1, n + 1);
	struct secret *s;

	(void)state;
	memset(big, 'x', n);
	big[n - 1] = '\n';
	refused(file(big, 0600), "more than 65536 bytes");
	big[n - 2] = '\n';
	big[n - 1] = '\0';
	s = must_read(file(big, 0600));
	assert_int_equal(secret_len(s), SECRET_BYTES_MAX);
	secret_free(s);
	free(big);
}

static void a_nul_byte(void **state)
{
	int fd;

	(void)state;
	file("", 0600);
	fd = open(scratch_path("pw"), O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "horse\0x", 7), 7);
	close(fd);
	{
		char yaml[600];

		snprintf(yaml, sizeof(yaml), "{password_file: %s}", scratch_path("pw"));
		refused(yaml, "there is a NUL byte in it");
	}
}

static void descriptors(void **state)
{
	int ends[2], late;
	char yaml[64];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "right horse\n", 12), 12);
	close(ends[1]);
	secret_fds_note();
	late = dup(ends[0]);
	snprintf(yaml, sizeof(yaml), "{password_fd: %d}", ends[0]);
	check(yaml, "right horse");
	/* It is closed, and known still. */
	assert_int_equal(fcntl(ends[0], F_GETFD), -1);
	check(yaml, "right horse");
	/* One of our own is none of the user's. */
	snprintf(yaml, sizeof(yaml), "{password_fd: %d}", late);
	refused(yaml, "was not started with descriptor");
	close(late);
	refused("{password_fd: 2}", "field 'password_fd': a descriptor is a number between 3 and 255");
	refused("{password_fd: 256}", "between 3 and 255");
	refused("{password_fd: 99}", "not started with descriptor 99");
	refused("{password_fd: x}", "expected a number, got string");
}

static void more_than_one_way(void **state)
{
	(void)state;
	refused("{password: right horse, password_file: /nowhere}", "field 'password' is given in more than one way");
	refused("{password_env: PW, password_fd: 3}", "more than one way");
	refused("{password_file: /nowhere, password_fd: 3}", "more than one way");
}

static void fills_a_tree(void **state)
{
	struct entry *x = entry_make("a:x", "{host: h, password_env: PW}"),
		     *y = entry_make("a:y", "{host: h, password: right horse}");
	struct value *data = value_ref(x->data);
	struct err e = {0};

	(void)state;
	assert_int_equal(secret_fill(env, x, &data, "password", &e), 0);
	assert_string_equal(value_get_string(value_get(data, "password"), NULL), "from the variable");
	assert_string_equal(value_get_string(value_get(data, "host"), NULL), "h");
	assert_null(value_get(x->data, "password"));
	secret_unfill(data, "password");
	/* What the entry holds itself is not touched. */
	data = value_ref(y->data);
	assert_int_equal(secret_fill(env, y, &data, "password", &e), 0);
	secret_unfill(data, "password");
	assert_string_equal(value_get_string(value_get(y->data, "password"), NULL), "right horse");
	entry_unref(x);
	entry_unref(y);
}

static void marked_variables(void **state)
{
	struct err e = {0};
	char *text, *hidden;

	(void)state;
	storage(env, ENV_STORAGE_STATIC, "a:more", "{values: {API_TOKEN: aaaaaa1, PLAIN: bbbbbb2, MARKED: cccccc3}}");
	variable(env, "a:v1", "{variable: API_TOKEN, storage: 'a:more'}");
	variable(env, "a:v2", "{variable: PLAIN, storage: 'a:more'}");
	variable(env, "a:v3", "{variable: MARKED, storage: 'a:more', secret: true}");
	for (const char *const *name = (const char *const[]){"API_TOKEN", "PLAIN", "MARKED", NULL}; *name; name++) {
		assert_int_equal(env_lookup(env, "a", *name, &text, &e), 0);
		env_text_free(text);
	}
	hidden = secret_hide("aaaaaa1 bbbbbb2 cccccc3");
	assert_string_equal(hidden, "[redacted] bbbbbb2 [redacted]");
	free(hidden);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(inline_and_variable, setup, teardown),
		cmocka_unit_test_setup_teardown(files, setup, teardown),
		cmocka_unit_test_setup_teardown(sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(a_nul_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(more_than_one_way, setup, teardown),
		cmocka_unit_test_setup_teardown(fills_a_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(marked_variables, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
