/*
 * lines.h - what the sidecar says, as pure readers: lines of its standard output, and the notices that come with accepted connections. No descriptors, no clock.
 *
 *     {"event":"state","phase":"ready","reason":"","address":"100.64.0.3","name":"wippy.tail1234.ts.net"}
 *     {"event":"listening","id":3,"address":"100.64.0.3:8080"}
 *     {"event":"listen_failed","id":3,"error":"no certificate for wippy.tail1234.ts.net: ...","again":true}
 *
 * and with a connection: {"id":3,"peer":"100.64.0.7:51234","tls":false,"who":{"login":"a@example.com","node":"b.tail1234.ts.net","tags":["tag:web"]}}
 *
 * The sidecar is ours, but what it tells comes from the control server and from peers: everything is bounded, texts lose their control characters. Unknown events and members are
 * passed over, so that either side may be newer. One thread at a time.
 */
#ifndef OVERLAY_TAILSCALE_LINES_H
#define OVERLAY_TAILSCALE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "overlay/overlay.h"
#include "value/value.h"

enum { SIDECAR_LINE_MAX = 65536, SIDECAR_NOTICE_MAX = 32768, SIDECAR_TEXT_MAX = OVERLAY_REASON_MAX };

/* -- lines out of a stream of bytes ------------------------------------------------------------------ */

struct sidecar_lines {
	struct buf in;
	size_t taken;  /* length of the line handed out last, its end included */
	bool skipping; /* in a line that was too long: nothing counts up to its end */
};

/* Add what was read. */
void sidecar_lines_add(struct sidecar_lines *l, const char *bytes, size_t len);
/* The next whole line, without its end; false when there is none. Lines longer than SIDECAR_LINE_MAX and empty ones are passed over. Valid until the next call. */
bool sidecar_lines_next(struct sidecar_lines *l, const char **ret_line, size_t *ret_len);
void sidecar_lines_done(struct sidecar_lines *l);

/* -- events ------------------------------------------------------------------------------------------ */

enum sidecar_event_type { SIDECAR_STATE, SIDECAR_LISTENING, SIDECAR_LISTEN_FAILED, SIDECAR_UNKNOWN };

struct sidecar_event {
	enum sidecar_event_type type;
	enum overlay_state state;         /* SIDECAR_STATE */
	uint64_t id;                      /* of a listener */
	bool again;                       /* SIDECAR_LISTEN_FAILED: it may help to ask once more, later */
	char text[SIDECAR_TEXT_MAX];      /* reason or error */
	char address[SIDECAR_TEXT_MAX];   /* ours on the tailnet, or the listener's */
	char node_name[SIDECAR_TEXT_MAX]; /* SIDECAR_STATE: our full name */
};

/* INVALID when the line is no event. */
int sidecar_event_parse(const char *line, size_t len, struct sidecar_event *ret, struct err *e);

/* -- notices ----------------------------------------------------------------------------------------- */

struct sidecar_notice {
	uint64_t id;
	char peer[SIDECAR_TEXT_MAX]; /* "100.64.0.7:51234" */
	bool is_tls;
	struct value *identity; /* a map, or NULL */
};

/* INVALID when it is none; nothing is to be freed then. */
int sidecar_notice_parse(const char *text, size_t len, struct sidecar_notice *ret, struct err *e);
void sidecar_notice_done(struct sidecar_notice *n);

#endif
