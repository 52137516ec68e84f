/*
 * The driver of network.i2p against scripted SAM bridges, under random schedules: see schedule.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "overlay/destination.h"
#include "schedule.h"

enum { PUB_LEN = 516, PRIV_LEN = 600, ID_MAX = 100 };

static const char *const hosts[] = {"name.i2p", "other.i2p",
	"ukeu3k5oycgaauneqgtnvselmt4yemvoilkln7jpvamvfx7dnkdq.b32.i2p", "name.example", "192.0.2.7", NULL};

enum sam_conn { SAM_CONN_NEW, SAM_CONN_SESSION, SAM_CONN_STREAM, SAM_CONN_ACCEPTS, SAM_CONN_ACCEPTED };

struct bridge_conn {
	enum sam_conn kind;
	char id[ID_MAX + 1];     /* of the session that it is, or goes through */
	char priv[PRIV_LEN + 1]; /* of the session's destination */
	struct tunnel tunnel;
};

/* Does a bridge speak SAM 3.3, with ports and several accepts, or 3.1? */
static bool is_new[PEERS];
static unsigned ngenerated;

static struct conn *find_session(struct peer *p, const char *id)
{
	list_for_each(link, &p->conns) {
		struct conn *c = list_entry(link, struct conn, link);
		struct bridge_conn *b = c->state;

		if (b->kind == SAM_CONN_SESSION && strcmp(b->id, id) == 0)
			return c;
	}
	return NULL;
}

static struct conn *find_destination(struct peer *p, const char *priv)
{
	list_for_each(link, &p->conns) {
		struct conn *c = list_entry(link, struct conn, link);
		struct bridge_conn *b = c->state;

		if (b->kind == SAM_CONN_SESSION && strcmp(b->priv, priv) == 0)
			return c;
	}
	return NULL;
}

static void word(const char *line, const char *key, char *out, size_t size)
{
	const char *p = strstr(line, key);
	size_t len = p ? strcspn(p + strlen(key), " ") : 0;

	CHECK(len < size, "a word that is too long: %s", line);
	snprintf(out, size, "%.*s", (int)len, p ? p + strlen(key) : "");
}

/* The public part is a destination; what follows it is nobody's but its owner's. */
static void generate(struct world *w, char priv[static PRIV_LEN + 1])
{
	memset(priv, 'A', PUB_LEN);
	for (unsigned n = ++ngenerated, i = 0; n > 0; n /= 20, i++)
		priv[i] = (char)('B' + n % 20);
	world_make_secret(w, priv + PUB_LEN, PRIV_LEN - PUB_LEN + 1);
}

static void say_create(struct conn *c, struct bridge_conn *b, const char *line)
{
	char id[ID_MAX + 1], priv[PRIV_LEN + 1];

	word(line, " ID=", id, sizeof(id));
	word(line, " DESTINATION=", priv, sizeof(priv));
	if (strcmp(priv, "TRANSIENT") == 0)
		generate(c->peer->world, priv);
	CHECK(strlen(priv) == PRIV_LEN, "a session with a key that no bridge made");
	if (find_session(c->peer, id)) {
		conn_sayf(c, "SESSION STATUS RESULT=DUPLICATED_ID\n");
		return;
	}
	if (find_destination(c->peer, priv)) {
		conn_sayf(c, "SESSION STATUS RESULT=DUPLICATED_DEST\n");
		return;
	}
	b->kind = SAM_CONN_SESSION;
	strcpy(b->id, id);
	strcpy(b->priv, priv);
	conn_sayf(c, "SESSION STATUS RESULT=OK DESTINATION=%s\n", priv);
}

static void say_connect(struct conn *c, struct bridge_conn *b, const char *line)
{
	word(line, " ID=", b->id, sizeof(b->id));
	word(line, " DESTINATION=", b->tunnel.host, sizeof(b->tunnel.host));
	CHECK(is_new[c->peer->index] == (strstr(line, "TO_PORT=") != NULL), "a port to the wrong bridge: %s", line);
	if (!find_session(c->peer, b->id)) {
		conn_sayf(c, "STREAM STATUS RESULT=INVALID_ID\n");
		conn_end(c, false);
		return;
	}
	b->kind = SAM_CONN_STREAM;
	snprintf(b->tunnel.identity, sizeof(b->tunnel.identity), "%s", b->id);
	conn_sayf(c, "STREAM STATUS RESULT=OK\n");
	c->is_stream = true;
	tunnel_greet(&b->tunnel, c);
}

static void say_accept(struct conn *c, struct bridge_conn *b, const char *line)
{
	struct conn *session;

	word(line, " ID=", b->id, sizeof(b->id));
	session = find_session(c->peer, b->id);
	if (!session) {
		conn_sayf(c, "STREAM STATUS RESULT=INVALID_ID\n");
		conn_end(c, false);
		return;
	}
	list_for_each(link, &c->peer->conns) {
		struct bridge_conn *other = list_entry(link, struct conn, link)->state;

		if (!is_new[c->peer->index] && other->kind == SAM_CONN_ACCEPTS && strcmp(other->id, b->id) == 0) {
			conn_sayf(c, "STREAM STATUS RESULT=ALREADY_ACCEPTING\n");
			conn_end(c, false);
			return;
		}
	}
	b->kind = SAM_CONN_ACCEPTS;
	strcpy(b->priv, ((struct bridge_conn *)session->state)->priv);
	conn_sayf(c, "STREAM STATUS RESULT=OK\n");
}

static void answer(struct conn *c, struct bridge_conn *b, const char *line)
{
	char priv[PRIV_LEN + 1];

	if (strncmp(line, "HELLO ", 6) == 0) {
		conn_sayf(c, "HELLO REPLY RESULT=OK VERSION=%s\n", is_new[c->peer->index] ? "3.3" : "3.1");
	} else if (strncmp(line, "DEST GENERATE", 13) == 0) {
		generate(c->peer->world, priv);
		conn_sayf(c, "DEST REPLY PUB=%.*s PRIV=%s\n", PUB_LEN, priv, priv);
	} else if (strncmp(line, "SESSION CREATE ", 15) == 0) {
		say_create(c, b, line);
	} else if (strncmp(line, "NAMING LOOKUP NAME=ME", 21) == 0) {
		conn_sayf(c, "NAMING REPLY RESULT=OK NAME=ME VALUE=%.*s\n", PUB_LEN, b->priv);
	} else if (strncmp(line, "STREAM CONNECT ", 15) == 0) {
		say_connect(c, b, line);
	} else if (strncmp(line, "STREAM ACCEPT ", 14) == 0) {
		say_accept(c, b, line);
	} else {
		CHECK(strncmp(line, "PONG", 4) == 0, "no command of SAM: %s", line);
	}
}

static void begin(struct conn *c)
{
	c->state = xcalloc(1, sizeof(struct bridge_conn));
}

static void hear(struct conn *c)
{
	struct bridge_conn *b = c->state;
	struct buf line = BUF_INIT;
	const char *text;

	while (b->kind != SAM_CONN_STREAM && b->kind != SAM_CONN_ACCEPTED && (text = conn_line(c, &line)))
		answer(c, b, text);
	if (b->kind == SAM_CONN_STREAM)
		tunnel_hear(&b->tunnel, c);
	buf_done(&line);
}

static bool is_through(const struct conn *c, const void *id)
{
	const struct bridge_conn *b = c->state;

	return b->kind != SAM_CONN_SESSION && strcmp(b->id, id) == 0;
}

/* Streams and accepts end with their session. */
static void over(struct conn *c)
{
	struct bridge_conn *b = c->state;

	if (b->kind == SAM_CONN_SESSION)
		peer_end_where(c->peer, is_through, b->id);
}

/* The part of a key that is nobody's but its owner's, or "". */
static const char *secret_of(const struct conn *c, const char *heard)
{
	static char priv[PRIV_LEN + 1];
	const struct bridge_conn *b = c->state;

	if (b->priv[0])
		return b->priv + PUB_LEN;
	if (!strstr(heard, " DESTINATION=") || strstr(heard, "STREAM CONNECT"))
		return "";
	word(heard, " DESTINATION=", priv, sizeof(priv));
	return strlen(priv) == PRIV_LEN ? priv + PUB_LEN : "";
}

static void refuse(struct conn *c, bool echo, struct buf *out)
{
	static const char *const results[] = {"I2P_ERROR", "CANT_REACH_PEER", "INVALID_KEY", "KEY_NOT_FOUND",
		"PEER_NOT_FOUND", "TIMEOUT", "LEASESET_NOT_FOUND", "INVALID_ID", "DUPLICATED_ID", "NEW_ONE"};
	const char *heard = buf_str(&c->last), *what = "SESSION STATUS";
	size_t len = strcspn(heard, "\r\n");

	if (strncmp(heard, "HELLO", 5) == 0)
		what = "HELLO REPLY";
	else if (strncmp(heard, "STREAM", 6) == 0)
		what = "STREAM STATUS";
	else if (strncmp(heard, "DEST", 4) == 0)
		what = "DEST REPLY";
	buf_addf(out, "%s RESULT=%s", what, results[below(c->peer->chance, ARRAY_LEN(results))]);
	/* In quotes a word may be anywhere, and as long as it likes. */
	if (echo && below(c->peer->chance, 2))
		buf_addf(out, " MESSAGE=\"no: %s %.*s\"", secret_of(c, heard), (int)len, heard);
	else if (echo)
		buf_addf(out, " MESSAGE=%.*s", (int)len, heard);
	buf_addc(out, '\n');
}

static const struct script script = {.begin = begin, .hear = hear, .over = over, .refuse = refuse};

static void open_peer(struct peer *p)
{
	is_new[p->index] = below(p->chance, 2);
	peer_add_port(p, &script);
}

static struct value *entry(struct peer *p, enum isolation isolation)
{
	struct value *v = value_map();

	value_map_set(v, "host", value_cstring("127.0.0.1"));
	value_map_set(v, "port", value_int(p->ports[0].number));
	add_isolation(v, isolation);
	if (below(p->chance, 3) == 0)
		value_map_set(v, "persistent", value_bool(false));
	if (below(p->chance, 2))
		value_map_set(v, "session_idle_timeout", value_cstring("3s"));
	return v;
}

static bool visit(struct peer *p, const char *name, const char *address, const char *text)
{
	(void)name;
	list_for_each(link, &p->conns) {
		struct conn *c = list_entry(link, struct conn, link);
		struct bridge_conn *b = c->state;
		char pub[PUB_LEN + 1], b32[B32_NAME_MAX];

		if (b->kind != SAM_CONN_ACCEPTS || c->stalled)
			continue;
		snprintf(pub, sizeof(pub), "%.*s", PUB_LEN, b->priv);
		CHECK(destination_b32(pub, b32), "the test's destination is none");
		/* Of a bridge that did not tell our name only the session is known. */
		if (strcmp(b32, address) != 0 && (strncmp(address, "i2p:", 4) != 0 || strcmp(b->id, address + 4) != 0))
			continue;
		b->kind = SAM_CONN_ACCEPTED;
		c->is_stream = true;
		conn_enter(c);
		conn_sayf(c, "%.*s%s\n%s", PUB_LEN, b->priv, is_new[p->index] ? " FROM_PORT=0 TO_PORT=80" : "", text);
		conn_leave(c);
		return true;
	}
	return false;
}

/* A session is spoken to, or ended. */
static void stir(struct peer *p)
{
	static const char *const words[] = {"PING %llu\n", "SESSION STATUS RESULT=I2P_ERROR MESSAGE=\"tunnels %llu\"\n",
		"PING\n", "NAMING REPLY RESULT=OK NAME=ME VALUE=%llu\n", "\n"};
	struct conn *c = peer_any(p);
	struct bridge_conn *b = c ? c->state : NULL;

	if (!b || b->kind != SAM_CONN_SESSION)
		return;
	conn_enter(c);
	if (below(p->chance, 3)) {
		char line[128];

		snprintf(line, sizeof(line), words[below(p->chance, ARRAY_LEN(words))],
			(unsigned long long)chance_next(p->chance));
		conn_say(c, line, strlen(line));
	} else {
		conn_end(c, below(p->chance, 2));
	}
	conn_leave(c);
}

static bool is_deaf_accept(const struct conn *c, const void *arg)
{
	const struct bridge_conn *b = c->state;

	(void)arg;
	return b->kind == SAM_CONN_ACCEPTS && c->stalled;
}

/* An accept that the bridge will never serve looks to its client like one for which nobody comes. */
static void heal(struct peer *p)
{
	peer_end_where(p, is_deaf_accept, NULL);
}

/* With the first attempt at a session "starting" is over. */
static bool may_follow(enum overlay_state from, enum overlay_state to, bool was_ready)
{
	(void)from;
	(void)was_ready;
	return to != OVERLAY_STARTING;
}

static const struct protocol protocol = {
	.driver = &i2p_driver,
	.hosts = hosts,
	.open_peer = open_peer,
	.entry = entry,
	.visit = visit,
	.stir = stir,
	.heal = heal,
	.may_follow = may_follow,
	.settle_s = 400, /* a SESSION CREATE that is never answered is given up after 240 s */
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
