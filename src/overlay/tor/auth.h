/*
 * auth.h - how a controller becomes trusted by Tor, as a pure step machine: PROTOCOLINFO, [AUTHCHALLENGE,] AUTHENTICATE
 * (https://spec.torproject.org/control-spec, "AUTHENTICATE", "PROTOCOLINFO", "AUTHCHALLENGE").
 *
 * With a password only a password is offered. Without one: nothing when Tor asks for nothing, else the cookie by challenge and answer (SAFECOOKIE), in which both sides show
 * that they know it. The plain cookie (COOKIE) is sent only when the entry names its file: whoever listens on Tor's port could name any file of ours of 32 bytes.
 *
 * Secrets are wiped in auth_done() and are in no error. One thread at a time.
 */
#ifndef OVERLAY_TOR_AUTH_H
#define OVERLAY_TOR_AUTH_H

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "overlay/tor/control.h"

enum { COOKIE_BYTES = 32, COOKIE_PATH_MAX = 1024, CONTROL_PASSWORD_MAX = 1024, TOR_VERSION_MAX = 64 };

/* The file's 32 bytes; -1 with a sentence that names the file. May block for a moment. */
typedef int auth_read_cookie_fn(const char *path, unsigned char out[static COOKIE_BYTES], struct err *e);

enum auth_state { AUTH_PROTOCOLINFO, AUTH_CHALLENGE, AUTH_AUTHENTICATE, AUTH_OK, AUTH_FAILED };
enum auth_step { AUTH_STEP_NEED_REPLY, AUTH_STEP_DONE, AUTH_STEP_FAILED };

struct auth {
	enum auth_state state;
	struct buf out;                    /* to be sent; whoever does wipes what was */
	struct err err;                    /* in AUTH_FAILED; no "tor: " */
	char version[TOR_VERSION_MAX + 1]; /* "0.4.8.10"; "" = not told */

	const struct secret *password;
	const char *cookie_file;
	auth_read_cookie_fn *read_cookie;
	unsigned char cookie[COOKIE_BYTES], nonce[32];
	struct secret *sent_cookie; /* its text, once it goes out as it is: so it is hidden in whatever comes back */
};

/* The arguments are borrowed until auth_done(). `password` NULL: none, else at most CONTROL_PASSWORD_MAX bytes; `cookie_file` NULL: as Tor says. `out` has the first command then. */
void auth_init(
	struct auth *a, const struct secret *password, const char *cookie_file, auth_read_cookie_fn *read_cookie);
void auth_done(struct auth *a);
/* The reply to the last command. Harmless in a final state. */
enum auth_step auth_reply(struct auth *a, const struct control_reader *r);
/* What is going on, in the words of errors: "AUTHENTICATE". */
const char *auth_phase(const struct auth *a);

#endif
