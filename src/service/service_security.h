/*
 * service_security.h - the `security` part of an entry's `lifecycle` block: who its service acts as.
 *
 *     lifecycle:
 *       security:
 *         actor: {id: "service:worker", meta: {role: worker}}
 *         groups: ["app.security:workers"]      # full ids
 *         policies: ["app.security:extra"]
 *
 * A block gives an actor, with an empty id when it names none, and the union of the policies that exist as the scope. Ids that name nothing are left out
 * with a warning; when none names anything there is no scope, and then nothing is forbidden unless security.strict_mode says otherwise. Main thread.
 */
#ifndef SERVICE_SERVICE_SECURITY_H
#define SERVICE_SERVICE_SECURITY_H

#include "base/err.h"
#include "registry/entry.h"
#include "security/identity.h"
#include "security/scope.h"

struct policy_set;

struct service_security {
	struct identity *actor; /* NULL: no block */
	struct value *groups;   /* named by the block, until they are looked up */
	struct value *policies;
	struct scope *scope; /* NULL: none */
};

/* Read the block; INVALID names the field. */
int service_security_read(struct service_security *ret, const struct entry *e, struct err *err);
/* Look up what it names, once: later changes of policies do not reach this scope. */
void service_security_resolve(struct service_security *s, const char *service_id, struct policy_set *policies);
void service_security_done(struct service_security *s);

#endif
