/*
 * pattern.h - patterns over dotted names: "app.users", "service.update".
 *
 * Two dialects. Segments, for configuration and for the runtime's own subscriptions: names are split at dots; `*` is
 * any one segment, `**` any number of them (none too), `(a|b)` one of the alternatives, anything else itself. Prefixes,
 * for programs: `*` alone is everything, one `*` at the end stands for any rest, and nothing else is special. Pure; any
 * thread.
 */
#ifndef REGISTRY_PATTERN_H
#define REGISTRY_PATTERN_H

#include <stdbool.h>

enum { DOTTED_BYTES_MAX = 512, DOTTED_DOUBLES_MAX = 4 };

/* Segments. A pattern from outside passes dotted_is_bounded() first. */
bool dotted_matches(const char *pattern, const char *text);
/* At most DOTTED_BYTES_MAX bytes and DOTTED_DOUBLES_MAX `**`: each of those multiplies the work of a match. */
bool dotted_is_bounded(const char *pattern);

/* Prefixes. */
bool prefix_matches(const char *pattern, const char *text);

#endif
