/*
 * http_batch.h - `http_client.request_batch`.
 */
#ifndef BIND_HTTP_BATCH_H
#define BIND_HTTP_BATCH_H

struct lua_State;

/* The Lua function. Every element is read and authorized before anything is sent; what fails later, fails alone. */
int http_request_batch(struct lua_State *L);

#endif
