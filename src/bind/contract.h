/*
 * contract.h - what the files of the `contract` module share: looking contracts and bindings up in the registry, and instances.
 *
 * Entries are immutable: a Contract or an Instance keeps those it was made from, and so sees one state of them as long as it lives.
 */
#ifndef BIND_CONTRACT_H
#define BIND_CONTRACT_H

#include <stdbool.h>

#include "bind/current.h"
#include "engine/lua_api.h"
#include "registry/entry.h"

#define CONTRACT_INSTANCE_TYPE "contract.Instance"

/* What the methods of an instance are called with. All owned. */
struct contract_call {
	struct value *values; /* a map laid over the caller's context; NULL = nothing */
	struct value *options;
	struct identity *actor; /* NULL: the caller's */
	struct scope *scope;
};

void contract_call_copy(struct contract_call *to, const struct contract_call *from);
void contract_call_done(struct contract_call *c);

/* A reference, or NULL with NOT_FOUND "contract definition 'x' not found" / "contract binding 'x' not found". */
struct entry *contract_find(lua_State *L, const char *id, struct err *e);
struct entry *binding_find(lua_State *L, const char *id, struct err *e);

/* The method's map in the definition, NULL when it declares none of that name. Borrowed. */
const struct value *contract_method(const struct entry *contract, const char *name, size_t len);
/* What the binding says about that contract, NULL when it does not implement it. Borrowed. */
const struct value *binding_of_contract(const struct entry *binding, const char *contract_id);
/* Push the sorted ids of the bindings of a contract. */
void push_implementations(lua_State *L, const char *contract_id);
/* The default binding of a contract: a reference, or NULL with NOT_FOUND "no default binding for contract 'x'". */
struct entry *default_binding(lua_State *L, const char *contract_id, struct err *e);

/* The id of a binding with its query cut off: "app:b?k=v" gives "app:b" (malloc'd) and what follows the question mark (NULL: nothing). */
char *binding_id_split(const char *text, const char **ret_query);
/* Values of a query laid into `map`: true and false, numbers, else text; %xx and + are decoded. */
void query_values(const char *query, struct value *map);

/* contract_instance.c: push an Instance of `binding`. Takes a copy of `call`. */
void instance_push(lua_State *L, struct entry *binding, const struct contract_call *call);
/* Does the Instance at idx carry out that contract? */
bool instance_implements(lua_State *L, int idx, const char *contract_id);
void contract_instance_register(lua_State *L);

#endif
