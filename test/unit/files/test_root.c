/*
 * Folders: what may be reached beneath them, by both ways of walking, and what their mode allows.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "files/path.h"
#include "files/root.h"
#include "files/walk.h"

static char top[] = "/tmp/wippy_files_XXXXXX";
static char path_of[4096];

static const char *at(const char *rel)
{
	snprintf(path_of, sizeof(path_of), "%s/%s", top, rel);
	return path_of;
}

static void put(const char *rel, const char *text)
{
	FILE *f = fopen(at(rel), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(top));
	assert_int_equal(mkdir(at("dir"), 0755), 0);
	assert_int_equal(mkdir(at("dir/sub"), 0755), 0);
	assert_int_equal(mkdir(at("outside"), 0755), 0);
	put("outside/secret", "secret");
	put("dir/file", "inside");
	put("dir/sub/deep", "deep");
	assert_int_equal(symlink("../outside/secret", at("dir/out")), 0);
	assert_int_equal(symlink("/etc/passwd", at("dir/abs")), 0);
	assert_int_equal(symlink("../outside", at("dir/out_dir")), 0);
	assert_int_equal(symlink("sub/deep", at("dir/in")), 0);
	assert_int_equal(symlink("sub", at("dir/in_dir")), 0);
	assert_int_equal(symlink("/proc/self/cwd", at("dir/magic")), 0);
	assert_int_equal(symlink("../outside/new", at("dir/dangling")), 0);
	assert_int_equal(mkfifo(at("dir/fifo"), 0644), 0);
	return 0;
}

static int teardown(void **state)
{
	char cmd[64];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", top);
	return system(cmd);
}

/* -- paths ------------------------------------------------------------------------------------------ */

static void paths_are_made_clean(void **state)
{
	static const struct {
		const char *place, *path, *want;
	} cases[] = {
		{".", "/", "."},
		{".", ".", "."},
		{".", "a", "a"},
		{".", "/a/b/", "a/b"},
		{".", "a//b/./c", "a/b/c"},
		{"p/q", "a", "p/q/a"},
		{"p/q", "/a", "a"},
		{"p/q", "..", "p"},
		{"p/q", "../..", "."},
		{"p/q", "../../a/../b", "b"},
		{".", "...", "..."},
		{".", "..a/.b", "..a/.b"},
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *got = NULL;

		assert_int_equal(files_path_clean(cases[i].place, cases[i].path, strlen(cases[i].path), &got, &e), 0);
		assert_string_equal(got, cases[i].want);
		free(got);
	}
}

static void paths_that_are_refused(void **state)
{
	static const char *const cases[] = {"", "..", "/..", "a/../..", "../../a", "/../a"};
	char long_name[FILES_NAME_BYTES_MAX + 2], long_path[FILES_PATH_BYTES_MAX + 2], *got = NULL;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(files_path_clean(".", cases[i], strlen(cases[i]), &got, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
	}
	assert_int_equal(files_path_clean(".", "a\0b", 3, &got, &e), -1);
	assert_string_equal(e.text, "invalid path: path contains null byte");
	assert_int_equal(files_path_clean("p", "../..", 5, &got, &e), -1);
	memset(long_name, 'n', sizeof(long_name));
	assert_int_equal(files_path_clean(".", long_name, FILES_NAME_BYTES_MAX + 1, &got, &e), -1);
	assert_int_equal(files_path_clean(".", long_name, FILES_NAME_BYTES_MAX, &got, &e), 0);
	free(got);
	for (size_t i = 0; i < sizeof(long_path); i++)
		long_path[i] = i % 2 ? '/' : 'd';
	assert_int_equal(files_path_clean(".", long_path, FILES_PATH_BYTES_MAX + 1, &got, &e), -1);
	assert_int_equal(files_path_clean("some/place/in/it", long_path, FILES_PATH_BYTES_MAX, &got, &e), -1);
}

/* -- walking ---------------------------------------------------------------------------------------- */

typedef int walk_fn(int root, const char *path, int flags, mode_t mode);

static void check_walk(walk_fn *walk, bool follows_inside)
{
	static const char *const never[] = {
		"out", "abs", "out_dir", "out_dir/secret", "magic", "magic/tmp", "dangling", ".."};
	static const int flags[] = {O_RDONLY, O_PATH, O_WRONLY | O_CREAT, O_RDONLY | O_DIRECTORY, O_PATH | O_DIRECTORY};
	int root = open(at("dir"), O_PATH | O_DIRECTORY), fd;

	assert_true(root >= 0);
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		for (size_t j = 0; j < sizeof(flags) / sizeof(flags[0]); j++) {
			if (strcmp(never[i], "..") == 0 && walk == files_walk_parts)
				continue; /* clean paths have none: nothing to walk */
			fd = walk(root, never[i], flags[j], 0644);
			if (fd >= 0)
				fail_msg("%s with flags %o", never[i], (unsigned)flags[j]);
		}
	}
	assert_int_equal(access(at("outside/new"), F_OK), -1);
	fd = walk(root, "sub/deep", O_RDONLY, 0);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	fd = walk(root, ".", O_RDONLY | O_DIRECTORY, 0);
	assert_true(fd >= 0);
	close(fd);
	fd = walk(root, "in_dir/deep", O_RDONLY, 0);
	assert_int_equal(fd >= 0, follows_inside);
	if (fd >= 0)
		close(fd);
	/* Opening what nobody writes to does not wait. */
	fd = walk(root, "fifo", O_RDONLY, 0);
	assert_true(fd >= 0);
	close(fd);
	close(root);
}

static void walk_by_the_kernel(void **state)
{
	(void)state;
	if (files_walk_beneath(AT_FDCWD, ".", O_PATH, 0) < 0 && errno == ENOSYS)
		skip();
	check_walk(files_walk_beneath, true);
}

static void walk_part_by_part(void **state)
{
	(void)state;
	check_walk(files_walk_parts, false);
}

/* -- folders ---------------------------------------------------------------------------------------- */

static struct files_root *open_root(unsigned mode)
{
	struct files_root_config cfg = {.path = at("dir"), .mode = mode};
	struct files_root *r = NULL;
	struct err e;

	assert_int_equal(files_root_open(&cfg, &r, &e), 0);
	return r;
}

static void write_read_and_append(void **state)
{
	struct files_root *r = open_root(0755);
	struct files_file *f;
	struct buf b = BUF_INIT;
	struct err e;
	int64_t pos;

	(void)state;
	assert_int_equal(files_open(r, "new", FILES_WRITE_NEW, &f, &e), 0);
	assert_int_equal(files_file_write(f, "abc", 3, &e), 0);
	assert_int_equal(files_file_sync(f, &e), 0);
	files_file_unref(f);
	assert_int_equal(files_open(r, "new", FILES_WRITE_NEW, &f, &e), -1);
	assert_int_equal(e.kind, ERR_ALREADY_EXISTS);
	assert_int_equal(files_open(r, "new", FILES_APPEND, &f, &e), 0);
	assert_int_equal(files_file_write(f, "def", 3, &e), 0);
	files_file_unref(f);
	assert_int_equal(files_open(r, "new", FILES_READ, &f, &e), 0);
	assert_int_equal(files_file_seek(f, SEEK_SET, 2, &pos, &e), 0);
	assert_int_equal(files_file_read_all(f, 100, &b, &e), 0);
	assert_string_equal(buf_str(&b), "cdef");
	buf_clear(&b);
	assert_int_equal(files_file_seek(f, SEEK_SET, 0, &pos, &e), 0);
	assert_int_equal(files_file_read_all(f, 5, &b, &e), -1);
	assert_int_equal(files_file_seek(f, SEEK_SET, -1, &pos, &e), -1);
	assert_int_equal(e.kind, ERR_INTERNAL);
	files_file_unref(f);
	assert_int_equal(files_remove(r, "new", &e), 0);
	buf_done(&b);
	files_root_unref(r);
}

static void only_plain_files(void **state)
{
	struct files_root *r = open_root(0755);
	struct files_file *f;
	struct err e;

	(void)state;
	for (enum files_how how = FILES_READ; how <= FILES_APPEND; how++) {
		assert_int_equal(files_open(r, "fifo", how, &f, &e), -1);
		assert_int_equal(files_open(r, "sub", how, &f, &e), -1);
	}
	assert_int_equal(files_open(r, "out", FILES_READ, &f, &e), -1);
	assert_int_equal(e.kind, ERR_PERMISSION_DENIED);
	files_root_unref(r);
}

/* What the two ways of opening say of a path; the one that must not wait may also not know. */
static void opens_as(struct files_root *r, const char *path, enum err_kind want, bool is_dir, int64_t size)
{
	for (int now = 0; now < 2; now++) {
		struct files_stat st;
		struct err e = {.kind = ERR_UNKNOWN};
		char got[64];
		int fd = (now ? files_open_fd_now : files_open_fd)(r, path, &st, &e);

		if (fd < 0 && now && e.kind == ERR_UNAVAILABLE)
			continue;
		assert_int_equal(e.kind, want);
		assert_int_equal(fd >= 0, want == ERR_UNKNOWN);
		if (fd < 0)
			continue;
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		assert_int_equal(st.is_dir, is_dir);
		assert_string_equal(st.name, files_path_name(path));
		if (!is_dir) {
			assert_int_equal(st.size, size);
			assert_int_equal(read(fd, got, sizeof(got)), size);
		}
		close(fd);
	}
}

static void open_and_look_in_one_step(void **state)
{
	struct files_root *r = open_root(0755);

	(void)state;
	opens_as(r, "file", ERR_UNKNOWN, false, 6);
	opens_as(r, "sub/deep", ERR_UNKNOWN, false, 4);
	opens_as(r, "in", ERR_UNKNOWN, false, 4);
	opens_as(r, "sub", ERR_UNKNOWN, true, 0);
	opens_as(r, ".", ERR_UNKNOWN, true, 0);
	opens_as(r, "none", ERR_NOT_FOUND, false, 0);
	opens_as(r, "fifo", ERR_INVALID, false, 0);
	opens_as(r, "file/x", ERR_INVALID, false, 0);
	opens_as(r, "out", ERR_PERMISSION_DENIED, false, 0);
	opens_as(r, "abs", ERR_PERMISSION_DENIED, false, 0);
	opens_as(r, "out_dir/secret", ERR_PERMISSION_DENIED, false, 0);
	opens_as(r, "magic", ERR_PERMISSION_DENIED, false, 0);
	files_root_unref(r);
	r = open_root(0200);
	opens_as(r, "file", ERR_PERMISSION_DENIED, false, 0);
	files_root_unref(r);
}

/* What was opened a moment ago is in the kernel's memory. */
static void opening_without_waiting(void **state)
{
	int dir = open(at("dir"), O_PATH | O_DIRECTORY | O_CLOEXEC), fd = files_walk(dir, "sub/deep", O_RDONLY, 0);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	fd = files_walk_cached(dir, "sub/deep", O_RDONLY);
	if (fd < 0) {
		assert_int_equal(errno, EAGAIN); /* an old kernel */
		close(dir);
		skip();
	}
	close(fd);
	assert_int_equal(files_walk_cached(dir, "out_dir/secret", O_RDONLY), -1);
	assert_int_equal(files_walk_cached(dir, "magic", O_RDONLY), -1);
	close(dir);
}

/* What is mounted below may be a file system that asks a server, already when it opens. */
static void what_is_mounted_below_is_not_opened_at_once(void **state)
{
	struct files_root *r;
	struct files_stat st;
	struct err e;
	int dir, fd;

	(void)state;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		skip();
	assert_int_equal(mkdir(at("dir/below"), 0755), 0);
	if (mount("none", at("dir/below"), "tmpfs", 0, NULL) < 0) {
		assert_int_equal(rmdir(at("dir/below")), 0);
		skip();
	}
	put("dir/below/file", "there");
	r = open_root(0755);
	fd = files_open_fd(r, "below/file", &st, &e);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(files_open_fd_now(r, "below/file", &st, &e), -1);
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	files_root_unref(r);
	dir = open(at("dir"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(files_walk_cached(dir, "below/file", O_RDONLY), -1);
	close(dir);
	assert_int_equal(umount2(at("dir/below"), MNT_DETACH), 0);
	assert_int_equal(rmdir(at("dir/below")), 0);
}

static void folders_are_made_and_removed(void **state)
{
	struct files_root *r = open_root(0755);
	struct files_stat st;
	struct err e;

	(void)state;
	assert_int_equal(files_mkdir(r, "d", &e), 0);
	assert_int_equal(files_mkdir(r, "d", &e), -1);
	assert_int_equal(e.kind, ERR_ALREADY_EXISTS);
	assert_int_equal(files_mkdir(r, ".", &e), -1);
	assert_int_equal(files_mkdir(r, "out_dir/d", &e), -1);
	assert_int_equal(e.kind, ERR_PERMISSION_DENIED);
	assert_int_equal(files_stat(r, "d", &st, &e), 0);
	assert_true(st.is_dir);
	assert_string_equal(st.name, "d");
	assert_int_equal(files_remove(r, "sub", &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_int_equal(files_remove(r, "d", &e), 0);
	assert_int_equal(files_remove(r, "d", &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(files_remove(r, ".", &e), -1);
	assert_int_equal(files_remove(r, "out_dir/secret", &e), -1);
	assert_int_equal(access(at("outside/secret"), F_OK), 0);
	files_root_unref(r);
}

static void listing_in_batches(void **state)
{
	struct files_root *r = open_root(0755);
	struct files_list *l;
	struct buf b = BUF_INIT;
	struct err e;
	unsigned n = 0;
	int rc;

	(void)state;
	assert_int_equal(files_list_open(r, "file", &l, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(files_list_open(r, ".", &l, &e), 0);
	do {
		unsigned here = 0;

		buf_clear(&b);
		rc = files_list_next(l, 3, &b, &e);
		assert_true(rc >= 0);
		for (const char *s = buf_data(&b); s < buf_data(&b) + buf_len(&b); s += strlen(s) + 1) {
			assert_int_equal(s[0], strcmp(s + 1, "sub") == 0 ? 'd' : 'f');
			here++;
		}
		assert_true(here <= 3);
		n += here;
	} while (rc > 0);
	assert_int_equal(n, 10);
	files_list_free(l);
	buf_done(&b);
	files_root_unref(r);
}

static void the_mode_gates(void **state)
{
	struct files_root *r = open_root(0400);
	struct files_list *l;
	struct files_file *f;
	struct files_stat st;
	struct err e;

	(void)state;
	assert_int_equal(files_stat(r, "file", &st, &e), 0);
	assert_int_equal(files_list_open(r, ".", &l, &e), -1);
	assert_int_equal(files_open(r, "file", FILES_WRITE, &f, &e), -1);
	assert_int_equal(e.kind, ERR_PERMISSION_DENIED);
	assert_int_equal(files_mkdir(r, "d", &e), -1);
	assert_int_equal(files_remove(r, "file", &e), -1);
	files_root_unref(r);
	r = open_root(0200);
	assert_int_equal(files_stat(r, "file", &st, &e), -1);
	assert_int_equal(files_open(r, "file", FILES_READ, &f, &e), -1);
	assert_int_equal(files_mkdir(r, "d", &e), -1);
	assert_int_equal(files_open(r, "mode", FILES_WRITE, &f, &e), 0);
	files_file_unref(f);
	assert_int_equal(files_remove(r, "mode", &e), 0);
	files_root_unref(r);
}

static void modes_of_what_is_made(void **state)
{
	struct files_root *r = open_root(0700);
	struct files_file *f;
	struct files_stat st;
	struct err e;

	(void)state;
	assert_int_equal(files_open(r, "m", FILES_WRITE, &f, &e), 0);
	assert_int_equal(files_file_stat(f, &st, &e), 0);
	assert_int_equal(st.mode, 0600);
	files_file_unref(f);
	assert_int_equal(files_remove(r, "m", &e), 0);
	files_root_unref(r);
}

static void modes_are_read(void **state)
{
	static const struct {
		const char *text;
		int want; /* -1: refused */
	} cases[] = {{"0755", 0755}, {"755", 0755}, {"0o700", 0700}, {"0644", 0755}, {"0444", 0555}, {"0600", 0600},
		{"0", 0}, {"", -1}, {"0o", -1}, {"0888", -1}, {"rwx", -1}, {"1777", -1}, {"-1", -1}, {"0755 ", -1},
		{"00000000755", -1}};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned mode = 0;
		int rc = files_mode_parse(cases[i].text, &mode, &e);

		assert_int_equal(rc < 0 ? -1 : (int)mode, cases[i].want);
	}
}

static void missing_folders(void **state)
{
	struct files_root_config cfg = {.path = at("made/a/b"), .mode = 0755};
	struct files_root *r = NULL;
	struct err e;

	(void)state;
	assert_int_equal(files_root_open(&cfg, &r, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	cfg.auto_init = true;
	assert_int_equal(files_root_open(&cfg, &r, &e), 0);
	files_root_unref(r);
	assert_int_equal(files_root_open(&cfg, &r, &e), 0);
	files_root_unref(r);
	cfg.path = at("dir/file");
	assert_int_equal(files_root_open(&cfg, &r, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_made_clean),
		cmocka_unit_test(paths_that_are_refused),
		cmocka_unit_test(walk_by_the_kernel),
		cmocka_unit_test(walk_part_by_part),
		cmocka_unit_test(write_read_and_append),
		cmocka_unit_test(only_plain_files),
		cmocka_unit_test(open_and_look_in_one_step),
		cmocka_unit_test(opening_without_waiting),
		cmocka_unit_test(what_is_mounted_below_is_not_opened_at_once),
		cmocka_unit_test(folders_are_made_and_removed),
		cmocka_unit_test(listing_in_batches),
		cmocka_unit_test(the_mode_gates),
		cmocka_unit_test(modes_of_what_is_made),
		cmocka_unit_test(modes_are_read),
		cmocka_unit_test(missing_folders),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
