/*
 * regex_translate.h - from RE2's syntax to what PCRE2 understands the same way. Pure, any thread.
 *
 * Names of groups stay here (RE2 allows names that PCRE2 does not): what comes out has numbered groups only.
 */
#ifndef VALUE_REGEX_TRANSLATE_H
#define VALUE_REGEX_TRANSLATE_H

#include "base/buf.h"
#include "base/err.h"

struct regex_groups {
	char **names; /* [1 .. count]; NULL: none */
	unsigned count;
};

void regex_groups_done(struct regex_groups *g);

/* Appends to `out`. INVALID "invalid regex pattern: ... at offset n". The groups are the caller's in both cases. */
int regex_translate(const char *pattern, size_t len, struct buf *out, struct regex_groups *groups, struct err *e);

#endif
