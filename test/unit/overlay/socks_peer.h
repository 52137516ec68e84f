/*
 * socks_peer.h - a scripted SOCKS5 server (RFC 1928, RFC 1929) whose tunnels end at the schedule's target.
 */
#ifndef SOCKS_PEER_H
#define SOCKS_PEER_H

#include "schedule_world.h"

enum socks_step { SOCKS_GREETING, SOCKS_LOGIN, SOCKS_REQUEST, SOCKS_TUNNEL };

struct socks_state {
	enum socks_step step;
	struct tunnel tunnel;
	const void *owner; /* for who has several servers */
	char user[64], password[64];
};

/* What a server makes of credentials; its peer's protocol sets them. */
struct socks_manners {
	bool wants_login;
	bool insists; /* on it, with clients that offer none */
	/* NULL: any will do. */
	const char *user, *password;
};

static struct socks_manners (*socks_manners_of)(struct conn *c);

static void socks_begin(struct conn *c)
{
	c->state = xcalloc(1, sizeof(struct socks_state));
}

static void socks_refuse(struct conn *c, bool echo, struct buf *out)
{
	static const unsigned char codes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0xe0, 0xe1, 0xe2, 0xf0, 0xf7, 0xff};
	struct socks_state *s = c->state;

	switch (s->step) {
	case SOCKS_GREETING:
		buf_add(out, "\5\xff", 2);
		break;
	case SOCKS_LOGIN:
		buf_add(out, "\1\1", 2);
		break;
	case SOCKS_REQUEST:
		buf_add(out, "\5", 1);
		buf_addc(out, (char)codes[below(c->peer->chance, sizeof(codes))]);
		buf_add(out, "\0\1\0\0\0\0\0\0", 8);
		break;
	case SOCKS_TUNNEL:
		break;
	}
	if (echo)
		buf_add(out, buf_data(&c->last), buf_len(&c->last));
}

static bool socks_has(struct conn *c, size_t len)
{
	return buf_len(&c->in) >= len;
}

static unsigned char socks_byte(struct conn *c, size_t i)
{
	return (unsigned char)buf_data(&c->in)[i];
}

static bool socks_greeting(struct conn *c, struct socks_state *s)
{
	struct socks_manners m = socks_manners_of(c);
	bool offers = false, wants;
	size_t n;

	if (!socks_has(c, 2) || !socks_has(c, 2 + (size_t)socks_byte(c, 1)))
		return false;
	CHECK(socks_byte(c, 0) == 5, "no SOCKS5 greeting");
	n = socks_byte(c, 1);
	for (size_t i = 0; i < n; i++)
		offers |= socks_byte(c, 2 + i) == 2;
	buf_consume(&c->in, 2 + n);
	wants = m.wants_login && (offers || m.insists);
	if (wants && !offers) {
		conn_say(c, "\5\xff", 2);
		conn_end(c, false);
		return false;
	}
	conn_say(c, wants ? "\5\2" : "\5\0", 2);
	s->step = wants ? SOCKS_LOGIN : SOCKS_REQUEST;
	return true;
}

static bool socks_login(struct conn *c, struct socks_state *s)
{
	struct socks_manners m = socks_manners_of(c);
	char user[256] = "", password[256] = "";
	size_t ulen, plen;
	bool right;

	if (!socks_has(c, 2) || !socks_has(c, 3 + (size_t)socks_byte(c, 1)))
		return false;
	ulen = socks_byte(c, 1);
	plen = socks_byte(c, 2 + ulen);
	if (!socks_has(c, 3 + ulen + plen))
		return false;
	memcpy(user, buf_data(&c->in) + 2, ulen);
	memcpy(password, buf_data(&c->in) + 3 + ulen, plen);
	buf_consume(&c->in, 3 + ulen + plen);
	right = !m.user || (strcmp(user, m.user) == 0 && strcmp(password, m.password) == 0);
	snprintf(s->tunnel.identity, sizeof(s->tunnel.identity), "%.60s:%.60s", user, password);
	conn_say(c, right ? "\1\0" : "\1\1", 2);
	s->step = SOCKS_REQUEST;
	return right;
}

static bool socks_request(struct conn *c, struct socks_state *s)
{
	size_t head = 4, len;
	const char *data = buf_data(&c->in);

	if (!socks_has(c, 5))
		return false;
	CHECK(socks_byte(c, 0) == 5 && socks_byte(c, 1) == 1 && socks_byte(c, 2) == 0, "no CONNECT");
	switch (socks_byte(c, 3)) {
	case 1:
		len = 4;
		break;
	case 4:
		len = 16;
		break;
	default:
		CHECK(socks_byte(c, 3) == 3, "no address type");
		len = socks_byte(c, 4);
		head++;
	}
	if (!socks_has(c, head + len + 2))
		return false;
	if (socks_byte(c, 3) == 3)
		snprintf(s->tunnel.host, sizeof(s->tunnel.host), "%.*s", (int)len, data + head);
	else
		inet_ntop(len == 4 ? AF_INET : AF_INET6, data + head, s->tunnel.host, sizeof(s->tunnel.host));
	s->tunnel.port = (uint16_t)(socks_byte(c, head + len) << 8 | socks_byte(c, head + len + 1));
	buf_consume(&c->in, head + len + 2);
	conn_say(c, "\5\0\0\1\0\0\0\0\0\0", 10);
	s->step = SOCKS_TUNNEL;
	c->is_stream = true;
	tunnel_greet(&s->tunnel, c);
	return true;
}

static void socks_hear(struct conn *c)
{
	bool goes_on = true;

	while (goes_on && !conn_is_over(c)) {
		struct socks_state *s = c->state;

		switch (s->step) {
		case SOCKS_GREETING:
			goes_on = socks_greeting(c, s);
			break;
		case SOCKS_LOGIN:
			goes_on = socks_login(c, s);
			break;
		case SOCKS_REQUEST:
			goes_on = socks_request(c, s);
			break;
		case SOCKS_TUNNEL:
			tunnel_hear(&s->tunnel, c);
			goes_on = false;
			break;
		}
	}
}

static const struct script socks_script = {.begin = socks_begin, .hear = socks_hear, .refuse = socks_refuse};

#endif
