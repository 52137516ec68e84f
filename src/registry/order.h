/*
 * order.h - which entries an entry refers to, and the order in which to apply them.
 *
 * References are the strings found at fixed paths of an entry's data and meta (lifecycle.requires, imports, host,
 * network, ...). The order also puts a variable before what names it, `<field>_env` or ${env:NAME}. A text that names
 * nothing among the entries is no reference. Pure.
 */
#ifndef REGISTRY_ORDER_H
#define REGISTRY_ORDER_H

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

/* Permute so that what is referred to comes first; ties by id. A cycle is broken deterministically at the smallest
 * id; returns how many entries were on cycles. */
size_t entries_sort_dependencies(struct entry **entries, size_t n);

#endif
