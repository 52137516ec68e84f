/*
 * schedule_world.h - what a random schedule of an overlay shares with its parts: the world, its checks, its secrets, and traps on every way that is not the overlay's.
 *
 * A check that fails prints the seed and aborts: SEED=<it> in the environment repeats that schedule alone. See schedule.h for how one goes.
 */
#ifndef SCHEDULE_WORLD_H
#define SCHEDULE_WORLD_H

#include "base/utf8.h"
#include "overlay/driver.h"
#include "scripted_peer.h"
#include "virtual_time.h"

enum {
	PEERS = 2,
	INSTANCES_MAX = 64,
	NONCES_MAX = 4096,
	IDENTITY_MAX = 128,
	SECRETS_MAX = 4096,
	SECRET_SHOWN = 8, /* so many bytes of one are enough to tell it */
};

struct protocol {
	const struct overlay_driver *driver;
	const char *const *hosts; /* that are dialled; NULL at the end. The trap's own address comes to them */
	bool tunnels_have_ports;
	bool dials_literals;
	/* Give the peer its ports. */
	void (*open_peer)(struct peer *p);
	void (*close_peer)(struct peer *p); /* before its connections end; may be NULL */
	/* A new instance's data towards this peer; adds its secrets. */
	struct value *(*entry)(struct peer *p, enum isolation isolation);
	/* Somebody comes to the listener at `address` and says `text`. False: there is no way now. NULL: it cannot listen. */
	bool (*visit)(struct peer *p, const char *name, const char *address, const char *text);
	/* Something that a peer does of itself, of chance. May be NULL. */
	void (*stir)(struct peer *p);
	/* Take back what stir() did, and what nobody but people can mend. May be NULL. */
	void (*heal)(struct peer *p);
	/* May a state follow on another? `was_ready`: it was once. */
	bool (*may_follow)(enum overlay_state from, enum overlay_state to, bool was_ready);
	/* May the program connect there, beside the peers' ports? NULL: no. */
	bool (*may_connect)(const struct sockaddr_in *to);
	bool (*is_over)(void); /* is nothing of it left once all is stopped? May be NULL */
	unsigned settle_s;     /* so long after all is well it may take until all works */
};

/* One started overlay of the entry. */
struct instance {
	struct world *world;
	struct overlay *overlay; /* a reference */
	uint64_t generation;
	unsigned peer;
	enum isolation isolation;
	bool stopped, was_ready, told_any;
	enum overlay_state state; /* told last */
	char reason[OVERLAY_REASON_MAX], address[OVERLAY_REASON_MAX];
	struct loop_timer drain;
};

/* A number that one dial alone sends to its target. */
struct nonce {
	char host[128];
	uint16_t port;
	unsigned peer;
	bool alone; /* its identity is nobody else's */
	char key[ISOLATION_KEY_MAX];
	bool came;
	char identity[IDENTITY_MAX]; /* with which it came */
	uint64_t generation;
};

struct world {
	const struct protocol *protocol;
	uint64_t seed;
	struct chance chance;
	struct loop *loop; /* control thread, peers */
	struct overlay_env env;
	struct overlay_set *set;
	struct peer peers[PEERS];
	uint16_t trap_port;
	int trap_fd;
	pthread_mutex_t lock; /* of what follows */
	struct instance instances[INSTANCES_MAX];
	unsigned ninstances;
	struct nonce nonces[NONCES_MAX];
	unsigned nnonces;
	char *secrets[SECRETS_MAX];
	unsigned nsecrets;
};

static struct world *world;
static const char *schedule_stage = "before the first schedule";

static void __attribute__((noreturn, format(printf, 3, 4)))
schedule_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "\nSEED=%llu fails at %s:%d (%s, %.3f s): ", world ? (unsigned long long)world->seed : 0, file,
		line, schedule_stage, (double)(vt_now_ns() - VT_BEGIN_NS) / 1e9);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

#define CHECK(condition, ...)                                             \
	do {                                                              \
		if (!(condition))                                         \
			schedule_fail(__FILE__, __LINE__, ##__VA_ARGS__); \
	} while (0)

static void schedule_hung(const char *why)
{
	schedule_fail(__FILE__, __LINE__, "%s", why);
}

/* -- texts for people --------------------------------------------------------------------------------- */

/* The world keeps a copy. */
static void __attribute__((unused)) world_add_secret(struct world *w, const char *text)
{
	CHECK(strlen(text) >= SECRET_SHOWN && w->nsecrets < SECRETS_MAX, "more secrets than there is room for");
	pthread_mutex_lock(&w->lock);
	w->secrets[w->nsecrets++] = xstrdup(text);
	pthread_mutex_unlock(&w->lock);
}

/* Of letters and digits, told apart from all others by its first SECRET_SHOWN bytes. */
static void __attribute__((unused)) world_make_secret(struct world *w, char *out, size_t size)
{
	static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";

	for (size_t i = 0; i + 1 < size; i++)
		out[i] = letters[below(&w->chance, sizeof(letters) - 1)];
	out[size - 1] = '\0';
	world_add_secret(w, out);
}

static void check_no_secret(const char *what, const char *text)
{
	char beginning[SECRET_SHOWN + 1];

	pthread_mutex_lock(&world->lock);
	for (unsigned i = 0; i < world->nsecrets; i++) {
		snprintf(beginning, sizeof(beginning), "%s", world->secrets[i]);
		CHECK(!strstr(text, beginning), "%s shows the secret '%s': %s", what, world->secrets[i], text);
	}
	pthread_mutex_unlock(&world->lock);
}

/* One sentence: one line, readable, no secret, not cut at its beginning or after a colon. */
static void check_sentence(const char *what, const char *text)
{
	size_t len = strlen(text);

	CHECK(utf8_is_valid(text, len), "%s is no UTF-8: %s", what, text);
	for (size_t i = 0; i < len; i++)
		CHECK((unsigned char)text[i] >= ' ' && text[i] != 0x7f, "%s has a control character: %s", what, text);
	/* "... failed:", with nothing behind it. What a peer said may end in any way. */
	CHECK(len > 3 && text[0] != ' ' && text[0] != ':' && strcmp(text + len - 3, "ed:") != 0,
		"%s is no sentence: '%s'", what, text);
	check_no_secret(what, text);
}

/* As log_sink_fn. */
static void check_log(void *arg, const struct log_record *r)
{
	(void)arg;
	if (!world)
		return;
	if (getenv("SCHEDULE_LOG"))
		fprintf(stderr, "%9.3f %s: %s", (double)(vt_now_ns() - VT_BEGIN_NS) / 1e9, r->name, r->message);
	check_sentence("a log record", r->message);
	for (size_t i = 0; i < r->nfields; i++) {
		if (r->fields[i].type != LOG_TYPE_STR)
			continue;
		check_no_secret("a log record", r->fields[i].str);
		if (getenv("SCHEDULE_LOG"))
			fprintf(stderr, " %s='%s'", r->fields[i].key, r->fields[i].str);
	}
	if (getenv("SCHEDULE_LOG"))
		fputc('\n', stderr);
}

/* -- entries ------------------------------------------------------------------------------------------ */

/* The fields of an entry that ask for it. */
static void __attribute__((unused)) add_isolation(struct value *entry, enum isolation isolation)
{
	static const char *const names[] = {
		[ISOLATION_PROCESS] = "process", [ISOLATION_HOST] = "host", [ISOLATION_NAME] = "mail"};

	if (isolation == ISOLATION_DIAL)
		value_map_set(entry, "isolate_streams", value_bool(true));
	else if (isolation != ISOLATION_NONE)
		value_map_set(entry, "isolation", value_cstring(names[isolation]));
}

/* -- traps -------------------------------------------------------------------------------------------- */

/* Of the thread that plays the peers, while it does what is theirs. */
static _Thread_local bool is_peer;

static bool is_peer_port(uint16_t number)
{
	for (unsigned i = 0; i < PEERS; i++) {
		for (unsigned k = 0; k < world->peers[i].nports; k++) {
			if (world->peers[i].ports[k].number == number)
				return true;
		}
	}
	return false;
}

/* Stands before the C library's. */
int connect(int fd, const struct sockaddr *to, socklen_t len)
{
	int (*next)(int, const struct sockaddr *, socklen_t) =
		(int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "connect");
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)to;

	if (world && vt_self && !is_peer && to->sa_family != AF_UNIX) {
		CHECK(to->sa_family == AF_INET && ntohl(in->sin_addr.s_addr) == INADDR_LOOPBACK &&
				ntohs(in->sin_port) != world->trap_port,
			"somebody connects past the overlay");
		CHECK(is_peer_port(ntohs(in->sin_port)) ||
				(world->protocol->may_connect && world->protocol->may_connect(in)),
			"somebody connects to port %u, where no peer is", ntohs(in->sin_port));
	}
	return next(fd, to, len);
}

/* The same: datagrams would be a way, too. */
int socket(int family, int type, int protocol)
{
	int (*next)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");

	CHECK(!world || !vt_self || family == AF_UNIX || family == AF_NETLINK ||
			(type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) == SOCK_STREAM,
		"somebody makes a socket for datagrams");
	return next(family, type, protocol);
}

/* -- what came through the tunnel ---------------------------------------------------------------------- */

static void check_identity(struct world *w, const struct nonce *n, const char *identity)
{
	for (unsigned i = 0; i < w->nnonces; i++) {
		const struct nonce *other = &w->nonces[i];

		if (other == n || !other->came || strcmp(other->identity, identity) != 0)
			continue;
		CHECK(!n->alone && !other->alone, "a stream that shares with nobody came as '%s', as another did",
			identity);
		CHECK(strcmp(n->key, other->key) == 0, "two keys, '%s' and '%s', came under one identity '%s'", n->key,
			other->key, identity);
		CHECK(n->key[0] == '\0' || n->generation == other->generation,
			"the identity '%s' outlived its instance", identity);
	}
}

/* A stream of ours said its number at the end of a tunnel. */
static void world_note_tunnel(
	struct peer *p, unsigned long number, const char *host, uint16_t port, const char *identity)
{
	struct world *w = p->world;
	struct nonce *n = &w->nonces[number % NONCES_MAX];

	pthread_mutex_lock(&w->lock);
	CHECK(number < w->nnonces, "a number that nobody has came through a tunnel: %lu", number);
	CHECK(!n->came, "number %lu came twice", number);
	CHECK(strcmp(host, n->host) == 0, "what was for '%s' came to '%s'", n->host, host);
	CHECK(!w->protocol->tunnels_have_ports || port == n->port, "what was for port %u came to %u", n->port, port);
	CHECK(p->index == n->peer, "what was for peer %u came through %u", n->peer, p->index);
	check_identity(w, n, identity);
	n->came = true;
	snprintf(n->identity, sizeof(n->identity), "%s", identity);
	pthread_mutex_unlock(&w->lock);
}

/* -- the target at the end of a tunnel ------------------------------------------------------------------ */

struct tunnel {
	char host[HOST_TEXT_MAX + 1];
	uint16_t port;
	char identity[IDENTITY_MAX];
	bool known; /* it has said its number: an echo from now on */
};

/* The target greets, so that its first bytes come right behind the peer's last ones. */
static void __attribute__((unused)) tunnel_greet(struct tunnel *t, struct conn *c)
{
	conn_sayf(c, "HELLO %s\n", t->host);
}

/* conn_hear() of a tunnel. */
static void __attribute__((unused)) tunnel_hear(struct tunnel *t, struct conn *c)
{
	struct buf line = BUF_INIT, answer = BUF_INIT;
	const char *text;

	while (!t->known && (text = conn_line(c, &line))) {
		unsigned long number;

		CHECK(sscanf(text, "NUMBER %lu", &number) == 1, "bytes that no stream of ours sends: %s", text);
		t->known = true;
		world_note_tunnel(c->peer, number, t->host, t->port, t->identity);
		conn_sayf(c, "ECHO %lu\n", number);
	}
	if (t->known && !conn_is_over(c) && buf_len(&c->in) > 0) {
		buf_add(&answer, buf_data(&c->in), buf_len(&c->in));
		buf_clear(&c->in);
		conn_say(c, buf_data(&answer), buf_len(&answer));
	}
	buf_done(&answer);
	buf_done(&line);
}

/* -- who comes to a listener ---------------------------------------------------------------------------- */

static void visitor_hear(struct conn *c)
{
	CHECK(buf_len(&c->in) <= 5 && memcmp(buf_data(&c->in), "SEEN\n", buf_len(&c->in)) == 0,
		"a visitor was told '%s'", buf_str(&c->in));
}

static const struct script visitor_script = {.hear = visitor_hear};

/* Takes the visitor's end of a connection. */
static void __attribute__((unused)) visitor_come(struct peer *p, int fd, const char *text)
{
	struct conn *c = conn_new(p, &visitor_script, fd, fd);

	c->is_stream = true;
	conn_enter(c);
	conn_say(c, text, strlen(text));
	conn_leave(c);
}

#endif
