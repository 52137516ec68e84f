/*
 * json_schema.h - json.validate and json.validate_string. Compiled schemas are kept per heap, found by their text.
 */
#ifndef BIND_JSON_SCHEMA_H
#define BIND_JSON_SCHEMA_H

struct lua_State;

int json_validate(struct lua_State *L);
int json_validate_string(struct lua_State *L);

#endif
