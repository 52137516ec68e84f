/*
 * spawn.c - starting a program: find it, make its pipes, posix_spawn(3) it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "exec/child.h"
#include "exec/private.h"

atomic_int exec_nchildren;

static int fail(struct err *e, int errnum, const char *what)
{
	enum err_kind kind = ERR_INTERNAL;

	switch (errnum) {
	case ENOENT:
		kind = ERR_NOT_FOUND;
		break;
	case EACCES:
	case EPERM:
		kind = ERR_PERMISSION_DENIED;
		break;
	case EMFILE:
	case ENFILE:
	case EAGAIN:
	case ENOMEM:
		err_set_errno(e, ERR_UNAVAILABLE, errnum, "%.256s", what);
		return err_retryable(e);
	default:
		break;
	}
	return err_set_errno(e, kind, errnum, "%.256s", what);
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* A folder of PATH that is not absolute would mean another one in the program's working directory: it is left out. */
static char *find_program(const char *name)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/'))
		return xstrdup(name);
	for (const char *p = path ? path : "/usr/local/bin:/usr/bin:/bin"; *p;) {
		size_t n = strcspn(p, ":");

		if (p[0] == '/') {
			char *full = xasprintf("%.*s/%s", (int)n, p, name);

			if (is_program(full))
				return full;
			free(full);
		}
		p += n + (p[n] == ':');
	}
	return NULL;
}

/* theirs[] for the program, s->fds[] for us. */
static int make_pipes(struct exec_spawn *s, int theirs[3], struct err *e)
{
	const bool wanted[3] = {s->with_stdin, s->with_stdout, s->with_stderr};

	for (int i = 0; i < 3; i++) {
		int ends[2];

		if (!wanted[i]) {
			theirs[i] = open("/dev/null", (i == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
			if (theirs[i] < 0)
				return fail(e, errno, "/dev/null");
			continue;
		}
		if (pipe2(ends, O_CLOEXEC) < 0)
			return fail(e, errno, "pipe");
		theirs[i] = i == 0 ? ends[0] : ends[1];
		s->fds[i] = i == 0 ? ends[1] : ends[0];
		if (fcntl(s->fds[i], F_SETFL, O_NONBLOCK) < 0)
			return fail(e, errno, "pipe");
	}
	/* dup2() of a descriptor onto itself would leave it close-on-exec. */
	for (int i = 0; i < 3; i++) {
		int fd = theirs[i];

		if (fd > 2)
			continue;
		theirs[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		close(fd);
		if (theirs[i] < 0)
			return fail(e, errno, "pipe");
	}
	return 0;
}

static void close_all(int fds[3])
{
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

static int start(struct exec_spawn *s, const char *program, const int theirs[3])
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc = 0;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	for (int i = 0; i < 3 && rc == 0; i++)
		rc = posix_spawn_file_actions_adddup2(&actions, theirs[i], i);
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	if (rc == 0 && s->work_dir)
		rc = posix_spawn_file_actions_addchdir_np(&actions, s->work_dir);
	if (rc == 0)
		rc = posix_spawn(&s->pid, program, &actions, &attr, s->argv.items, s->env.items);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return rc;
}

static int check_work_dir(const char *dir, struct err *e)
{
	struct stat st;

	if (!dir)
		return 0;
	if (stat(dir, &st) < 0)
		return fail(e, errno, dir);
	return S_ISDIR(st.st_mode) ? 0 : fail(e, ENOTDIR, dir);
}

int exec_spawn(struct exec_spawn *s, struct err *e)
{
	int theirs[3] = {-1, -1, -1};
	char *program = NULL;
	int rc = -1, errnum;

	s->pid = -1;
	s->pidfd = s->fds[0] = s->fds[1] = s->fds[2] = -1;
	if (atomic_fetch_add(&exec_nchildren, 1) >= EXEC_CHILDREN_MAX) {
		err_set(e, ERR_UNAVAILABLE, "%d programs run already; wait until some have ended", EXEC_CHILDREN_MAX);
		err_retryable(e);
		goto out;
	}
	program = find_program(s->argv.items[0]);
	if (!program) {
		err_set(e, ERR_NOT_FOUND, "program '%.128s' is not in a folder of PATH", s->argv.items[0]);
		goto out;
	}
	if (check_work_dir(s->work_dir, e) < 0 || make_pipes(s, theirs, e) < 0)
		goto out;
	errnum = start(s, program, theirs);
	if (errnum) {
		fail(e, errnum, s->argv.items[0]);
		goto out;
	}
	s->pidfd = pidfd_open(s->pid, 0);
	if (s->pidfd < 0) {
		fail(e, errno, "watching the program");
		exec_spawn_undo(s);
		close_all(theirs);
		free(program);
		return -1;
	}
	rc = 0;
out:
	close_all(theirs);
	free(program);
	if (rc < 0) {
		close_all(s->fds);
		atomic_fetch_sub(&exec_nchildren, 1);
	}
	return rc;
}

void exec_spawn_undo(struct exec_spawn *s)
{
	kill(-s->pid, SIGKILL);
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (s->pidfd >= 0)
		close(s->pidfd);
	s->pidfd = -1;
	close_all(s->fds);
	atomic_fetch_sub(&exec_nchildren, 1);
}
