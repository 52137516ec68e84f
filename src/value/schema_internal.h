/*
 * schema_internal.h - what compiling and checking share. For schema*.c only.
 */
#ifndef VALUE_SCHEMA_INTERNAL_H
#define VALUE_SCHEMA_INTERNAL_H

#include "base/map.h"
#include "value/pattern.h"
#include "value/schema.h"

struct schema {
	struct value *doc;
	struct map *patterns; /* text to struct pattern * */
	struct map *anchors;  /* name to const struct value *, in `doc` */
};

/* An empty list is an empty map too. */
static inline bool schema_is_map(const struct value *v)
{
	return value_type(v) == VALUE_MAP || (value_type(v) == VALUE_LIST && value_count(v) == 0);
}

static inline bool schema_is_list(const struct value *v)
{
	return value_type(v) == VALUE_LIST || (value_type(v) == VALUE_MAP && value_count(v) == 0);
}

static inline bool schema_is_number(const struct value *v)
{
	return value_type(v) == VALUE_INT || value_type(v) == VALUE_FLOAT;
}

/* The schema that "#...", a reference, names; NULL when there is none. */
const struct value *schema_resolve(const struct schema *s, const char *ref);

#endif
