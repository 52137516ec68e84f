/*
 * Children: what they inherit, how they end, what becomes of those nobody wants any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "exec/child.h"

static struct loop *loop;
static struct exec_children *children;
static int exit_code;

static int setup(void **state)
{
	(void)state;
	loop = loop_new();
	children = exec_children_new(loop);
	exit_code = -2;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	exec_children_free(children);
	loop_free(loop);
	/* Nobody is left to wait for. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	return 0;
}

static struct exec_spawn spawn_of(const char *command)
{
	struct exec_spawn s = {0};
	struct value *env = value_map();
	struct err e;

	value_map_set(env, "PATH", value_cstring("/usr/bin:/bin"));
	assert_int_equal(exec_split(command, strlen(command), &s.argv, &e), 0);
	assert_int_equal(exec_environment(env, NULL, &s.env, &e), 0);
	value_unref(env);
	return s;
}

static void spawn_done(struct exec_spawn *s)
{
	for (int i = 0; i < 3; i++)
		if (s->fds[i] >= 0)
			close(s->fds[i]);
	exec_words_done(&s->argv);
	exec_words_done(&s->env);
}

static void ended(void *arg, int code)
{
	(void)arg;
	exit_code = code;
	loop_stop(loop);
}

/* Everything it writes; waits for the end of its output. */
static void read_all(int fd, struct buf *b)
{
	fcntl(fd, F_SETFL, 0);
	for (;;) {
		ssize_t n = read(fd, buf_reserve(b, 4096), 4096);

		assert_true(n >= 0);
		if (n == 0)
			return;
		buf_commit(b, (size_t)n);
	}
}

static void output_and_exit_code(void **state)
{
	struct exec_spawn s = spawn_of("sh -c 'echo out; echo $FOO; exit 7'");
	struct exec_child *ch;
	struct buf b = BUF_INIT;
	struct err e;

	(void)state;
	s.with_stdout = true;
	setenv("FOO", "from us", 1);
	assert_int_equal(exec_spawn(&s, &e), 0);
	unsetenv("FOO");
	ch = exec_child_new(children, &s);
	exec_child_on_end(ch, ended, NULL);
	read_all(s.fds[1], &b);
	assert_string_equal(buf_str(&b), "out\n\n");
	loop_run(loop);
	assert_int_equal(exit_code, 7);
	assert_int_equal(exec_child_exit_code(ch), 7);
	assert_false(exec_child_signal(ch, SIGTERM));
	/* Asking again, after the end. */
	exit_code = -2;
	exec_child_on_end(ch, ended, NULL);
	assert_int_equal(exit_code, -2);
	loop_run(loop);
	assert_int_equal(exit_code, 7);
	exec_child_drop(ch, false);
	buf_done(&b);
	spawn_done(&s);
}

static void what_it_leaves_is_killed(void **state)
{
	struct exec_spawn s = spawn_of("sh -c 'sleep 300 & exit 0'");
	struct exec_child *ch;
	struct buf b = BUF_INIT;
	struct err e;

	(void)state;
	s.with_stdout = true;
	assert_int_equal(exec_spawn(&s, &e), 0);
	ch = exec_child_new(children, &s);
	exec_child_on_end(ch, ended, NULL);
	loop_run(loop);
	assert_int_equal(exit_code, 0);
	read_all(s.fds[1], &b); /* would last as long as the sleeper holds its end */
	exec_child_drop(ch, false);
	buf_done(&b);
	spawn_done(&s);
}

static void dropped_ones_end(void **state)
{
	struct exec_spawn s = spawn_of("sleep 300");
	struct exec_child *ch;
	struct err e;

	(void)state;
	assert_int_equal(exec_spawn(&s, &e), 0);
	ch = exec_child_new(children, &s);
	exec_child_on_end(ch, ended, NULL);
	exec_child_drop(ch, false);
	spawn_done(&s);
	s = spawn_of("sleep 300");
	assert_int_equal(exec_spawn(&s, &e), 0);
	exec_child_drop(exec_child_new(children, &s), true);
	spawn_done(&s);
	/* teardown finds none left; nobody was told. */
	assert_int_equal(exit_code, -2);
}

static void stubborn_ones_are_killed_at_the_end(void **state)
{
	struct exec_spawn s = spawn_of("sh -c 'trap \"\" TERM; echo; while :; do sleep 1; done'");
	uint64_t began;
	struct err e;
	char c;

	(void)state;
	s.with_stdout = true;
	assert_int_equal(exec_spawn(&s, &e), 0);
	fcntl(s.fds[1], F_SETFL, 0);
	assert_int_equal(read(s.fds[1], &c, 1), 1);
	exec_child_drop(exec_child_new(children, &s), false);
	began = loop_clock_ns();
	exec_children_free(children);
	assert_true(loop_clock_ns() - began >= (uint64_t)EXEC_KILL_AT_END_MS * 1000000);
	children = exec_children_new(loop);
	spawn_done(&s);
}

static void programs_that_do_not_start(void **state)
{
	static const struct {
		const char *command, *dir;
		enum err_kind kind;
	} cases[] = {
		{"no_such_program_here", NULL, ERR_NOT_FOUND},
		{"/etc/passwd", NULL, ERR_PERMISSION_DENIED},
		{"/none/of/it", NULL, ERR_NOT_FOUND},
		{"true", "/none", ERR_NOT_FOUND},
		{"true", "/etc/passwd", ERR_INTERNAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exec_spawn s = spawn_of(cases[i].command);
		struct err e;

		s.work_dir = cases[i].dir;
		s.with_stdin = s.with_stdout = s.with_stderr = true;
		assert_int_equal(exec_spawn(&s, &e), -1);
		assert_int_equal(e.kind, cases[i].kind);
		for (int j = 0; j < 3; j++)
			assert_int_equal(s.fds[j], -1);
		spawn_done(&s);
	}
}

static void undone(void **state)
{
	struct exec_spawn s = spawn_of("sleep 300");
	struct err e;

	(void)state;
	s.with_stdin = true;
	assert_int_equal(exec_spawn(&s, &e), 0);
	exec_spawn_undo(&s);
	spawn_done(&s);
}

static void words(void **state)
{
	static const struct {
		const char *line;
		const char *want[6];
	} cases[] = {
		{"a", {"a"}},
		{"  a \t b\nc ", {"a", "b", "c"}},
		{"a 'b c' \"d 'e'\"", {"a", "b c", "d 'e'"}},
		{"a x'y z'w", {"a", "xy zw"}},
		{"a '' \"\"", {"a", "", ""}},
		{"a b\\ c", {"a", "b\\", "c"}},
	};
	static const char *const bad[] = {"", " ", "''", "'a", "a \"b", "a 'b\""};
	struct exec_words w;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = 0;

		assert_int_equal(exec_split(cases[i].line, strlen(cases[i].line), &w, &e), 0);
		for (; cases[i].want[n]; n++)
			assert_string_equal(w.items[n], cases[i].want[n]);
		assert_int_equal(w.count, n);
		assert_null(w.items[n]);
		exec_words_done(&w);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(exec_split(bad[i], strlen(bad[i]), &w, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
	}
	assert_int_equal(exec_split("a\0b", 3, &w, &e), -1);
}

static void environments(void **state)
{
	struct value *base = value_map(), *over = value_map();
	struct exec_words w;
	struct err e;

	(void)state;
	value_map_set(base, "A", value_cstring("a"));
	value_map_set(base, "B", value_cstring("b"));
	value_map_set(over, "B", value_int(2));
	value_map_set(over, "C", value_bool(true));
	assert_int_equal(exec_environment(base, over, &w, &e), 0);
	assert_int_equal(w.count, 3);
	assert_string_equal(w.items[0], "A=a");
	assert_string_equal(w.items[1], "B=2");
	assert_string_equal(w.items[2], "C=true");
	exec_words_done(&w);
	assert_int_equal(exec_environment(NULL, NULL, &w, &e), 0);
	assert_int_equal(w.count, 0);
	assert_null(w.items[0]);
	exec_words_done(&w);
	value_map_set(over, "S", value_string("secret\0x", 8));
	assert_int_equal(exec_environment(base, over, &w, &e), -1);
	assert_null(strstr(e.text, "secret"));
	value_map_remove(over, "S");
	value_map_set(over, "A=B", value_cstring("x"));
	assert_int_equal(exec_environment(base, over, &w, &e), -1);
	value_unref(base);
	value_unref(over);
}

static void whitelists(void **state)
{
	struct value *list = value_list();
	struct exec_native *n;

	(void)state;
	value_list_append(list, value_cstring("echo one"));
	n = exec_native_new(NULL, NULL, list);
	assert_true(exec_native_allows(n, "echo one", 8));
	assert_false(exec_native_allows(n, "echo one ", 9));
	assert_false(exec_native_allows(n, "echo", 4));
	exec_native_unref(n);
	n = exec_native_new("/", NULL, NULL);
	assert_true(exec_native_allows(n, "anything", 8));
	exec_native_unref(n);
	n = exec_native_new(NULL, NULL, value_list());
	assert_false(exec_native_allows(n, "anything", 8));
	exec_native_unref(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(output_and_exit_code, setup, teardown),
		cmocka_unit_test_setup_teardown(what_it_leaves_is_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(dropped_ones_end, setup, teardown),
		cmocka_unit_test_setup_teardown(stubborn_ones_are_killed_at_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(programs_that_do_not_start, setup, teardown),
		cmocka_unit_test_setup_teardown(undone, setup, teardown),
		cmocka_unit_test(words),
		cmocka_unit_test(environments),
		cmocka_unit_test(whitelists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
