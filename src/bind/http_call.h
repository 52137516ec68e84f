/*
 * http_call.h - one exchange between a Lua coroutine and the worker's HTTP client: start it, keep what came back, push it.
 */
#ifndef BIND_HTTP_CALL_H
#define BIND_HTTP_CALL_H

#include "bind/http_request.h"
#include "engine/failure.h"
#include "engine/wait.h"

struct lua_State;
struct http_exchange;

typedef void http_exchange_fn(struct http_exchange *x, void *arg);

struct http_exchange {
	struct pending pending; /* for whoever waits for this one alone */
	struct http_call *call; /* NULL when over and nothing streams */
	http_exchange_fn *done;
	void *arg;
	struct frame *frame; /* whose permissions judge addresses and redirects */
	const struct node *node;
	bool over;
	bool failed;
	struct failure *failure;
	char *overlay_id;      /* for the error's details; NULL = clear network */
	const char *chosen_by; /* route.h */
	const char *isolation;
	bool wants_route;
	struct value *route; /* the way of the answer, when wanted */
	bool streams;
	int status;
	char *url;
	struct buf headers; /* name NUL value NUL, ... in wire order */
	struct buf body;
};

/* Begin the exchange; `done` runs later on this worker, unless it is freed first. Raises nothing. */
struct http_exchange *http_exchange_start(
	struct lua_State *L, const struct http_build *b, http_exchange_fn *done, void *arg);
/* One that failed before it began; `done` does not run. */
struct http_exchange *http_exchange_failed(const struct err *e);
/* At any time: aborts what still runs. NULL is fine. */
void http_exchange_free(struct http_exchange *x);
/* Push the response table of a successful exchange; a stream takes over the call. */
void http_exchange_push(struct lua_State *L, struct http_exchange *x);

/* Raise that a request waits where that is not possible. */
int http_raise_cannot_wait(struct lua_State *L);

/* For generation.h. */
void http_exchange_drop_generation(struct worker *w, uint64_t generation, bool all);

/* Push the stream object of a response (http_stream.c); takes the call. */
void http_stream_push(struct lua_State *L, struct http_call *call);

#endif
