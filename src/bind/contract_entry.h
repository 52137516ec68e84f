/*
 * contract_entry.h - contracts and bindings as instances (registry/instances.h): their entries as the kinds have them, with the placeholders in them
 * replaced. The kinds put them, the module `contract` looks them up. Any thread.
 */
#ifndef BIND_CONTRACT_ENTRY_H
#define BIND_CONTRACT_ENTRY_H

#include "registry/instances.h"

/* The objects are `struct entry *`. */
extern const struct instance_type contract_entry_type;

#endif
