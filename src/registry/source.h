/*
 * source.h - file:// references in definitions: a string value that names a file is replaced by the file's bytes.
 *
 * "file://a/b.lua" is relative to the definition file, "file:///a/b.lua" to the load root. The cleaned path must stay inside the load root, and the
 * file's real path too: a symbolic link does not lead out.
 */
#ifndef REGISTRY_SOURCE_H
#define REGISTRY_SOURCE_H

#include "base/err.h"
#include "value/value.h"

struct source_root {
	const char *path; /* the load root on disk */
	const char *dir;  /* of the definition file, relative to the root; "" at the top */
	struct buf *read; /* gets the path of each file read, relative to the root, one a line; may be NULL */
};

/* A new reference to `v` with every reference in it replaced; the same tree when there is none. `field` is the path shown in errors:
 * "line 9: field 'source': failed to read file probe.lua: no such file or directory". */
int source_inline(
	const struct source_root *root, const struct value *v, const char *field, struct value **ret, struct err *e);

#endif
