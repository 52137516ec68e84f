/*
 * sse_stream.h - a response that is a stream of events, and a process: what is sent to its pid goes to the client.
 *
 * An event is "event: <topic>", "data: <JSON>" and an empty line (the WHATWG's HTML standard, section 9.2); pings are comments. The worker's thread.
 */
#ifndef SERVICE_SSE_STREAM_H
#define SERVICE_SSE_STREAM_H

#include "base/err.h"
#include "http/exchange.h"
#include "value/value.h"

/* Make a stream of the response of `x`, as the map of the relay's header says; nothing of it has left, and its status is open or 200. The stream ends the exchange. -1: it is not
 * one, and `x` is still the caller's: INVALID, NOT_FOUND "pid not registered", UNAVAILABLE. A client that leaves unread what waits for it for longer than that time is cut off. */
int sse_stream_start(struct exchange *x, const struct value *map, uint64_t write_timeout_ns, struct err *e);
/* Has sse_stream_start() succeeded for it? */
bool sse_stream_began(const struct exchange *x);

#endif
