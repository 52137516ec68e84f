/*
 * filter.h - which entries to find: criteria that must all hold.
 *
 *     .kind .name .ns .id    a text; one `*` stands for any text: "process.*", "*.lua", "app:*_test"
 *     meta.F                 the field F of meta equals the value
 *     ~meta.F                it is a text in which the regular expression is found
 *     *meta.F                it is a text that holds this one, or a list with such a text
 *     ^meta.F  $meta.F       it is a text that begins, ends with this one
 *
 * A key of another form is ignored with a warning, a value of the wrong type without. Make it on one thread; then it
 * does not change.
 */
#ifndef REGISTRY_FILTER_H
#define REGISTRY_FILTER_H

#include <stdbool.h>

#include "registry/entry.h"

struct filter;

struct filter *filter_new(void);
void filter_free(struct filter *f); /* NULL is fine */

/* `v` is borrowed for the call. An invalid regular expression is no criterion, with a warning. */
void filter_add(struct filter *f, const char *key, const struct value *v);
bool filter_matches(const struct filter *f, const struct entry *e);

#endif
