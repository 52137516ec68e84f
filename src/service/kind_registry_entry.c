/*
 * kind_registry_entry.c - entries that nobody handles: data that programs look up, and what modules say about themselves.
 */
#include "service/kinds.h"

const struct kind ns_definition_kind = {.name = "ns.definition"};
const struct kind ns_dependency_kind = {.name = "ns.dependency"};
const struct kind ns_requirement_kind = {.name = "ns.requirement"};
const struct kind registry_entry_kind = {.name = "registry.entry"};
