/*
 * registry.h - `wippy registry`: what the files of a project define, without starting it.
 *
 *   registry.c       the command, `list` and `show`
 *   registry_tree.c  `tree`
 *
 * Secrets are not shown (registry/secret.h), and nothing is looked up that an entry takes from the environment.
 */
#ifndef APP_REGISTRY_H
#define APP_REGISTRY_H

#include <stdbool.h>

#include "app/start.h"
#include "base/buf.h"

enum registry_format { REGISTRY_TEXT, REGISTRY_JSON, REGISTRY_YAML };

/* Print a value with a newline at its end; takes it. */
void registry_print(struct value *v, enum registry_format format);

/* The namespaces as a tree, with how many entries of which kinds they hold. */
void registry_print_namespaces(const struct project_entries *p, enum registry_format format);
/* What an entry refers to, and what refers to it. */
void registry_print_references(const struct project_entries *p, const struct entry *e, enum registry_format format);

#endif
