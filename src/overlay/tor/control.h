/*
 * control.h - Tor's control protocol (https://spec.torproject.org/control-spec) as pure functions: replies out of bytes, words out of
 * replies. No socket, no clock.
 *
 * A reply is one or more lines that begin with three digits and '-' (more follow), '+' (lines of data follow, ended by ".") or ' ' (the last). One that begins with 6
 * is an event, which comes at any time between replies. The reader takes bytes up to the end of one reply; control_next() makes it ready for the one after.
 *
 * Keys come this way: what was read is wiped in control_next() and control_done(). One thread at a time.
 */
#ifndef OVERLAY_TOR_CONTROL_H
#define OVERLAY_TOR_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
	CONTROL_REPLY_MAX = 65536, /* of all lines of a reply with their data; a longer one is an error */
	CONTROL_LINES_MAX = 256,
};

struct control_line {
	const char *text; /* without the code; "" to whatever it says */
	const char *data; /* what followed a '+' line, its lines ended by LF; NULL for other lines */
};

/* As large as its bounds: not for the stack. */
struct control_reader {
	bool is_ready;  /* `code` and `lines` are a whole reply */
	bool is_failed; /* final */
	struct err err; /* in is_failed; code "tor_bad_reply", no "tor: " */
	unsigned code;  /* of the last line */
	size_t nlines;
	struct control_line lines[CONTROL_LINES_MAX];

	bool in_data;
	size_t len;  /* of `bytes` that are used */
	size_t line; /* where the line begins that is being read */
	char bytes[CONTROL_REPLY_MAX + 1];
};

void control_init(struct control_reader *r);
void control_done(struct control_reader *r);
/* Offer what came; returns how many bytes were taken: none when a reply is ready or after a failure. */
size_t control_feed(struct control_reader *r, const char *bytes, size_t len);
/* Wipe the reply. */
void control_next(struct control_reader *r);

static inline bool control_is_event(const struct control_reader *r)
{
	return r->code / 100 == 6;
}

/* Is it a "250"? */
static inline bool control_is_ok(const struct control_reader *r)
{
	return r->code == 250;
}

/* What follows `prefix` in the first line that begins with it, or NULL. */
const char *control_find(const struct control_reader *r, const char *prefix);

/* Fill `e` for a reply that is no 250: "<phase> rejected: 515 Authentication failed: ...", escaped, cut, without secrets; UNAVAILABLE and retryable, with a stable
 * code ("tor_bad_authentication"; "tor_rejected" for those without). Returns -1. */
int control_refusal(const char *phase, const struct control_reader *r, struct err *e);

/* The value of KEY in `A B KEY=value KEY2="with \"quotes\""`; false when it is absent or its quotes do not end. */
bool control_word(const char *text, const char *key, struct buf *ret_value);
/* `text` as a QuotedString of a command. */
void control_add_quoted(struct buf *command, const char *text);

#endif
