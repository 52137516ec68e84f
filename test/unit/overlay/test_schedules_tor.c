/*
 * The driver of network.tor against scripted Tors (a SOCKS port and a control port each), under random schedules: see schedule.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schedule.h"
#include "socks_peer.h"

enum { SOCKS_PORT, CONTROL_PORT, ID_LEN = 56, KEY_LEN = 99, KEYS_MAX = 256, ONIONS_MAX = 16 };

static const char *const hosts[] = {
	"name.example", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.onion", "192.0.2.7", NULL};

enum manner { MANNER_OPEN, MANNER_PASSWORD, MANNER_COOKIE, MANNERS };

/* One onion service at a control connection. */
struct onion {
	char id[ID_LEN + 1];
	uint16_t port; /* where Tor is to come to */
	bool uploaded;
};

struct control_conn {
	bool authenticated, has_events;
	struct onion onions[ONIONS_MAX];
	unsigned nonions;
};

/* What outlives its connections. */
static struct {
	enum manner manner;
	char password[25], cookie[33], cookie_hex[65];
	unsigned progress;
	bool network_is_down;
	struct loop_timer upload; /* descriptors, a while after a service was added */
	struct peer *peer;
} tors[PEERS];

/* Keys and the services' names that follow from them. */
static struct {
	char text[KEY_LEN + 1];
	char id[ID_LEN + 1];
} keys[KEYS_MAX];
static unsigned nkeys;

static struct socks_manners manners(struct conn *c)
{
	(void)c;
	return (struct socks_manners){.wants_login = true};
}

/* -- the control port ---------------------------------------------------------------------------------- */

static void make_key(struct world *w, unsigned *ret)
{
	CHECK(nkeys < KEYS_MAX, "too many keys");
	memcpy(keys[nkeys].text, "ED25519-V3:", 11);
	world_make_secret(w, keys[nkeys].text + 11, 87);
	strcpy(keys[nkeys].text + 97, "==");
	memset(keys[nkeys].id, 'a', ID_LEN);
	for (unsigned n = nkeys + 1, i = 0; n > 0; n /= 20, i++)
		keys[nkeys].id[i] = (char)('b' + n % 20);
	*ret = nkeys++;
}

static const struct script control_script;

static struct onion *find_onion(struct peer *p, const char *id, struct conn **ret_conn)
{
	list_for_each(link, &p->conns) {
		struct conn *c = list_entry(link, struct conn, link);
		struct control_conn *k = c->state;

		for (unsigned i = 0; c->script == &control_script && i < k->nonions; i++) {
			if (strncmp(k->onions[i].id, id, ID_LEN) == 0) {
				*ret_conn = c;
				return &k->onions[i];
			}
		}
	}
	return NULL;
}

static void add_onion(struct conn *c, struct control_conn *k, const char *line)
{
	const char *port = strstr(line, " Port=");
	struct onion *o = &k->onions[k->nonions];
	unsigned key = KEYS_MAX, virtual_port, target;
	bool is_new = strncmp(line, "ADD_ONION NEW:ED25519-V3", 24) == 0;
	struct conn *other;

	if (is_new)
		make_key(c->peer->world, &key);
	for (unsigned i = 0; i < nkeys && !is_new; i++) {
		if (strncmp(line + 10, keys[i].text, strlen(keys[i].text)) == 0)
			key = i;
	}
	CHECK(key < KEYS_MAX, "an onion service with a key that no Tor made");
	CHECK(port && sscanf(port, " Port=%u,127.0.0.1:%u", &virtual_port, &target) == 2, "no Port: %s", line);
	if (find_onion(c->peer, keys[key].id, &other)) {
		conn_sayf(c, "550 Onion address collision\r\n");
		return;
	}
	CHECK(k->nonions < ONIONS_MAX, "too many services on one connection");
	if (conn_will_refuse(c)) {
		conn_sayf(c, "250 OK\r\n");
		return;
	}
	memcpy(o->id, keys[key].id, sizeof(o->id));
	o->port = (uint16_t)target;
	o->uploaded = false;
	k->nonions++;
	loop_timer_start_ms(&tors[c->peer->index].upload, some_ms(c->peer->chance, 5000));
	if (is_new)
		conn_sayf(c, "250-ServiceID=%s\r\n250-PrivateKey=%s\r\n250 OK\r\n", keys[key].id, keys[key].text);
	else
		conn_sayf(c, "250-ServiceID=%s\r\n250 OK\r\n", keys[key].id);
}

static void del_onion(struct conn *c, struct control_conn *k, const char *line)
{
	for (unsigned i = 0; i < k->nonions; i++) {
		if (strcmp(k->onions[i].id, line + 10) == 0) {
			k->onions[i] = k->onions[--k->nonions];
			conn_sayf(c, "250 OK\r\n");
			return;
		}
	}
	conn_sayf(c, "552 Unknown Onion Service id\r\n");
}

static bool may_authenticate(struct conn *c, const char *line)
{
	unsigned i = c->peer->index;
	char want[64 + 16];

	switch (tors[i].manner) {
	case MANNER_PASSWORD:
		snprintf(want, sizeof(want), "AUTHENTICATE \"%s\"", tors[i].password);
		return strcmp(line, want) == 0;
	case MANNER_COOKIE:
		snprintf(want, sizeof(want), "AUTHENTICATE %s", tors[i].cookie_hex);
		return strcmp(line, want) == 0;
	case MANNER_OPEN:
	case MANNERS:
		break;
	}
	return true;
}

static void answer(struct conn *c, struct control_conn *k, const char *line)
{
	static const char *const methods[] = {"NULL", "HASHEDPASSWORD", "COOKIE"};
	unsigned i = c->peer->index;

	if (strncmp(line, "PROTOCOLINFO", 12) == 0) {
		conn_sayf(c, "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=%s\r\n250-VERSION Tor=\"0.4.8.10\"\r\n250 OK\r\n",
			methods[tors[i].manner]);
		return;
	}
	if (strncmp(line, "AUTHENTICATE", 12) == 0) {
		CHECK(may_authenticate(c, line), "wrong credentials: %s", line);
		k->authenticated = true;
		conn_sayf(c, "250 OK\r\n");
		return;
	}
	CHECK(k->authenticated || c->fault != FAULT_NONE, "a command before the authentication: %s", line);
	if (strncmp(line, "SETEVENTS", 9) == 0) {
		k->has_events = true;
		conn_sayf(c, "250 OK\r\n");
	} else if (strncmp(line, "GETINFO status/bootstrap-phase", 30) == 0) {
		conn_sayf(c,
			"250-status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=%u TAG=x SUMMARY=\"Some summary\"\r\n250 "
			"OK\r\n",
			tors[i].progress);
	} else if (strncmp(line, "GETINFO process/uid", 19) == 0) {
		conn_sayf(c, "250-process/uid=%u\r\n250 OK\r\n", (unsigned)geteuid());
	} else if (strncmp(line, "ADD_ONION ", 10) == 0) {
		add_onion(c, k, line);
	} else {
		CHECK(strncmp(line, "DEL_ONION ", 10) == 0, "no command of Tor's: %s", line);
		del_onion(c, k, line);
	}
}

static void begin(struct conn *c)
{
	c->state = xcalloc(1, sizeof(struct control_conn));
}

static void hear(struct conn *c)
{
	struct buf line = BUF_INIT;
	const char *text;

	while ((text = conn_line(c, &line)))
		answer(c, c->state, text);
	buf_done(&line);
}

static void refuse(struct conn *c, bool echo, struct buf *out)
{
	static const unsigned codes[] = {451, 500, 510, 511, 512, 513, 514, 515, 550, 551, 552, 553, 554, 555, 299};
	const char *heard = buf_str(&c->last);
	int len = echo ? (int)strcspn(heard, "\r\n") : 0;

	buf_addf(out, "%u Not today%s%.*s\r\n", codes[below(c->peer->chance, ARRAY_LEN(codes))], len ? ": " : "", len,
		heard);
}

static const struct script control_script = {.begin = begin, .hear = hear, .refuse = refuse};

static void on_upload(struct loop_timer *t)
{
	struct peer *p = NULL;

	for (unsigned i = 0; i < PEERS; i++) {
		if (&tors[i].upload == t)
			p = tors[i].peer;
	}
	/* Whom that ends shows in its next turn. */
	list_for_each_safe(link, tmp, &p->conns) {
		struct conn *c = list_entry(link, struct conn, link);
		struct control_conn *k = c->state;

		for (unsigned i = 0; c->script == &control_script && i < k->nonions; i++) {
			bool takes = p->well || below(p->chance, 4);

			if (k->onions[i].uploaded)
				continue;
			k->onions[i].uploaded = takes;
			conn_enter(c);
			conn_sayf(c, "650 HS_DESC %s %s %s $00 x\r\n", takes ? "UPLOADED" : "FAILED", k->onions[i].id,
				takes ? "UNKNOWN" : "NO_AUTH");
			conn_leave(c);
			loop_timer_start_ms(t, 500);
			return;
		}
	}
}

/* -- a Tor --------------------------------------------------------------------------------------------- */

static void open_peer(struct peer *p)
{
	unsigned i = p->index;
	char path[32];

	socks_manners_of = manners;
	if (i == 0)
		nkeys = 0;
	tors[i].peer = p;
	tors[i].manner = (enum manner)below(p->chance, MANNERS);
	tors[i].progress = below(p->chance, 3) ? 100 : below(p->chance, 100);
	tors[i].network_is_down = false;
	world_make_secret(p->world, tors[i].password, sizeof(tors[i].password));
	world_make_secret(p->world, tors[i].cookie, sizeof(tors[i].cookie));
	for (unsigned k = 0; k < 32; k++)
		snprintf(tors[i].cookie_hex + 2 * k, 3, "%02X", (unsigned char)tors[i].cookie[k]);
	world_add_secret(p->world, tors[i].cookie_hex);
	snprintf(path, sizeof(path), "cookie-%u", i);
	scratch_write(path, tors[i].cookie);
	loop_timer_init(&tors[i].upload, p->loop, on_upload);
	peer_add_port(p, &socks_script);
	peer_add_port(p, &control_script);
}

static void close_peer(struct peer *p)
{
	loop_timer_stop(&tors[p->index].upload);
}

static struct value *entry(struct peer *p, enum isolation isolation)
{
	struct value *v = value_map();
	char path[32];

	snprintf(path, sizeof(path), "cookie-%u", p->index);
	value_map_set(v, "host", value_cstring("127.0.0.1"));
	value_map_set(v, "port", value_int(p->ports[SOCKS_PORT].number));
	value_map_set(v, "control_port", value_int(p->ports[CONTROL_PORT].number));
	if (tors[p->index].manner == MANNER_PASSWORD)
		value_map_set(v, "control_password", value_cstring(tors[p->index].password));
	if (tors[p->index].manner == MANNER_COOKIE)
		value_map_set(v, "cookie_file", value_cstring(scratch_path(path)));
	add_isolation(v, isolation);
	return v;
}

static bool visit(struct peer *p, const char *name, const char *address, const char *text)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct conn *c;
	struct onion *o = find_onion(p, address, &c);
	int fd, on = 1;

	(void)name;
	if (!o || !o->uploaded)
		return false;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	in.sin_port = htons(o->port);
	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0 && errno != EINPROGRESS) {
		close(fd);
		return false;
	}
	visitor_come(p, fd, text);
	return true;
}

static void tell_all(struct peer *p, const char *event)
{
	list_for_each_safe(link, tmp, &p->conns) {
		struct conn *c = list_entry(link, struct conn, link);
		struct control_conn *k = c->state;

		if (c->script != &control_script || !k->has_events)
			continue;
		conn_enter(c);
		conn_say(c, event, strlen(event));
		conn_leave(c);
		return; /* the first is all that is needed, and it may have taken the others along */
	}
}

static void tell_progress(struct peer *p)
{
	char event[160];

	snprintf(event, sizeof(event),
		"650 STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=%u TAG=x SUMMARY=\"Loading \\\"things\\\"\"\r\n",
		tors[p->index].progress);
	tell_all(p, event);
}

static void stir(struct peer *p)
{
	switch (below(p->chance, 4)) {
	case 0:
		tors[p->index].progress = below(p->chance, 3) ? 100 : below(p->chance, 100);
		tell_progress(p);
		break;
	case 1:
		tors[p->index].network_is_down = below(p->chance, 2);
		tell_all(p, tors[p->index].network_is_down ? "650 NETWORK_LIVENESS DOWN\r\n"
							   : "650 NETWORK_LIVENESS UP\r\n");
		break;
	case 2:
		tell_all(p, "650+NOTE something\r\nof many lines\r\n.\r\n650 OK\r\n");
		break;
	case 3:
		tell_all(p, "250 OK\r\n");
		break;
	}
}

static void heal(struct peer *p)
{
	tors[p->index].progress = 100;
	tors[p->index].network_is_down = false;
	tell_progress(p);
	tell_all(p, "650 NETWORK_LIVENESS UP\r\n");
}

/* "starting" is before it was ready: until Tor's first bootstrap is over. */
static bool may_follow(enum overlay_state from, enum overlay_state to, bool was_ready)
{
	(void)from;
	return to != OVERLAY_STARTING || !was_ready;
}

static const struct protocol protocol = {
	.driver = &tor_driver,
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
	.settle_s = 150,
};

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
		cmocka_unit_test_setup_teardown(test_every_step, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_schedules, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_schedules_with_a_worker, scratch_setup, scratch_teardown),
	};

	(void)argc;
	schedules_begin(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
