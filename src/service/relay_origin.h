/*
 * relay_origin.h - may a page of that origin (RFC 6454) open a relay? Pure.
 *
 * Patterns are a text of several, split at commas, blanks around them ignored; "" allows no more than the server itself. "*", "?" and "[...]" stand for characters, but not for
 * "/". No Origin at all (`origin` NULL or "") is allowed: then it is no page of a browser that asks.
 */
#ifndef SERVICE_RELAY_ORIGIN_H
#define SERVICE_RELAY_ORIGIN_H

#include <stdbool.h>

/* The same host and port as `host` (the Host field), or one of the patterns, in any case: one without "://" is matched against "host:port" of the origin, one with
 * it against "scheme://host:port"; "*" is any. */
bool relay_origin_for_websocket(const char *patterns, const char *origin, const char *host);

/* Without patterns: host, port and scheme as the request's. With patterns only those: "*" is any, others are matched against the whole origin. */
bool relay_origin_for_events(const char *patterns, const char *origin, const char *host, const char *scheme);

#endif
