/*
 * machine.h - the client side of a SOCKS5 CONNECT as a pure step machine: bytes in, bytes out, no socket, no clock.
 *
 * RFC 1928 (SOCKS5), RFC 1929 (username/password), and the reply codes Tor adds under `ExtendedErrors` (tor(1),
 * Tor proposal 304). Only CONNECT. The target's name is never resolved: a canonical IPv4 or IPv6 literal travels as an
 * address, everything else as a name.
 *
 * The caller moves bytes: what is in `out` goes to the proxy; at most socks5_machine_wants() bytes from the proxy are
 * added to `in`. That limit never reaches past the last byte of the proxy's final reply, so the first byte of the
 * stream stays in the socket for whoever gets the descriptor. Refusals are known from the first byte that tells; bytes
 * after it are not waited for.
 *
 * One thread at a time. Credentials are held in `auth` and `out` only, are erased from memory as soon as they have
 * served and again in socks5_machine_done(), and never appear in an error.
 */
#ifndef OVERLAY_SOCKS5_MACHINE_H
#define OVERLAY_SOCKS5_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
	SOCKS5_FIELD_MAX = 255, /* RFC 1928/1929: every length is one byte */
	SOCKS5_HOST_MAX = SOCKS5_FIELD_MAX,
	SOCKS5_AUTH_MAX = 3 + 2 * SOCKS5_FIELD_MAX,              /* VER ULEN UNAME PLEN PASSWD */
	SOCKS5_REPLY_MAX = 4 + 1 + SOCKS5_FIELD_MAX + 2,         /* VER REP RSV ATYP, length, name, port */
	SOCKS5_IN_MAX = 2 + 2 + SOCKS5_REPLY_MAX,                /* all a proxy can make us read */
	SOCKS5_OUT_MAX = 4 + SOCKS5_AUTH_MAX + SOCKS5_REPLY_MAX, /* all we ever send; a request is as long as a reply */
};

enum socks5_state {
	SOCKS5_START,
	SOCKS5_METHOD, /* greeting sent; the proxy chooses a method */
	SOCKS5_AUTH,   /* credentials sent */
	SOCKS5_REPLY,  /* CONNECT sent */
	SOCKS5_READY,
	SOCKS5_FAILED,
};

enum socks5_step { SOCKS5_STEP_NEED_INPUT, SOCKS5_STEP_DONE, SOCKS5_STEP_FAILED };

struct socks5_machine {
	enum socks5_state state;
	enum socks5_state failed_in; /* in SOCKS5_FAILED: the state before */
	struct buf in;
	struct buf out;
	struct err err;     /* set in SOCKS5_FAILED; without the "socks connect" prefix */
	bool offers_auth;   /* credentials were given */
	bool is_probe;      /* ends before the request */
	uint8_t reply;      /* the code of the proxy's reply, 0 = success or none came */
	bool authenticated; /* the proxy chose method 2 and accepted them */
	uint16_t port;
	size_t auth_len; /* 0: the credentials do not fit RFC 1929 */
	unsigned char auth[SOCKS5_AUTH_MAX];
	size_t host_len; /* SOCKS5_HOST_MAX + 1 stands for anything longer */
	char host[SOCKS5_HOST_MAX + 1];
};

/* Borrows its arguments. `username` and `password`: NULL or both "" offers no authentication. Never fails: what cannot
 * be sent (name too long, port 0, username of the wrong length) is the machine's error when its turn comes. */
void socks5_machine_init(
	struct socks5_machine *m, const char *host, uint16_t port, const char *username, const char *password);
/* The same without a target: READY as soon as the proxy has taken us, before any request (RFC 1928 section 3, RFC 1929). */
void socks5_machine_init_probe(struct socks5_machine *m, const char *username, const char *password);
/* Erase and free. */
void socks5_machine_done(struct socks5_machine *m);

/* Advance as far as `in` allows; the caller sends `out` afterwards. Calling it again in a final state is harmless. */
enum socks5_step socks5_machine_step(struct socks5_machine *m);

/* How many bytes may be read from the proxy now; 0 in SOCKS5_START and in final states. */
size_t socks5_machine_wants(const struct socks5_machine *m);

/* The proxy closed the connection: fail with what is known. Does nothing in a final state. */
void socks5_machine_eof(struct socks5_machine *m);

/* What the machine waits for: "the proxy to choose an authentication method", ... */
const char *socks5_machine_waits_for(const struct socks5_machine *m);

/* -- the table of refusals ------------------------------------------------------------------------ */

/* Fill `e` for reply code `rep` (not 0); returns -1. Known codes have a name, a kind and a stable code of their own. */
int socks5_reply_error(uint8_t rep, struct err *e);

#endif
