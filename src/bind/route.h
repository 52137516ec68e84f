/*
 * route.h - in which words programs are told the way of a connection: resp.route of http_client, and the details of every error of a dial.
 *
 *     overlay      the overlay's entry id; "direct" is the clear network (absent from details)
 *     chosen_by    "call", "entry", "inherited", "default"; "direct": nobody chose, so the clear network
 *     resolver     who turned the name into an address: "system", "proxy", "bridge", "tailnet", "none" (a literal); absent when nothing was dialled
 *     phase        how far it came: "start", "dial", "handshake" (the overlay's), "tls", "response", "body", "done"
 *
 * Pure.
 */
#ifndef BIND_ROUTE_H
#define BIND_ROUTE_H

#include <stdbool.h>

#include "actor/frame.h"
#include "value/value.h"

/* Who chose the way: the call itself, when it named one, else whoever put it on the frame. */
const char *route_chooser(const struct frame *f, bool call_named_one);
/* Set the four fields of `map`; NULL ones are left out. */
void route_describe(
	const char *overlay, const char *chosen_by, const char *resolver, const char *phase, struct value *map);

#endif
