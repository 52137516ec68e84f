/*
 * references.h - which entries an entry refers to.
 *
 * References are the strings found at fixed paths of an entry's data and meta (lifecycle.requires, imports, host,
 * network, ...). What else they name: variables, `<field>_env` or ${env:NAME} (registry/env.h). A text that names
 * nothing among the entries is no reference. Pure.
 */
#ifndef REGISTRY_REFERENCES_H
#define REGISTRY_REFERENCES_H

#include <stdbool.h>
#include <stddef.h>

#include "registry/entry.h"

/* Call `fn` with each reference text of `e` (bare names are left bare). */
void entry_references(const struct entry *e, void (*fn)(void *arg, const char *text), void *arg);
/* Does meta.groups list it? */
bool entry_lists_group(const struct entry *e, const char *group);
/* Is it a policy that lists this group of policies (a full id)? Policies do not wait for each other: false when one
 * is `asking`. */
bool entry_lists_policy_group(const struct entry *e, const char *group, const struct entry *asking);
/* What an env.variable is called in public; "" for other kinds and where it has no such name. */
const char *entry_variable_name(const struct entry *e);

#endif
