/*
 * yaml.h - YAML 1.2 text (JSON is a subset) to a value tree, over libfyaml.
 *
 * Core schema (YAML 1.2.2 section 10.3): plain scalars become nil, bool, int or float where they look so; quoted ones
 * are strings. Integers beyond 64 bits become floats. Keys are text, as written. A plain key "<<" merges the map or the
 * list of maps it holds: keys written out win, then the earlier map. The tags !!str, !!int, !!float, !!bool, !!null,
 * !!seq and !!map are obeyed, other !! tags are errors, private ones ("!x") make a scalar a string.
 * Only the first document counts. Duplicate keys, non-scalar keys, NUL and other control characters, and anchors that
 * expand beyond the limits are errors. Every value knows its line and column; a block scalar has those of its first
 * line of content. What an alias names is shared, not copied, and keeps the place of the anchor.
 * Errors are ERR_INVALID and read "<name>:<line>:<column>: what is wrong". Any thread.
 */
#ifndef VALUE_YAML_H
#define VALUE_YAML_H

#include "value/value.h"

enum {
	YAML_BYTES_MAX = 16 * 1024 * 1024,
	YAML_DEPTH_MAX = 128,
	/* Both after expanding aliases. */
	YAML_NODES_MAX = 1000000,
	YAML_EXPANDED_BYTES_MAX = 4 * YAML_BYTES_MAX,
};

/* `name` is how errors call the text. An empty document gives nil. */
int yaml_parse(const char *name, const char *text, size_t len, struct value **ret_value, struct err *e);
/* The same, but a plain scalar that is a date or a time (YAML 1.1's timestamp, https://yaml.org/type/timestamp.html) becomes an int:
 * seconds since 1970, a fraction cut off, UTC where no zone is written. */
int yaml_parse_with_times(const char *name, const char *text, size_t len, struct value **ret_value, struct err *e);
/* The content of a regular file through yaml_parse(), called by its path; ERR_NOT_FOUND when there is none. */
int yaml_read(const char *path, struct value **ret_value, struct err *e);
/* Block-style YAML text of a tree, for people to read. Map order kept. */
void yaml_write(const struct value *v, struct buf *out);
/* The same with maps indented by 2 or 4 columns; yaml_write() takes 4. */
void yaml_write_indented(const struct value *v, unsigned columns, struct buf *out);

#endif
