/*
 * fields.h - fields of an entry that its kind does not know.
 *
 * They are ignored, as other programs may have use for them. But a mistyped `network` or `isolate_streams` would change the way of connections without a word, so
 * kinds that carry connections have them told. Main thread.
 */
#ifndef REGISTRY_FIELDS_H
#define REGISTRY_FIELDS_H

#include "registry/entry.h"

/* Tell `warn` (NULL: the log) of each uppermost field of the entry's data that is in neither list, and of the known one that may have been meant:
 * "src/_index.yaml:8: entry app:tor: field 'isolate_stream': unknown field, ignored; did you mean 'isolate_streams'?". The lists end in NULL; those in `secrets` (which may be
 * NULL) are known as FIELD, FIELD_env, FIELD_file and FIELD_fd. What every entry may have (`lifecycle`, `depends_on`) is known. */
void entry_warn_unknown_fields(
	const struct entry *e, const char *const *fields, const char *const *secrets, void (*warn)(const char *text));

#endif
