/*
 * route.h - in which words programs are told the way of a connection: resp.route of http_client, and the details of every error of a dial.
 *
 *     overlay      the overlay's entry id; "direct" is the clear network (absent from details)
 *     chosen_by    "call", "entry", "inherited", "default"; "direct": nobody chose, so the clear network
 *     resolver     who turned the name into an address: "system", "proxy", "bridge", "tailnet", "none" (a literal); absent when nothing was dialled
 *     phase        how far it came: "start", "dial", "handshake" (the overlay's), "tls", "response", "body", "done"
 *     isolation    who shares the identity: "none", "dial", "process", "host", "name"
 *     isolation_key  equal keys: the same identity and kept-alive connections; absent when everyone shares them
 *     reused       it ran on a kept-alive connection
 *     dial_ms, handshake_ms, tls_ms, first_byte_ms, total_ms   times, with fractions; what was not reached or not needed is absent
 *
 * Pure.
 */
#ifndef BIND_ROUTE_H
#define BIND_ROUTE_H

#include <stdbool.h>

#include "actor/frame.h"
#include "http/client.h"
#include "value/value.h"

struct route {
	const char *overlay;   /* NULL: left out */
	const char *chosen_by; /* route_chooser() */
	const char *isolation; /* overlay_isolation_name() */
};

/* Who chose the way: the call itself, when it named one, else whoever put it on the frame. */
const char *route_chooser(const struct frame *f, bool call_named_one);
/* Set the fields of `map`. */
void route_describe(const struct route *r, const struct http_trace *t, struct value *map);

#endif
