/*
 * http_current.h - the HTTP request that the running call answers.
 *
 * Set by the endpoint that called the function; a call it makes, a process it spawns and other calls see none. Its coroutines do.
 */
#ifndef BIND_HTTP_CURRENT_H
#define BIND_HTTP_CURRENT_H

#include "bind/current.h"
#include "http/exchange.h"

/* Borrowed: take a reference for what outlives the binding's call. NULL outside of a request. */
static inline struct exchange *current_exchange(struct lua_State *L)
{
	struct process *p = current_process(L);

	return p ? p->exchange : NULL;
}

/* A handler did one of: set_status, set_header, write, write_json, flush, write_event. What the endpoint answers for it otherwise depends on that. */
void exchange_mark_handled(struct exchange *x);
bool exchange_is_handled(const struct exchange *x);

#endif
