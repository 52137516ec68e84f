/*
 * schema.h - JSON Schema 2020-12: does a data tree have the shape that another one describes?
 *
 * Known keywords: type enum const; properties patternProperties additionalProperties propertyNames required
 * minProperties maxProperties dependentRequired dependentSchemas; prefixItems items contains minContains maxContains
 * minItems maxItems uniqueItems; minLength maxLength pattern; minimum maximum exclusiveMinimum exclusiveMaximum
 * multipleOf; allOf anyOf oneOf not if then else; $ref and $anchor within the schema, $defs; true and false. Unknown
 * keywords, and `format` (an annotation by default), are ignored. What would accept data if it were ignored is an
 * error instead: references to elsewhere, $dynamicRef, unevaluatedProperties, unevaluatedItems, the old dependencies.
 *
 * Data from a program cannot tell an empty list from an empty map: in schemas an empty list is taken for a map where
 * one is expected, in data if the caller says so. A compiled schema is immutable: any thread may validate with it.
 * Validation is bounded in depth and in steps; whoever exceeds them fails.
 */
#ifndef VALUE_SCHEMA_H
#define VALUE_SCHEMA_H

#include "value/value.h"

enum {
	SCHEMA_DEPTH_MAX = 400,     /* of schemas within schemas, references followed */
	SCHEMA_STEPS_MAX = 2000000, /* comparisons of one value with one schema, or one other value */
	SCHEMA_PATTERNS_MAX = 1000,
};

struct schema;

/* Keeps a reference to `doc`, a map or a boolean. INVALID "at '#/properties/age/type': ...". */
int schema_compile(struct value *doc, struct schema **ret_schema, struct err *e);
void schema_free(struct schema *s); /* NULL is fine */

/* 0, or -1 INVALID "at '/age': minimum: the number is less than 18; at '': required: 'name' is missing". The text
 * names paths and keywords, and what the schema asks for, never values of the data. `empty_is_either`: an empty list
 * in `v` may be a map. */
int schema_validate(const struct schema *s, const struct value *v, bool empty_is_either, struct err *e);

#endif
