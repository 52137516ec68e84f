/*
 * front_type.h - what front_type.c (types) and front_declare.c (where they stand) share. Internal to the front end.
 */
#ifndef ENGINE_FRONT_TYPE_H
#define ENGINE_FRONT_TYPE_H

#include "engine/front_parse.h"

/* Append to the compact form (type.h), unless only the syntax counts: an operator, one with a count, one with a
 * token's text. */
void type_emit(struct parser *p, const char *text);
void type_emit_count(struct parser *p, char op, uint32_t n);
void type_emit_token(struct parser *p, char op, const struct token *t);

/* `>`, which may be the first half of `>>` or `>=`. */
void parse_greater(struct parser *p, const char *what);
/* At the name of a field: `name:` or `name?:`. */
bool type_at_field(struct parser *p);
/* "(" ")" | "(" type "," type ... ")" | type */
void parse_results(struct parser *p);
/* At a name: a primitive, a reference, a reference with arguments. */
void parse_named_type(struct parser *p);

#endif
