/*
 * sam.h - the client side of an I2P bridge's SAM v3 as a pure step machine: bytes in, bytes out, no socket, no clock.
 *
 * SAM is lines of text ended by LF (https://geti2p.net/en/docs/api/samv3): a client says a command, the bridge answers
 * with one line of KEY=value words. A machine plays one of three parts on a connection of its own:
 *
 *     SAM_SESSION  HELLO, [DEST GENERATE,] SESSION CREATE [, NAMING LOOKUP NAME=ME], then stands: it answers the bridge's
 *                  PING and notices when the bridge ends the session. The session lives as long as the connection.
 *     SAM_CONNECT  HELLO, STREAM CONNECT; after the bridge's OK the connection is the stream.
 *     SAM_ACCEPT   HELLO, STREAM ACCEPT; after OK it waits for a peer, and after the line that names it the connection is
 *                  the stream.
 *     SAM_PROBE    HELLO only: is there a bridge, and of which version?
 *
 * The caller moves bytes: what is in `out` goes to the bridge; what came is offered to sam_feed(), which takes at most one
 * line and never a byte beyond the line that ends the exchange: payload stays in the socket for whoever gets the
 * descriptor. One thread at a time. A private key passes through the machine; it is wiped in sam_done() and never
 * part of an error.
 */
#ifndef OVERLAY_I2P_SAM_H
#define OVERLAY_I2P_SAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "net/addr.h"

enum {
	SAM_LINE_MAX = 8192, /* of a line of the bridge; a longer one is an error */
	SAM_ID_MAX = 96,
	SAM_OPTIONS_MAX = 256,
	SAM_KEY_MAX = 4096,      /* of a private key's base64; Ed25519 has 500 to 900 */
	SAM_VERSION_PORTS = 302, /* since 3.2 a STREAM CONNECT can carry a port, and a session take several accepts */
};

enum sam_part { SAM_SESSION, SAM_CONNECT, SAM_ACCEPT, SAM_PROBE };

/* Borrowed for sam_init(). */
struct sam_request {
	enum sam_part part;
	const char *id; /* of the session; at most SAM_ID_MAX bytes, no blanks */
	/* SAM_SESSION */
	bool keeps_key;                   /* the destination is to be known: private_key(), name() */
	const struct secret *private_key; /* its key; NULL: the bridge makes one. Only with keeps_key */
	const char *options;              /* " inbound.length=1 ...", at most SAM_OPTIONS_MAX; NULL: none */
	/* SAM_CONNECT */
	const char
		*host; /* "name.i2p", "<52 characters>.b32.i2p" or a base64 destination; goes to the bridge as it is */
	uint16_t port; /* told to bridges that can carry it */
};

enum sam_state {
	SAM_START,
	SAM_HELLO,
	SAM_GENERATE, /* DEST GENERATE sent */
	SAM_CREATE,   /* SESSION CREATE sent: the bridge builds tunnels */
	SAM_LOOKUP,   /* NAMING LOOKUP NAME=ME sent */
	SAM_STANDING, /* the session is there; stays until the bridge ends it */
	SAM_STATUS,   /* STREAM CONNECT or STREAM ACCEPT sent */
	SAM_PEER,     /* accepting: waiting for a peer, for as long as it takes */
	SAM_READY,
	SAM_FAILED,
};

enum sam_step { SAM_STEP_NEED_INPUT, SAM_STEP_DONE, SAM_STEP_FAILED };

struct sam {
	enum sam_part part;
	enum sam_state state;
	struct buf out;
	struct err err; /* set in SAM_FAILED: "SESSION CREATE rejected: SESSION STATUS RESULT=I2P_ERROR"; no "i2p: " */
	unsigned version; /* 301 for "3.1"; 0 = not told yet */
	char id[SAM_ID_MAX + 1];
	char options[SAM_OPTIONS_MAX + 1];
	bool keeps_key;
	struct secret *private_key; /* with keeps_key, once known */
	char *name; /* with keeps_key, once looked up: our destination's base64. NULL: the bridge did not say */
	char *host;
	uint16_t port;
	char *peer;                  /* SAM_ACCEPT, ready: the peer's destination, base64 */
	uint16_t from_port, to_port; /* of the peer; 0 = not told */
	bool line_ended;
	size_t line_len;
	char line[SAM_LINE_MAX + 1];
};

void sam_init(struct sam *m, const struct sam_request *r);
/* Wipe and free. */
void sam_done(struct sam *m);

/* Offer what came; returns how many bytes the machine took (at most up to the end of a line; 0 in final states and until
 * the line before was stepped over). */
size_t sam_feed(struct sam *m, const char *bytes, size_t len);
/* Advance as far as what was fed allows; the caller sends `out` afterwards. Harmless in a final state. */
enum sam_step sam_step(struct sam *m);
/* The bridge closed the connection: fail with what is known. Does nothing in a final state. */
void sam_eof(struct sam *m);

/* What is going on, in the words of errors: "SAM handshake", "STREAM CONNECT"; with `is_reply` of waiting for the answer:
 * "SAM handshake response", "STREAM ACCEPT destination". */
const char *sam_phase(const struct sam *m, bool is_reply);

#endif
