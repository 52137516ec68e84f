/*
 * sidecar.c - the child's life: descriptors in, lines out, back-off.
 */
#include "overlay/tailscale/sidecar.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/log.h"
#include "base/secret.h"
#include "overlay/tailscale/spawn.h"

enum {
	READ_BYTES = 16384,
	PENDING_BYTES_MAX = 1024 * 1024, /* commands that a child does not read */
	STEADY_MS = 10000,               /* who ran that long starts with a short delay again */
	SAID_MAX = 160,
};

static const struct backoff restart_backoff = {
	.initial_ns = 200 * 1000000ULL, .max_ns = 30 * 1000000000ULL, .factor = 2, .jitter = 0.2};
/* Of a child that runs but is of no use: a refused key, say. Each attempt is a question to the control server. */
static const struct backoff recover_backoff = {
	.initial_ns = 10 * 1000000000ULL, .max_ns = 300 * 1000000000ULL, .factor = 2, .jitter = 0.2};

struct sidecar {
	struct sidecar_options opt;
	struct sidecar_child child; /* pid -1: none */
	struct loop_poll *in, *out, *err, *inlet, *ended;
	struct buf to_send;
	struct sidecar_lines events, said;
	char last_said[SAID_MAX];
	char last_down[SIDECAR_TEXT_MAX]; /* why it said that it is down */
	uint64_t started_ns;
	unsigned failures;
	unsigned recoveries;
	struct loop_timer restart;
	struct loop_timer recover;
};

/* -- letting go --------------------------------------------------------------------------------------- */

static void drop_poll(struct loop_poll **p)
{
	loop_poll_free(*p);
	*p = NULL;
}

/* Everything but the process itself. */
static void unwatch(struct sidecar *s)
{
	drop_poll(&s->in);
	drop_poll(&s->out);
	drop_poll(&s->err);
	drop_poll(&s->inlet);
	drop_poll(&s->ended);
	if (s->to_send.mem)
		explicit_bzero(s->to_send.mem, s->to_send.cap);
	buf_done(&s->to_send);
	sidecar_lines_done(&s->events);
	sidecar_lines_done(&s->said);
}

static void let_go(struct sidecar *s)
{
	loop_timer_stop(&s->recover);
	unwatch(s);
	if (s->child.pid > 0)
		sidecar_child_release(&s->child, SIDECAR_END_MS);
}

void sidecar_free(struct sidecar *s)
{
	if (!s)
		return;
	loop_timer_stop(&s->restart);
	let_go(s);
	free(s);
}

/* -- commands ----------------------------------------------------------------------------------------- */

static void flush(struct sidecar *s)
{
	struct buf *b = &s->to_send;

	while (buf_len(b) > 0) {
		ssize_t n = write(s->child.in, buf_data(b), buf_len(b));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			/* Any other error: the child is gone, which its descriptor tells. */
			loop_poll_set(s->in, errno == EAGAIN ? LOOP_WRITE : 0);
			return;
		}
		buf_consume(b, (size_t)n);
	}
	/* The configuration was in it. */
	if (b->mem)
		explicit_bzero(b->mem, b->cap);
	loop_poll_set(s->in, 0);
}

static void on_writable(void *arg, int events)
{
	struct sidecar *s = arg;

	(void)events;
	if (buf_len(&s->to_send) == 0)
		loop_poll_set(s->in, 0);
	else
		flush(s);
}

void sidecar_send(struct sidecar *s, const char *line)
{
	if (s->child.pid <= 0 || buf_len(&s->to_send) > PENDING_BYTES_MAX)
		return;
	buf_adds(&s->to_send, line);
	buf_addc(&s->to_send, '\n');
	flush(s);
}

/* -- what it says --------------------------------------------------------------------------------------- */

static void take_state(struct sidecar *s, const struct sidecar_event *ev)
{
	bool down = ev->state == OVERLAY_DOWN;

	snprintf(s->last_down, sizeof(s->last_down), "%s", down ? ev->text : "");
	if (ev->state == OVERLAY_READY)
		s->recoveries = 0;
	if (!down)
		loop_timer_stop(&s->recover);
	else if (!loop_timer_is_armed(&s->recover))
		loop_timer_start_ns(&s->recover, backoff_delay(&recover_backoff, ++s->recoveries));
}

/* The sidecar takes care of that itself; this is for what it did not expect: a panic, a library's message. */
static void hide_secrets(char *text, size_t size)
{
	char *hidden = secret_hide(text);

	if (hidden)
		snprintf(text, size, "%s", hidden);
	free(hidden);
}

static void take_line(struct sidecar *s, const char *line, size_t len)
{
	struct sidecar_event ev;
	struct err e;

	if (sidecar_event_parse(line, len, &ev, &e) < 0) {
		log_warn("tailscale", "the sidecar said something that is no event", LOG_STR("error", e.text));
		return;
	}
	hide_secrets(ev.text, sizeof(ev.text));
	if (ev.type == SIDECAR_STATE)
		take_state(s, &ev);
	if (ev.type != SIDECAR_UNKNOWN)
		s->opt.event(s->opt.arg, &ev);
}

static void take_words(struct sidecar *s, const char *line, size_t len)
{
	struct buf escaped = BUF_INIT;
	char text[SIDECAR_TEXT_MAX];

	/* More than is kept: a secret that a cut had halved would not be found. */
	buf_add_escaped(&escaped, line, len, SIDECAR_LINE_MAX);
	if (secret_any()) {
		char *hidden = secret_hide(buf_str(&escaped));

		if (hidden) {
			buf_clear(&escaped);
			buf_adds(&escaped, hidden);
		}
		free(hidden);
	}
	snprintf(text, sizeof(text), "%s", buf_str(&escaped));
	buf_done(&escaped);
	snprintf(s->last_said, sizeof(s->last_said), "%.*s", SAID_MAX - 1, text);
	log_debug("tailscale", "the sidecar says", LOG_STR("text", text));
}

/* One read a turn: a chatty child does not keep the loop from others. False: nothing more will come. */
static bool read_into(int fd, struct sidecar_lines *lines)
{
	char bytes[READ_BYTES];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	if (n > 0)
		sidecar_lines_add(lines, bytes, (size_t)n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void on_out(void *arg, int events)
{
	struct sidecar *s = arg;
	const char *line;
	size_t len;

	(void)events;
	if (!read_into(s->child.out, &s->events))
		drop_poll(&s->out);
	while (sidecar_lines_next(&s->events, &line, &len))
		take_line(s, line, len);
}

static void on_err(void *arg, int events)
{
	struct sidecar *s = arg;
	const char *line;
	size_t len;

	(void)events;
	if (!read_into(s->child.err, &s->said))
		drop_poll(&s->err);
	while (sidecar_lines_next(&s->said, &line, &len))
		take_words(s, line, len);
}

/* -- accepted connections -------------------------------------------------------------------------------- */

/* The descriptor that came with the message, -1 when there is none. */
static int descriptor_of(struct msghdr *m)
{
	int fd = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
			continue;
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	}
	return fd;
}

static void take_notice(struct sidecar *s, const char *text, size_t len, int fd)
{
	struct sidecar_notice notice;
	struct err e;

	if (sidecar_notice_parse(text, len, &notice, &e) < 0) {
		log_warn(
			"tailscale", "the sidecar handed over a connection without a notice", LOG_STR("error", e.text));
		close(fd);
		return;
	}
	s->opt.accepted(s->opt.arg, fd, &notice);
	sidecar_notice_done(&notice);
}

static void on_inlet(void *arg, int events)
{
	struct sidecar *s = arg;
	static char text[SIDECAR_NOTICE_MAX + 1]; /* of the control thread */

	(void)events;
	for (int i = 0; i < SIDECAR_ACCEPTS_A_TURN; i++) {
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(sizeof(int))];
		} control;
		struct iovec v = {.iov_base = text, .iov_len = sizeof(text)};
		struct msghdr m = {.msg_iov = &v,
			.msg_iovlen = 1,
			.msg_control = control.bytes,
			.msg_controllen = sizeof(control.bytes)};
		ssize_t n = recvmsg(s->child.inlet, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		int fd;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			drop_poll(&s->inlet); /* it ended */
			return;
		}
		fd = descriptor_of(&m);
		if (fd < 0)
			log_warn("tailscale",
				"a connection was lost: no descriptor came with it (too many open files?)");
		else
			take_notice(s, text, (size_t)n, fd);
	}
}

/* -- end and beginning ------------------------------------------------------------------------------------ */

static void describe_end(const struct sidecar *s, int status, struct buf *out)
{
	if (s->last_down[0])
		buf_adds(out, s->last_down);
	else if (WIFSIGNALED(status))
		buf_addf(out, "the sidecar was ended by signal %d", WTERMSIG(status));
	else
		buf_addf(out, "the sidecar ended with status %d", WEXITSTATUS(status));
	if (!s->last_down[0] && s->last_said[0])
		buf_addf(out, " (%s)", s->last_said);
}

static void on_ended(void *arg, int events)
{
	struct sidecar *s = arg;
	struct buf why = BUF_INIT;
	uint64_t delay;
	int status = 0;

	(void)events;
	if (waitpid(s->child.pid, &status, WNOHANG) == 0)
		return;
	/* What it said last may still be in the pipes. */
	if (s->err)
		on_err(s, LOOP_READ);
	if (s->out)
		on_out(s, LOOP_READ);
	describe_end(s, status, &why);
	loop_timer_stop(&s->recover);
	unwatch(s);
	sidecar_child_close(&s->child);
	if (loop_clock_ns() - s->started_ns > STEADY_MS * 1000000ULL)
		s->failures = 0;
	delay = backoff_delay(&restart_backoff, ++s->failures);
	loop_timer_start_ns(&s->restart, delay);
	s->opt.lost(s->opt.arg, buf_str(&why));
	buf_done(&why);
}

static int start(struct sidecar *s, struct err *e)
{
	size_t len = strlen(s->opt.config);

	if (sidecar_child_start(&s->child, s->opt.program, s->opt.socks_fd, e) < 0)
		return -1;
	s->started_ns = loop_clock_ns();
	s->last_said[0] = s->last_down[0] = '\0';
	s->in = loop_poll_new(s->opt.loop, s->child.in, 0, on_writable, s);
	s->out = loop_poll_new(s->opt.loop, s->child.out, LOOP_READ, on_out, s);
	s->err = loop_poll_new(s->opt.loop, s->child.err, LOOP_READ, on_err, s);
	s->inlet = loop_poll_new(s->opt.loop, s->child.inlet, LOOP_READ, on_inlet, s);
	s->ended = loop_poll_new(s->opt.loop, s->child.pidfd, LOOP_READ, on_ended, s);
	/* Room for all of it: a buffer that grew would leave a copy of the key in freed memory. */
	buf_reserve(&s->to_send, len + 2);
	sidecar_send(s, s->opt.config);
	return 0;
}

static void start_again(struct sidecar *s)
{
	struct err e;

	if (start(s, &e) == 0) {
		s->opt.started(s->opt.arg);
		return;
	}
	loop_timer_start_ns(&s->restart, backoff_delay(&restart_backoff, ++s->failures));
	s->opt.lost(s->opt.arg, e.text);
}

static void on_restart(struct loop_timer *t)
{
	start_again(container_of(t, struct sidecar, restart));
}

/* The next one waits by itself until this one has let go of the state directory. */
static void on_recover(struct loop_timer *t)
{
	struct sidecar *s = container_of(t, struct sidecar, recover);

	let_go(s);
	start_again(s);
}

int sidecar_new(const struct sidecar_options *opt, struct sidecar **ret, struct err *e)
{
	struct sidecar *s = xcalloc(1, sizeof(*s));

	s->opt = *opt;
	s->child.pid = -1;
	loop_timer_init(&s->restart, opt->loop, on_restart);
	loop_timer_init(&s->recover, opt->loop, on_recover);
	if (start(s, e) < 0) {
		free(s);
		return -1;
	}
	*ret = s;
	return 0;
}
