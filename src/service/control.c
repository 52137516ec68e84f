#include "service/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/list.h"
#include "overlay/driver.h"
#include "service/runtime.h"
#include "value/json.h"

enum { CONNECTION_MS = 5000, REST_MS = 1000, ASK_SECONDS = 5 };

struct control {
	struct runtime *rt;
	int dir; /* of the socket */
	int fd;
	struct loop_poll *poll;
	struct loop_timer rest; /* the program is out of descriptors: accept again then */
	struct list connections;
	unsigned nconnections;
};

struct connection {
	struct control *control;
	struct list link;
	struct loop_timer timer;
	struct loop_poll *poll;
	int fd;
	struct buf in, out;
};

/* A path that fits into sun_path however long that of the directory is. */
static void name_socket(int dir, struct sockaddr_un *un)
{
	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(un->sun_path, sizeof(un->sun_path), "/proc/self/fd/%d/socket", dir);
}

static bool is_trusted(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

/* -- answers ----------------------------------------------------------------------------------------- */

static void answer(struct connection *c, const char *question)
{
	struct value *v;

	if (strcmp(question, "network") == 0) {
		v = overlay_set_describe(c->control->rt->node.overlays);
	} else {
		v = value_map();
		value_map_set(v, "error", value_cstring("unknown question"));
	}
	json_write(v, &c->out);
	buf_addc(&c->out, '\n');
	value_unref(v);
}

/* -- connections ------------------------------------------------------------------------------------- */

static void connection_free(struct connection *c)
{
	loop_poll_free(c->poll);
	loop_timer_stop(&c->timer);
	list_remove(&c->link);
	c->control->nconnections--;
	close(c->fd);
	buf_done(&c->in);
	buf_done(&c->out);
	free(c);
}

static void on_late(struct loop_timer *t)
{
	connection_free(container_of(t, struct connection, timer));
}

/* False: it is over. */
static bool read_question(struct connection *c)
{
	char text[CONTROL_QUESTION_MAX + 1];
	ssize_t n = recv(c->fd, buf_reserve(&c->in, CONTROL_QUESTION_MAX), CONTROL_QUESTION_MAX, 0);
	const char *end;

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	buf_commit(&c->in, (size_t)n);
	end = memchr(buf_data(&c->in), '\n', buf_len(&c->in));
	if (!end)
		return buf_len(&c->in) < CONTROL_QUESTION_MAX;
	if (end - buf_data(&c->in) > CONTROL_QUESTION_MAX)
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)(end - buf_data(&c->in)), buf_data(&c->in));
	answer(c, text);
	return true;
}

static void on_connection(void *arg, int events)
{
	struct connection *c = arg;
	ssize_t n;

	(void)events;
	if (buf_len(&c->out) == 0 && !read_question(c)) {
		connection_free(c);
		return;
	}
	if (buf_len(&c->out) == 0)
		return;
	n = send(c->fd, buf_data(&c->out), buf_len(&c->out), MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		loop_poll_set(c->poll, LOOP_WRITE);
		return;
	}
	if (n > 0)
		buf_consume(&c->out, (size_t)n);
	if (n <= 0 || buf_len(&c->out) == 0)
		connection_free(c);
	else
		loop_poll_set(c->poll, LOOP_WRITE);
}

static void on_rested(struct loop_timer *t)
{
	loop_poll_set(container_of(t, struct control, rest)->poll, LOOP_READ);
}

static void on_accept(void *arg, int events)
{
	struct control *control = arg;
	int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct connection *c;

	(void)events;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			loop_poll_set(control->poll, 0);
			loop_timer_start_ms(&control->rest, REST_MS);
		}
		return;
	}
	if (control->nconnections >= CONTROL_CONNECTIONS_MAX || !is_trusted(fd)) {
		close(fd);
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->control = control;
	c->fd = fd;
	list_push_back(&control->connections, &c->link);
	control->nconnections++;
	loop_timer_init(&c->timer, control->rt->loop, on_late);
	loop_timer_start_ms(&c->timer, CONNECTION_MS);
	c->poll = loop_poll_new(control->rt->loop, fd, LOOP_READ, on_connection, c);
}

/* -- the socket -------------------------------------------------------------------------------------- */

static int listen_in(int dir, int *ret_fd, struct err *e)
{
	struct sockaddr_un un;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_set_errno(e, ERR_INTERNAL, errno, "cannot make the control socket");
	name_socket(dir, &un);
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0 || errno == EAGAIN) {
		close(fd);
		return err_set(e, ERR_CONFLICT,
			"another program answers in this state directory: give each its own "
			"network_service.state_dir");
	}
	/* What is left of one that ended without a stop. */
	unlinkat(dir, "socket", 0);
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0 || listen(fd, CONTROL_CONNECTIONS_MAX) < 0) {
		err_set_errno(e, ERR_INTERNAL, errno, "cannot make the control socket");
		close(fd);
		return -1;
	}
	*ret_fd = fd;
	return 0;
}

int control_new(struct runtime *rt, struct control **ret, struct err *e)
{
	struct control *c;
	char *path;
	int dir, fd = -1;

	if (overlay_state_path(&rt->overlay_env, "control", "run", &path, e) < 0)
		return -1;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	free(path);
	if (dir < 0)
		return err_set_errno(e, ERR_INTERNAL, errno, "cannot make the control socket");
	if (listen_in(dir, &fd, e) < 0) {
		close(dir);
		return -1;
	}
	c = xcalloc(1, sizeof(*c));
	c->rt = rt;
	c->dir = dir;
	c->fd = fd;
	list_init(&c->connections);
	loop_timer_init(&c->rest, rt->loop, on_rested);
	c->poll = loop_poll_new(rt->loop, fd, LOOP_READ, on_accept, c);
	*ret = c;
	return 0;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	list_for_each_safe(l, tmp, &c->connections)
		connection_free(list_entry(l, struct connection, link));
	loop_timer_stop(&c->rest);
	loop_poll_free(c->poll);
	unlinkat(c->dir, "socket", 0);
	close(c->fd);
	close(c->dir);
	free(c);
}

/* -- asking ------------------------------------------------------------------------------------------ */

static int nobody(struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "no program runs with this state directory");
}

static int connect_in(const char *state_dir, struct err *e)
{
	struct timeval limit = {.tv_sec = ASK_SECONDS};
	struct sockaddr_un un;
	int dir, fd, rc;
	char *path;

	if (!state_dir || state_dir[0] != '/')
		return nobody(e);
	path = xasprintf("%s/control/run", state_dir);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	free(path);
	if (dir < 0)
		return nobody(e);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		close(dir);
		return err_set_errno(e, ERR_INTERNAL, errno, "control socket");
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	name_socket(dir, &un);
	rc = connect(fd, (struct sockaddr *)&un, sizeof(un));
	close(dir);
	if (rc == 0 && is_trusted(fd))
		return fd;
	close(fd);
	return nobody(e);
}

int control_ask(const char *state_dir, const char *question, struct value **ret, struct err *e)
{
	struct buf in = BUF_INIT;
	int fd = connect_in(state_dir, e), rc = -1;
	char line[CONTROL_QUESTION_MAX + 2];
	ssize_t n;

	if (fd < 0)
		return -1;
	n = snprintf(line, sizeof(line), "%s\n", question);
	n = send(fd, line, (size_t)n, MSG_NOSIGNAL);
	while (n > 0 && buf_len(&in) < CONTROL_ANSWER_MAX) {
		n = recv(fd, buf_reserve(&in, 4096), 4096, 0);
		if (n > 0)
			buf_commit(&in, (size_t)n);
	}
	if (n != 0 || buf_len(&in) == 0)
		err_set(e, ERR_UNAVAILABLE, "the running program did not answer; try again");
	else
		rc = json_parse(buf_data(&in), buf_len(&in), ret, e);
	buf_done(&in);
	close(fd);
	return rc;
}
