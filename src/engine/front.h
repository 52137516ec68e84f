/*
 * front.h - the front end: typed Lua source in, plain Lua 5.4 source out, line for line.
 *
 * The source is parsed once, whole, by the dialect's own grammar (Lua 5.1 statements, 5.3 integers and bitwise operators, goto, type syntax).
 * What the engine's Lua does not know is erased or rewritten in place, so that every token that stays keeps its line. Pure; any thread.
 *
 * The result is a chunk that, when run as `chunk(as, typeof)`, returns the factory `function(_ENV, ...)`: calling the
 * factory with a global table runs the source with it. The dialect's reserved words serve as names no program can use:
 *
 *   as(v)        what `..` gets for an operand that may be a float or an error object: v in its text form if needed, else v unchanged
 *   typeof       run-time type values (see type.h)
 *
 * What is accepted loads in the engine's Lua, which itself only refuses a function with more than 200 local variables, 255 upvalues
 * or registers, or more than 32767 labels and gotos waiting at a time (`break` is one to it).
 */
#ifndef ENGINE_FRONT_H
#define ENGINE_FRONT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum {
	FRONT_SOURCE_MAX = 4 * 1024 * 1024, /* bytes */
	FRONT_DEPTH_MAX = 180,              /* nested blocks, expressions or types; below the engine's own C limit */
};

/* A name that the source uses as a global variable. */
struct front_global {
	char *name;
	bool is_assigned;     /* somewhere, at some time */
	bool is_only_indexed; /* only ever read as `name.field` */
	/* What Lua refuses for some values, with an error that names the variable. */
	bool is_indexed; /* `name.field`, `name[i]`, `name:method()` */
	bool is_called;
	bool is_operand; /* of an arithmetic or bitwise operator, or of `#` */
};

/* Free with front_output_done(). */
struct front_output {
	char *lua; /* NUL-terminated */
	size_t len;
	struct front_global *globals;
	size_t nglobals;
	/* It may get hold of the table of globals without writing `_G`: by `require` of something that is no literal. */
	bool opens_globals;
};

/* `id` names the source in errors: "<id>:<line>:<col>: <message>" (ERR_INVALID), or "<id> at EOF: <message>". */
int front_translate(const char *id, const char *source, size_t len, struct front_output *ret, struct err *e);
void front_output_done(struct front_output *o);

#endif
