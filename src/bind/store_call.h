/*
 * store_call.h - one operation of a program on a key-value store: begin it, wait when the store does, push what it
 * gave.
 */
#ifndef BIND_STORE_CALL_H
#define BIND_STORE_CALL_H

#include <stdbool.h>

#include "base/err.h"
#include "store/store.h"

struct lua_State;
struct store_call;

/* Push the results of a success; -1 with `e` when that cannot be done. */
typedef int store_call_fn(struct lua_State *L, struct store_call *c, struct err *e);

store_call_fn store_call_value; /* of the entry, nil */
store_call_fn store_call_true;  /* true, nil */
store_call_fn store_call_found; /* was it there, nil */
store_call_fn store_call_entry; /* {key, value, version}, nil */
store_call_fn store_call_list;  /* {items, cursor, has_more}, nil */

/* Takes r->data. What a binding returns: failures are "store <name>: ..." after nil, or after false. */
int store_call(struct lua_State *L, struct store *s, const struct store_request *r, const char *name,
	bool false_on_error, store_call_fn *finish);
/* When the module is opened. */
void store_call_register(struct lua_State *L);

#endif
