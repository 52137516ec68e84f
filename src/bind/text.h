/*
 * text.h - the parts of the `text` module; each pushes one table.
 */
#ifndef BIND_TEXT_H
#define BIND_TEXT_H

struct lua_State;

void text_push_regexp(struct lua_State *L);
void text_push_diff(struct lua_State *L);
void text_push_splitter(struct lua_State *L);

#endif
