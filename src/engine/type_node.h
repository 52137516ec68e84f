/*
 * type_node.h - types as the files of type.h share them. Internal; one state.
 *
 * A set holds the types of one compact text. Its nodes never change once read, and live as long as the set.
 * A frame gives a generic's parameters their meaning while its body is looked at.
 */
#ifndef ENGINE_TYPE_NODE_H
#define ENGINE_TYPE_NODE_H

#include <lua.h>
#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum type_kind {
	TYPE_NIL,
	TYPE_BOOLEAN,
	TYPE_NUMBER,
	TYPE_INTEGER,
	TYPE_STRING,
	TYPE_ANY,
	TYPE_UNKNOWN,
	TYPE_NEVER,
	TYPE_TABLE,
	TYPE_FUNCTION, /* of unknown parameters if it has no items, else the parameters and last the result */
	TYPE_THREAD,
	TYPE_USERDATA,
	TYPE_ERROR,
	TYPE_LITERAL_BOOLEAN, /* `flag` */
	TYPE_LITERAL_STRING,  /* `name` */
	TYPE_LITERAL_NUMBER,  /* `name` is its text */
	TYPE_NAMED,           /* `target`, or looked up by `name` if NULL */
	TYPE_PARAM,           /* number `index` of the frame */
	TYPE_INSTANCE,        /* generic, arguments */
	TYPE_ARRAY,
	TYPE_MAP,    /* key, value */
	TYPE_FIELD,  /* `name`, `flag` = optional */
	TYPE_RECORD, /* fields */
	TYPE_UNION,
	TYPE_INTERSECTION,
	TYPE_OPTIONAL,
	TYPE_TUPLE,
	TYPE_VARIADIC,
	TYPE_KEYOF,
	TYPE_INDEX, /* type, key */
	TYPE_CONDITIONAL,
	TYPE_VALIDATED, /* type, literal; `name` says which */
	TYPE_DECLARED,  /* `name`; its body, then its parameters as TYPE_FIELD: a constraint each */
};

struct type {
	enum type_kind kind;
	bool flag;
	bool is_readonly; /* array, map, record */
	uint32_t index;
	uint32_t n;
	const struct type *const *items;
	const char *name; /* NUL-terminated, may contain others */
	uint32_t len;
	bool is_integer; /* of a number literal */
	lua_Integer integer;
	lua_Number number;
	const struct type *target;
	regex_t *pattern; /* of a validator; NULL if it does not compile */
};

/* A type with the frame it is to be seen with, NULL outside of generics. */
struct type_view {
	const struct type *t;
	const struct type_frame *frame;
};

struct type_frame {
	const struct type_view *args;
	uint32_t n;
};

struct type_set {
	struct type_block *blocks;
	const struct type **declared;
	uint32_t ndeclared;
	bool is_foreign; /* a name is declared elsewhere */
	struct type_pattern *patterns;
};

/* type_read.c. `L` only to read numbers as the language does. */
int type_set_read(struct type_set *set, lua_State *L, const char *text, size_t len, struct err *e);
void type_set_done(struct type_set *set);
static inline uint32_t type_nparams(const struct type *t)
{
	return t->kind == TYPE_DECLARED ? t->n - 1 : 0;
}

/* type_resolve.c */

enum {
	TYPE_PARAMS_MAX = 16, /* of a generic; one with more accepts everything */
	TYPE_FRAMES_MAX = 64,
	TYPE_STEPS_MAX = 10 * 1000 * 1000,
	TYPE_DEPTH_MAX = 1500,
};

/* One question about types. */
struct type_query {
	lua_State *L;
	int env;  /* stack index of the global table for names declared elsewhere, 0 = none */
	int keep; /* stack index of a list that gets the type values found there, 0 = none */
	uint32_t steps;
	uint32_t depth;
	uint32_t nframes;
	struct type_frame frames[TYPE_FRAMES_MAX];
	struct type_view args[TYPE_FRAMES_MAX][TYPE_PARAMS_MAX];
};

extern const struct type type_any;

/* A name's meaning elsewhere; type_any if there is none. */
struct type_view type_lookup(struct type_query *q, const struct type *named);
/* The arguments of an instance, into `args`, so that its body can be looked at: the generic, NULL if it is none or
 * takes another number of arguments, type_any if no one knows it. */
const struct type *type_instantiate(
	struct type_query *q, struct type_view instance, struct type_view args[static TYPE_PARAMS_MAX]);
/* Follow names, parameters and instances to a structural type; t is NULL for a generic that lacks its arguments. Takes
 * frames from the query, to be given back by resetting nframes. */
struct type_view type_resolve(struct type_query *q, struct type_view v);
bool type_is_subtype(struct type_query *q, struct type_view a, struct type_view b);
/* The type of a record's field, t NULL if there is none. */
struct type_view type_field(struct type_query *q, struct type_view record, const char *name, size_t len);

/* type_text.c: as people write it, shortened when long. */
void type_write(const struct type *t, const struct type_frame *frame, struct buf *out);
const char *type_kind_name(const struct type *t);

/* type_check.c */
enum { TYPE_MESSAGE_MAX = 512 };
/* `message` is written when the value does not conform. */
bool type_conforms(struct type_query *q, int idx, struct type_view v, char message[static TYPE_MESSAGE_MAX]);

/* type_value.c */
struct type_value {
	struct type_view v;
	struct type_frame frame; /* v.frame, if it is its own */
	struct type_view args[]; /* of that */
};
/* NULL if the value at `idx` is no type value. */
struct type_value *type_value_at(lua_State *L, int idx);

#endif
