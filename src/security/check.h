/*
 * check.h - one question: may this one do that to this?
 *
 * Borrowed for the duration of a decision. Lengths are there because a decision compares texts many times over.
 */
#ifndef SECURITY_CHECK_H
#define SECURITY_CHECK_H

#include <string.h>

#include "security/identity.h"
#include "value/value.h"

struct check {
	const struct identity *who; /* NULL: nobody */
	const char *action;
	size_t action_len;
	const char *resource;
	size_t resource_len;
	const struct value *meta; /* what the gate tells about this one check: a map, or NULL */
};

static inline struct check check_of(
	const struct identity *who, const char *action, const char *resource, const struct value *meta)
{
	return (struct check){who, action, strlen(action), resource, strlen(resource), meta};
}

#endif
