/*
 * The driver of network.tailscale against scripted sidecars, under random schedules: see schedule.h and scripted_sidecar.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schedule.h"
#include "scripted_sidecar.h"

static const char *const hosts[] = {"peer", "peer.tail1234.ts.net", "100.64.0.9", "name.example", NULL};

/* -- the protocol -------------------------------------------------------------------------------------------- */

static void open_stage(struct world *w)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", scratch_path("stage"));
	unlink(un.sun_path);
	stage.world = w;
	stage.alive = 0;
	stage.refuses = true;
	stage.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CHECK(bind(stage.fd, (struct sockaddr *)&un, sizeof(un)) == 0 && listen(stage.fd, 64) == 0, "no stage: %s",
		strerror(errno));
	stage.poll = loop_poll_new(w->loop, stage.fd, LOOP_READ, on_arrival, NULL);
}

static void open_peer(struct peer *p)
{
	static char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	CHECK(n > 0, "who am I?");
	self[n] = '\0';
	p->world->env.sidecar = self;
	socks_manners_of = manners;
	world_make_secret(p->world, auth_keys[p->index], KEY_LEN);
	if (p->index == 0)
		open_stage(p->world);
}

static void close_peer(struct peer *p)
{
	if (p->index > 0)
		return;
	loop_poll_free(stage.poll);
	close(stage.fd);
}

static struct value *entry(struct peer *p, enum isolation isolation)
{
	struct value *v = value_map();
	char name[8];

	(void)isolation; /* the tailnet knows nodes, not streams */
	snprintf(name, sizeof(name), "w%u", p->index);
	value_map_set(v, "hostname", value_cstring(name));
	value_map_set(v, "auth_key", value_cstring(auth_keys[p->index]));
	return v;
}

static bool hand_over(int inlet, const char *notice, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec v = {.iov_base = (char *)(uintptr_t)notice, .iov_len = strlen(notice)};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *c;

		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	return sendmsg(inlet, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

static void send_nonsense(struct peer *p, struct sidecar *s)
{
	int pair[2];

	if (p->well || below(p->chance, 3))
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return;
	switch (below(p->chance, 3)) {
	case 0:
		hand_over(s->inlet, "{\"id\":9999,\"peer\":\"stray\"}", pair[1]);
		break;
	case 1:
		hand_over(s->inlet, "nonsense", pair[1]);
		break;
	case 2:
		hand_over(s->inlet, "{\"id\":1}", -1);
		break;
	}
	close(pair[0]);
	close(pair[1]);
}

static bool visit(struct peer *p, const char *name, const char *address, const char *text)
{
	const char *colon = strrchr(address, ':');
	unsigned port = colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;

	(void)name;
	list_for_each(link, &p->conns) {
		struct conn *c = list_entry(link, struct conn, link);
		struct sidecar *s = c->script == &sidecar_script ? c->state : NULL;

		for (unsigned i = 0; s && i < s->nlistens; i++) {
			char notice[256];
			int pair[2];
			bool sent;

			if (s->listens[i].port != port)
				continue;
			send_nonsense(p, s);
			if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
				return false;
			snprintf(notice, sizeof(notice),
				"{\"id\":%llu,\"peer\":\"100.64.0.7:5\",\"tls\":false,\"who\":{\"login\":\"a@example."
				"com\",\"tags\":[]}}",
				(unsigned long long)s->listens[i].id);
			sent = hand_over(s->inlet, notice, pair[1]);
			close(pair[1]);
			if (sent)
				visitor_come(p, pair[0], text);
			else
				close(pair[0]);
			return sent;
		}
	}
	return false;
}

static struct conn *any_sidecar(struct peer *p)
{
	list_for_each(link, &p->conns) {
		struct conn *c = list_entry(link, struct conn, link);

		if (c->script == &sidecar_script)
			return c;
	}
	return NULL;
}

static void stir(struct peer *p)
{
	struct conn *c = any_sidecar(p);

	if (!c)
		return;
	conn_enter(c);
	switch (below(p->chance, 6)) {
	case 0:
		say_state(c->state, "degraded", "the control server is not reached since a minute");
		break;
	case 1:
		say_state(c->state, "starting", "logging in again");
		break;
	case 2:
		say_state(c->state, "down", "backend in state NeedsLogin");
		break;
	case 3:
		conn_sayf(c, "{\"event\":\"later\"}\n\n{]\n");
		break;
	case 4:
		conn_sayf(c, "{\"event\":\"listening\",\"id\":777,\"address\":\"100.64.0.3:1\"}\n");
		break;
	case 5:
		conn_end(c, false);
		break;
	}
	conn_leave(c);
}

static bool is_dumb_sidecar(const struct conn *c, const void *arg)
{
	(void)arg;
	return c->script == &sidecar_script && c->stalled;
}

/* One that says nothing any more is ended by people, as the driver cannot know; the others get well. */
static void heal(struct peer *p)
{
	stage.refuses = false;
	peer_end_where(p, is_dumb_sidecar, NULL);
	list_for_each(link, &p->conns) {
		struct conn *c = list_entry(link, struct conn, link);
		struct sidecar *s = c->script == &sidecar_script ? c->state : NULL;

		if (s) {
			s->spoke = true;
			loop_timer_start_ms(&s->wake, 0);
		}
	}
}

/* It says what it says. */
static bool may_follow(enum overlay_state from, enum overlay_state to, bool was_ready)
{
	(void)from;
	(void)to;
	(void)was_ready;
	return true;
}

/* The driver's own socket, on which its sidecar serves. */
static bool may_connect(const struct sockaddr_in *to)
{
	(void)to;
	return true;
}

static const struct protocol protocol = {
	.driver = &tailscale_driver,
	.hosts = hosts,
	.tunnels_have_ports = true,
	.dials_literals = true,
	.open_peer = open_peer,
	.close_peer = close_peer,
	.entry = entry,
	.visit = visit,
	.stir = stir,
	.heal = heal,
	.may_follow = may_follow,
	.may_connect = may_connect,
	.is_over = is_over,
	.settle_s = 100,
};

static int set_up(void **state)
{
	if (scratch_setup(state) < 0)
		return -1;
	return setenv("TMPDIR", scratch_dir, 1);
}

static int tear_down(void **state)
{
	unsetenv("TMPDIR");
	return scratch_teardown(state);
}

static void test_every_step(void **state)
{
	(void)state;
	run_every_step(&protocol);
}

static void test_schedules(void **state)
{
	(void)state;
	run_schedules(&protocol, false);
}

static void test_schedules_with_a_worker(void **state)
{
	(void)state;
	run_schedules(&protocol, true);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_step, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_schedules, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_schedules_with_a_worker, set_up, tear_down),
	};

	if (argc > 0 && strcmp(argv[0], "wippy-tsnet") == 0)
		return child_main();
	schedules_begin(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
