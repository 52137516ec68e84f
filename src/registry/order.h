/*
 * order.h - which entries an entry refers to, and the order in which to apply them.
 *
 * References are the strings found at fixed paths of an entry's data and meta (lifecycle.requires, imports, host, network, ...). The order also
 * puts a variable before what names it, `<field>_env` or ${env:NAME}. A text that names nothing among the entries is no reference. Pure.
 */
#ifndef REGISTRY_ORDER_H
#define REGISTRY_ORDER_H

#include <stddef.h>

#include "registry/entry.h"

/* Call `fn` with each reference text of `e` (bare names are left bare). */
void entry_references(const struct entry *e, void (*fn)(void *arg, const char *text), void *arg);

/* Permute so that what is referred to comes first; ties by id. A cycle is broken deterministically at the smallest id; returns how many entries were on cycles. */
size_t entries_sort_dependencies(struct entry **entries, size_t n);

#endif
