/*
 * scripted_sidecar.h - the program wippy-tsnet, played on the test's own loop.
 *
 * The child that the driver starts is the test's own program under the sidecar's name: it hands its five descriptors to the test and waits to be told how to end. So the
 * sidecar's clock is the test's, and it dies when the script says so.
 */
#ifndef SCRIPTED_SIDECAR_H
#define SCRIPTED_SIDECAR_H

#include <spawn.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "socks_peer.h"
#include "value/json.h"

enum { NFDS = 5, LISTENS_MAX = 16, KEY_LEN = 33 };

/* -- the child ------------------------------------------------------------------------------------------ */

static int pass_on(int to, const int fds[NFDS])
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(NFDS * sizeof(int))];
	} control = {0};
	pid_t pid = getpid();
	struct iovec v = {.iov_base = &pid, .iov_len = sizeof(pid)};
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(NFDS * sizeof(int));
	memcpy(CMSG_DATA(c), fds, NFDS * sizeof(int));
	return sendmsg(to, &m, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static int child_main(void)
{
	static const int fds[NFDS] = {0, 1, 2, 3, 4};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	unsigned char how = 0;

	for (int i = NFDS; i < 64; i++) {
		if (i != fd && fcntl(i, F_GETFD) >= 0)
			_exit(11); /* a descriptor leaked into us */
	}
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/stage", getenv("TMPDIR"));
	if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0 || pass_on(fd, fds) < 0)
		_exit(12);
	for (int i = 0; i < NFDS; i++)
		close(i);
	/* The end of the test is ours, too. */
	_exit(recv(fd, &how, 1, 0) == 1 ? how : 0);
}

/* -- the stage, where children arrive --------------------------------------------------------------------- */

/* One child, played by the connection that has its descriptors 0 and 1. */
struct sidecar {
	struct conn *conn;
	pid_t pid;
	int reins; /* to the child */
	int err, inlet;
	struct port socks;
	struct loop_timer wake; /* its next word */
	bool spoke;
	struct {
		uint64_t id;
		uint16_t port;
	} listens[LISTENS_MAX];
	unsigned nlistens;
	char user[64], password[64];
};

static struct {
	int fd;
	struct loop_poll *poll;
	struct world *world;
	unsigned alive;
	bool refuses; /* to start children */
} stage;

/* What an entry has in its configuration, for each peer. */
static char auth_keys[PEERS][KEY_LEN];

/* Stands before the C library's: who has been started has to arrive before the clock may go on. */
int posix_spawn(pid_t *ret_pid, const char *path, const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attr, char *const argv[], char *const env[])
{
	int (*next)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[],
		char *const[]) = dlsym(RTLD_NEXT, "posix_spawn");
	int rc;

	if (stage.refuses && below(&stage.world->chance, 8) == 0)
		return EAGAIN;
	rc = next(ret_pid, path, actions, attr, argv, env);
	if (rc == 0)
		atomic_fetch_add(&vt.outside, 1);
	return rc;
}

/* -- a sidecar ---------------------------------------------------------------------------------------------- */

static const struct script sidecar_script;
/* Whose SOCKS socket is being accepted from. */
static const struct sidecar *accepting;

static struct socks_manners manners(struct conn *c)
{
	struct socks_state *s = c->state;

	return (struct socks_manners){.wants_login = true, .insists = true, .user = s->user, .password = s->password};
}

static void tunnel_begin(struct conn *c)
{
	struct socks_state *s;

	socks_begin(c);
	s = c->state;
	s->owner = accepting;
	strcpy(s->user, accepting->user);
	strcpy(s->password, accepting->password);
}

static const struct script tunnel_script = {.begin = tunnel_begin, .hear = socks_hear, .refuse = socks_refuse};

static void on_socks(void *arg, int events)
{
	struct sidecar *s = arg;

	accepting = s;
	port_on_readable(&s->socks, events);
	accepting = NULL;
}

static void say_state(struct sidecar *s, const char *phase, const char *reason)
{
	conn_sayf(s->conn,
		"{\"event\":\"state\",\"phase\":\"%s\",\"reason\":\"%s\",\"address\":\"100.64.0.%u\",\"name\":\"w.ts."
		"net\"}\n",
		phase, reason, 3 + s->conn->peer->index);
}

static void on_wake(struct loop_timer *t)
{
	struct sidecar *s = container_of(t, struct sidecar, wake);
	struct conn *c = s->conn;
	struct chance *chance = c->peer->chance;
	bool spoke = s->spoke;

	conn_enter(c);
	s->spoke = true;
	if (!spoke && below(chance, 2)) {
		say_state(s, "starting", below(chance, 2) ? "" : "no control server");
		if (!conn_is_over(c))
			loop_timer_start_ms(t, some_ms(chance, 10000));
	} else if (c->peer->well || below(chance, 6)) {
		say_state(s, "ready", "");
	} else {
		say_state(s, "down", "invalid authkey");
	}
	conn_leave(c);
}

static void listen_for(struct sidecar *s, const struct value *command)
{
	uint64_t id = (uint64_t)value_get_int(value_get(command, "id"));
	uint16_t port = (uint16_t)value_get_int(value_get(command, "port"));
	struct conn *c = s->conn;

	if (conn_will_refuse(c))
		c->at++; /* this has an answer of its own */
	for (unsigned i = 0; i < s->nlistens; i++)
		CHECK(s->listens[i].id != id, "listener %llu is asked for twice", (unsigned long long)id);
	if (!c->peer->well && below(c->peer->chance, 100) < c->peer->trouble / 3) {
		conn_sayf(c, "{\"event\":\"listen_failed\",\"id\":%llu,\"error\":\"not today\"}\n",
			(unsigned long long)id);
		return;
	}
	CHECK(s->nlistens < LISTENS_MAX, "too many listeners");
	s->listens[s->nlistens].id = id;
	s->listens[s->nlistens++].port = port;
	conn_sayf(c, "{\"event\":\"listening\",\"id\":%llu,\"address\":\"100.64.0.%u:%u\"}\n", (unsigned long long)id,
		3 + c->peer->index, port);
}

static void obey(struct sidecar *s, const char *line)
{
	struct value *command;
	struct err e;
	const char *op;

	CHECK(json_parse(line, strlen(line), &command, &e) == 0, "a command that is no JSON: %s", line);
	op = value_get_string(value_get(command, "op"), NULL);
	if (strcmp(op, "listen") == 0) {
		listen_for(s, command);
	} else {
		CHECK(strcmp(op, "unlisten") == 0, "no command of the sidecar's: %s", line);
		for (unsigned i = 0; i < s->nlistens; i++) {
			if (s->listens[i].id == (uint64_t)value_get_int(value_get(command, "id")))
				s->listens[i--] = s->listens[--s->nlistens];
		}
	}
	value_unref(command);
}

static void hear(struct conn *c)
{
	struct buf line = BUF_INIT;
	const char *text;

	while ((text = conn_line(c, &line)))
		obey(c->state, text);
	buf_done(&line);
}

static bool is_tunnel_of(const struct conn *c, const void *sidecar)
{
	return c->script == &tunnel_script && ((const struct socks_state *)c->state)->owner == sidecar;
}

/* Its tunnels end with it, and its process: then the driver knows. */
static void over(struct conn *c)
{
	struct sidecar *s = c->state;
	struct peer *p = c->peer;
	unsigned char how = (unsigned char)below(p->chance, 3);
	siginfo_t info;

	peer_end_where(p, is_tunnel_of, s);
	loop_timer_stop(&s->wake);
	loop_poll_free(s->socks.poll);
	close(s->socks.fd);
	close(s->inlet);
	if (below(p->chance, 2))
		dprintf(s->err, "goroutine 1 [running]: key %s\n", auth_keys[p->index]);
	close(s->err);
	if (below(p->chance, 4) == 0)
		kill(s->pid, SIGKILL);
	else
		(void)!send(s->reins, &how, 1, MSG_NOSIGNAL);
	/* ECHILD: who let go of it was faster. */
	while (waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	close(s->reins);
	stage.alive--;
}

static void refuse(struct conn *c, bool echo, struct buf *out)
{
	struct sidecar *s = c->state;

	if (echo)
		dprintf(s->err, "panic: %s with %s\n", auth_keys[c->peer->index], s->password);
	buf_addf(out, "{\"event\":\"state\",\"phase\":\"down\",\"reason\":\"invalid authkey %s%s\"}\n",
		echo ? auth_keys[c->peer->index] : "", echo ? s->password : "");
}

static const struct script sidecar_script = {.hear = hear, .over = over, .refuse = refuse};

/* -- arrivals ------------------------------------------------------------------------------------------------ */

/* The first line of what the driver says; it was written before the child could arrive. */
static struct value *read_config(int fd)
{
	static char line[65536];
	size_t n = 0;
	struct value *config;
	struct err e;

	while (n + 1 < sizeof(line) && read(fd, line + n, 1) == 1 && line[n] != '\n')
		n++;
	/* Nothing: it was let go at once. */
	if (n == 0 || json_parse(line, n, &config, &e) < 0)
		return NULL;
	return config;
}

static void dismiss(int reins, const int fds[NFDS], pid_t pid)
{
	unsigned char how = 1;
	siginfo_t info;

	for (int i = 0; i < NFDS; i++)
		close(fds[i]);
	(void)!send(reins, &how, 1, MSG_NOSIGNAL);
	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	close(reins);
}

static const char *config_text(const struct value *config, const char *key)
{
	return value_get_string(value_get(config, key), NULL);
}

static void play(int reins, const int fds[NFDS], pid_t pid)
{
	struct value *config = read_config(fds[0]);
	struct sidecar *s;
	struct peer *p;

	if (!config) {
		dismiss(reins, fds, pid);
		return;
	}
	p = &stage.world->peers[config_text(config, "hostname")[1] - '0'];
	CHECK(strcmp(config_text(config, "auth_key"), auth_keys[p->index]) == 0, "a sidecar has another's key");
	if (!p->alive) {
		value_unref(config);
		dismiss(reins, fds, pid);
		return;
	}
	s = xcalloc(1, sizeof(*s));
	s->pid = pid;
	s->reins = reins;
	s->err = fds[2];
	s->inlet = fds[4];
	snprintf(s->user, sizeof(s->user), "%s", config_text(config, "user"));
	snprintf(s->password, sizeof(s->password), "%s", config_text(config, "password"));
	world_add_secret(stage.world, s->user);
	world_add_secret(stage.world, s->password);
	value_unref(config);
	s->socks = (struct port){.peer = p, .script = &tunnel_script, .fd = fds[3]};
	s->socks.poll = loop_poll_new(p->loop, fds[3], LOOP_READ, on_socks, s);
	s->conn = conn_new(p, &sidecar_script, fds[0], fds[1]);
	s->conn->state = s;
	loop_timer_init(&s->wake, p->loop, on_wake);
	loop_timer_start_ms(&s->wake, some_ms(p->chance, 2000));
	stage.alive++;
}

static void on_arrival(void *arg, int events)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(NFDS * sizeof(int))];
	} control;
	pid_t pid = 0;
	struct iovec v = {.iov_base = &pid, .iov_len = sizeof(pid)};
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
	int reins = accept4(stage.fd, NULL, NULL, SOCK_CLOEXEC), fds[NFDS];

	(void)arg;
	(void)events;
	if (reins < 0)
		return;
	CHECK(recvmsg(reins, &m, MSG_CMSG_CLOEXEC) == sizeof(pid) && CMSG_FIRSTHDR(&m) &&
			CMSG_FIRSTHDR(&m)->cmsg_len == CMSG_LEN(sizeof(fds)),
		"a child without its descriptors");
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fds));
	atomic_fetch_sub(&vt.outside, 1);
	play(reins, fds, pid);
}

static bool is_over(void)
{
	return stage.alive == 0 && atomic_load(&vt.outside) == 0;
}

#endif
