/*
 * store_data.h - a program's values as what a key-value store keeps, and back.
 *
 * A store in memory keeps them packed, as for any other journey between processes; one in a database keeps JSON.
 * Functions, threads and objects other than errors are refused wherever they are: INVALID "a function cannot be stored:
 * value.list[3].call".
 */
#ifndef BIND_STORE_DATA_H
#define BIND_STORE_DATA_H

#include "base/err.h"
#include "store/store.h"

struct lua_State;

/* The value at idx, in the form the store wants. May raise (memory). */
int store_data_from_lua(struct lua_State *L, int idx, const struct store *s, struct store_data **ret, struct err *e);
/* Pushes one value, or nothing and returns -1. May raise (memory). */
int store_data_push(struct lua_State *L, const struct store_data *d, struct err *e);

#endif
