/*
 * kind_registry_entry.c - entries that nobody handles: data that programs look up, and what modules say about themselves.
 */
#include "service/kinds.h"

const struct kind ns_definition_kind = {.name = "ns.definition", .summary = "what a module says about itself"};
const struct kind ns_dependency_kind = {.name = "ns.dependency", .summary = "another module that is needed"};
const struct kind ns_requirement_kind = {
	.name = "ns.requirement", .summary = "a value that whoever uses a module gives it"};
const struct kind registry_entry_kind = {.name = "registry.entry", .summary = "data that programs look up"};
