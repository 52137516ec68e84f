/*
 * security_token.h - TokenStore objects of the `security` module; inside it only.
 */
#ifndef BIND_SECURITY_TOKEN_H
#define BIND_SECURITY_TOKEN_H

struct lua_State;

/* security.token_store(id) */
int l_security_token_store(struct lua_State *L);
void security_token_register(struct lua_State *L);

#endif
