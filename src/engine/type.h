/*
 * type.h - types as values at run time.
 *
 * The front end (front.h) writes the types a source declares at chunk level in a compact form; the value that
 * type_open() pushes, called `typeof` in translated chunks, turns that into type values:
 *
 *   typeof.number          the type value of a primitive (boolean number integer string any unknown never)
 *   typeof("<compact>")    a table of the types declared there, by name; shared by all processes of the heap
 *   types(_ENV)            the same table, or, if its types name types declared elsewhere, a copy that finds these
 *                          in that global table
 *   types(_ENV, "Point")   define the global Point as that type unless there is such a global, with raw access
 *
 * A type value T is a userdata; programs see T(v), T:is(v), T.is(v), G(T1, T2), tostring, ==, <, <= and the reflection
 * methods kind name elem key val inner ret fields variants params tparams; T.x is the type of the record's field x.
 * Names that no one declares accept every value: types of modules are known to the checker only.
 * Validators (@min @max @min_len @max_len @pattern) count in T(v) and T:is(v); a pattern is a POSIX extended regular
 * expression, in which \d \w \s and (?:...) are understood as well.
 *
 * A check never runs Lua code (raw access only) and is bounded in depth and steps. One state, its own thread.
 *
 * The compact form is a program for a stack: operands before operators, decimal counts, no blanks.
 *
 *   n b d i s a u v t f h x e   nil boolean number integer string any unknown never table function thread
 *                               userdata error
 *   S                           self: the type being declared
 *   1 0                         true and false
 *   Q<len>:<bytes>              a string literal
 *   N<len>:<text>               a number literal
 *   R<len>:<name>               a type by name: a parameter, one declared here, or, "alias.Name" too, elsewhere
 *   I<n>;                       generic, n arguments: an instance
 *   [                           element: an array          M   key, value: a map
 *   k<len>:<name>               type: a field              o   the same, optional
 *   {<n>;                       n fields: a record         r   readonly
 *   |<n>; &<n>;                 n members: a union, an intersection
 *   ?                           type: or nil
 *   ,<n>;                       n types: a tuple           .   type: the rest of the parameters
 *   (<n>;                       n parameters, result: a function
 *   y                           type: keyof                X   type, key: the type at that key
 *   C                           a, b, c, d: a extends b ? c : d
 *   @<len>:<name>               type, literal: a validator
 *   p<len>:<name>               a parameter of the declaration that follows; c: constraint before it
 *   D<len>:<name>               type: the end of a declaration
 */
#ifndef ENGINE_TYPE_H
#define ENGINE_TYPE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* Push what translated chunks get as `typeof`; returns 1. */
int type_open(lua_State *L);

/* Is the value at `idx` a type value? */
bool type_is_value(lua_State *L, int idx);

#endif
