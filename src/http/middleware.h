/*
 * middleware.h - what stands between a route and its handler: a chain of C objects made from text options.
 *
 * A *type* is a const table, listed by name where the chains are made (service/). An *instance* is one place in one list of one router or mount; it is shared by all
 * workers, so what it changes needs a lock of its own or a copy per worker. Options of a list are one map for all its instances: {"cors.allow.origins": "*"}.
 *
 * On a request the chain runs from the first to the last:
 *
 *     begin   look at the request, set headers of the response, attach things; or answer
 *               MIDDLEWARE_NEXT      go on with the next one
 *               MIDDLEWARE_ANSWERED  it was answered with exchange_end()/exchange_answer_text(), or will be: the chain ends here
 *               MIDDLEWARE_LATER     not known yet: middleware_resume(x) goes on with the next one, later, on the same worker; to answer instead, just answer
 *     head    just before the head leaves, from the last to the first of those that began: headers may still be changed, although the handler committed (use
 *             middleware_set_header() ...); what is written so far and whether that is all is known; a body filter may be put in
 *     end     the exchange is over, whatever its outcome (status 0: the client left before anything was sent)
 *
 * State of one request goes into exchange_attach(x, self, ...).
 */
#ifndef HTTP_MIDDLEWARE_H
#define HTTP_MIDDLEWARE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "http/exchange.h"
#include "value/value.h"

enum middleware_next { MIDDLEWARE_NEXT, MIDDLEWARE_ANSWERED, MIDDLEWARE_LATER };

struct middleware_type {
	const char *name;
	/* `options` is a map of strings (may be NULL), borrowed for the call; `env` is http_middleware_env's of whoever makes the chain (the node). INVALID names the option. */
	int (*create)(void *env, const struct value *options, void **ret_self, struct err *e);
	void (*free)(void *self);                                      /* any thread */
	enum middleware_next (*begin)(void *self, struct exchange *x); /* NULL: next */
	void (*head)(void *self, struct exchange *x);                  /* NULL: nothing */
	void (*end)(void *self, struct exchange *x);                   /* NULL: nothing */
};

/* -- for `begin` ------------------------------------------------------------------------------------- */

/* Go on after MIDDLEWARE_LATER; nothing happens when the client left meanwhile (then `end` ran). */
void middleware_resume(struct exchange *x);
/* The head shall not leave before that many bytes are written, a flush or the end; the largest wish counts. */
void middleware_hold(struct exchange *x, size_t bytes);
/* This response's bytes will be looked at or changed: exchange_send_file() shall refuse. */
void middleware_wants_body(struct exchange *x);

/* -- for `head` -------------------------------------------------------------------------------------- */

void middleware_set_header(struct exchange *x, const char *name, const char *value);
void middleware_add_header(struct exchange *x, const char *name, const char *value);
void middleware_remove_header(struct exchange *x, const char *name);
/* The bytes held so far (borrowed); *ret_whole: that is all there will be. */
const void *middleware_held(const struct exchange *x, size_t *ret_len, bool *ret_whole);

enum middleware_filter_step { MIDDLEWARE_FILTER_WRITE, MIDDLEWARE_FILTER_FLUSH, MIDDLEWARE_FILTER_END };
/* Turns bytes into others, appended to `out`: FLUSH must not keep anything back, END comes once, last. */
typedef void middleware_filter_fn(
	void *state, const void *data, size_t len, enum middleware_filter_step step, struct buf *out);
/* From `head` only: everything written (held bytes included) goes through it. `free_fn` runs with the exchange's end. At most one filter an exchange: false when there is one. */
bool middleware_filter(struct exchange *x, middleware_filter_fn *fn, void *state, void (*free_fn)(void *state));

/* -- chains ------------------------------------------------------------------------------------------ */

enum { MIDDLEWARE_CHAIN_MAX = 64 };

struct middleware_chain; /* immutable, shared by all workers */

/* One instance per name. `types` ends with NULL. INTERNAL "middleware not found: X"; what create() says. */
int middleware_chain_new(const struct middleware_type *const *types, void *env, const struct value *names,
	const struct value *options, struct middleware_chain **ret_chain, struct err *e);
struct middleware_chain *middleware_chain_ref(struct middleware_chain *c);
void middleware_chain_unref(struct middleware_chain *c); /* any thread; NULL is fine */

#endif
