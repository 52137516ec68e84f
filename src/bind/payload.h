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
/* All values of `p`: nil for none, a Payload for one, an array of Payloads for more. `p` lives as long as the Lua object at index `holder`, which they keep alive. */
void payload_push_within(struct lua_State *L, const struct packed *p, int holder);

#endif
