/*
 * payload.h - a value that came from elsewhere, unpacked when a program asks for it.
 */
#ifndef BIND_PAYLOAD_H
#define BIND_PAYLOAD_H

#include "engine/packed.h"

struct lua_State;

void payload_register(struct lua_State *L);
/* Push the i-th value of `p` as a Payload; keeps a reference. */
void payload_push(struct lua_State *L, struct packed *p, unsigned i);
/* nil for none, a Payload for one, an array of Payloads for more. */
void payload_push_all(struct lua_State *L, struct packed *p);

#endif
