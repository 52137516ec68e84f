/*
 * yaml_scalar.h - what a YAML scalar means under the core schema. Inside value/ only. Pure.
 */
#ifndef VALUE_YAML_SCALAR_H
#define VALUE_YAML_SCALAR_H

#include <stdbool.h>
#include <stddef.h>

#include "value/value.h"

/* The value of an untagged plain scalar (YAML 1.2.2 section 10.3.2). */
struct value *yaml_plain_scalar(const char *text, size_t len);

/* The same where timestamps count: they become seconds since 1970, an int. */
struct value *yaml_plain_scalar_or_time(const char *text, size_t len);

/* The value of a scalar with a full tag ("tag:yaml.org,2002:int"); NULL when the text does not fit the tag, or the
 * tag is one of YAML's own that we do not know. */
struct value *yaml_tagged_scalar(const char *tag, const char *text, size_t len);

/* True if a list (or map) may carry the tag. */
bool yaml_tag_fits_collection(const char *tag, enum value_type type);

#endif
