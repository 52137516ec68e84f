/*
 * spawn.c - posix_spawn(3) for the sidecar, and the thread that sees to its end.
 */
#include "overlay/tailscale/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"

enum { IN, OUT, ERR, SOCKS, INLET, NFDS };

/* No key and no proxy: those of the environment are not for overlays. */
static const char *const passed_on[] = {"PATH", "HOME", "TMPDIR", "TZ", "XDG_CONFIG_HOME", "SSL_CERT_FILE",
	"SSL_CERT_DIR", "GOMEMLIMIT", "GOMAXPROCS", "GOTRACEBACK"};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void sidecar_child_close(struct sidecar_child *c)
{
	close_fd(&c->pidfd);
	close_fd(&c->in);
	close_fd(&c->out);
	close_fd(&c->err);
	close_fd(&c->inlet);
	c->pid = -1;
}

static bool set_nonblocking(int fd)
{
	return fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

/* theirs[] are high enough not to be overwritten while they are put in place. */
static bool lift(int theirs[NFDS])
{
	for (int i = 0; i < NFDS; i++) {
		int fd = fcntl(theirs[i], F_DUPFD_CLOEXEC, NFDS);

		if (fd < 0)
			return false;
		close(theirs[i]);
		theirs[i] = fd;
	}
	return true;
}

static bool make_ends(struct sidecar_child *c, int socks_fd, int theirs[NFDS])
{
	int in[2], out[2], err[2], inlet[2];

	if (pipe2(in, O_CLOEXEC) < 0)
		return false;
	theirs[IN] = in[0];
	c->in = in[1];
	if (pipe2(out, O_CLOEXEC) < 0)
		return false;
	theirs[OUT] = out[1];
	c->out = out[0];
	if (pipe2(err, O_CLOEXEC) < 0)
		return false;
	theirs[ERR] = err[1];
	c->err = err[0];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, inlet) < 0)
		return false;
	theirs[INLET] = inlet[1];
	c->inlet = inlet[0];
	theirs[SOCKS] = fcntl(socks_fd, F_DUPFD_CLOEXEC, NFDS);
	return theirs[SOCKS] >= 0 && set_nonblocking(c->in) && set_nonblocking(c->out) && set_nonblocking(c->err) &&
	       set_nonblocking(c->inlet) && lift(theirs);
}

static int spawn(pid_t *ret_pid, const char *program, const int theirs[NFDS])
{
	char *argv[] = {(char *)"wippy-tsnet", NULL}, *env[sizeof(passed_on) / sizeof(passed_on[0]) + 1];
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	size_t nenv = 0;
	int rc = 0;

	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++) {
		const char *value = getenv(passed_on[i]);

		if (value)
			env[nenv++] = xasprintf("%s=%s", passed_on[i], value);
	}
	env[nenv] = NULL;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setpgroup(&attr, 0); /* Ctrl-C on a terminal is for us: we end it in order */
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	for (int i = 0; i < NFDS && rc == 0; i++)
		rc = posix_spawn_file_actions_adddup2(&actions, theirs[i], i);
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(&actions, NFDS);
	if (rc == 0)
		rc = posix_spawn(ret_pid, program, &actions, &attr, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	for (size_t i = 0; i < nenv; i++)
		free(env[i]);
	return rc;
}

int sidecar_child_start(struct sidecar_child *c, const char *program, int socks_fd, struct err *e)
{
	int theirs[NFDS] = {-1, -1, -1, -1, -1};
	int rc;

	*c = (struct sidecar_child){.pid = -1, .pidfd = -1, .in = -1, .out = -1, .err = -1, .inlet = -1};
	rc = make_ends(c, socks_fd, theirs) ? spawn(&c->pid, program, theirs) : errno;
	for (int i = 0; i < NFDS; i++)
		close_fd(&theirs[i]);
	if (rc == 0) {
		c->pidfd = pidfd_open(c->pid, 0);
		if (c->pidfd >= 0)
			return 0;
		rc = errno;
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	sidecar_child_close(c);
	return err_set_errno(e, ERR_UNAVAILABLE, rc, "the sidecar '%.256s' cannot be started", program);
}

/* -- the end ------------------------------------------------------------------------------------------ */

struct ending {
	struct sidecar_child child;
	int ms;
};

static void *see_to_the_end(void *arg)
{
	struct ending *end = arg;
	struct pollfd p = {.fd = end->child.pidfd, .events = POLLIN};

	/* A signal in between only makes the wait shorter, and signals are blocked here. */
	if (poll(&p, 1, end->ms) <= 0)
		kill(end->child.pid, SIGKILL);
	while (waitpid(end->child.pid, NULL, 0) < 0 && errno == EINTR)
		;
	sidecar_child_close(&end->child);
	free(end);
	return NULL;
}

void sidecar_child_release(struct sidecar_child *c, int ms)
{
	struct ending *end = xcalloc(1, sizeof(*end));
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	close_fd(&c->in);
	/* Nobody reads what it still says. */
	close_fd(&c->out);
	close_fd(&c->err);
	close_fd(&c->inlet);
	end->child = *c;
	end->ms = ms;
	*c = (struct sidecar_child){.pid = -1, .pidfd = -1, .in = -1, .out = -1, .err = -1, .inlet = -1};
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attr, see_to_the_end, end);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		end->ms = 0;
		see_to_the_end(end);
	}
}
