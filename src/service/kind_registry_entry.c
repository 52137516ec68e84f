/*
 * kind_registry_entry.c - entries that nobody handles: data that programs look up.
 */
#include "service/kinds.h"

const struct kind registry_entry_kind = {.name = "registry.entry"};
