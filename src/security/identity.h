/*
 * identity.h - who acts: the *actor* of the security model (not a process).
 *
 * An id and free metadata; immutable, reference counted, any thread. An identity with an empty id still counts as
 * present.
 */
#ifndef SECURITY_IDENTITY_H
#define SECURITY_IDENTITY_H

#include "value/value.h"

struct identity;

/* Copies `id`; takes `meta` (a map, or NULL). */
struct identity *identity_new(const char *id, struct value *meta);
struct identity *identity_ref(struct identity *i); /* NULL gives NULL */
void identity_unref(struct identity *i);           /* NULL is fine */

const char *identity_id(const struct identity *i);
const struct value *identity_meta(const struct identity *i); /* NULL when there is none */

#endif
