/*
 * text_diff.h - what changed from one text to another, as patches that also fit a text that has changed meanwhile.
 *
 * Differences are found by Myers' algorithm ("An O(ND) Difference Algorithm and Its Variations", 1986, the linear space one) over characters; bytes that
 * are no UTF-8 count as one each. When time is out, what is left is one deletion and one insertion: right, but not minimal. Pure, any thread.
 *
 * A patch is applied where its old text stands nearest to where it is expected; if it stands nowhere exactly, where it stands with the fewest changes,
 * weighed against the distance as Neil Fraser's diff-match-patch does.
 */
#ifndef VALUE_TEXT_DIFF_H
#define VALUE_TEXT_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
	TEXT_DIFF_BYTES_MAX = 1024 * 1024, /* of each text */
	TEXT_DIFF_MS_MAX = 1000,
	TEXT_PATCH_WORK_MAX = 20000000, /* characters of a patch times characters where it is looked for */
	TEXT_PATCH_MARGIN_MAX = 10000,
};

enum text_operation { TEXT_EQUAL, TEXT_DELETE, TEXT_INSERT };

struct text_change {
	enum text_operation operation;
	char *text; /* owned */
	size_t len;
};

struct text_diff {
	struct text_change *changes;
	size_t n;
};

struct text_patch {
	size_t start_a, len_a; /* characters of the old text */
	size_t start_b, len_b; /* of the new one */
	struct text_diff diff; /* with what is around it */
};

struct text_patches {
	struct text_patch *patches;
	size_t n;
};

struct text_diff_options {
	double timeout_s;              /* 0: the most that is allowed */
	double match_threshold;        /* 0: only exact .. 1: anything */
	double match_distance;         /* characters; what is that far away is as bad as no match */
	double patch_delete_threshold; /* how much of the old text may differ, 0 .. 1 */
	size_t patch_margin;           /* characters around a change */
};

/* INVALID for texts that are too long. The caller frees the result with text_diff_done(). */
int text_diff(const char *a, size_t a_len, const char *b, size_t b_len, const struct text_diff_options *opt,
	struct text_diff *ret_diff, struct err *e);
void text_diff_done(struct text_diff *d);
/* Append a copy. */
void text_diff_add(struct text_diff *d, enum text_operation op, const char *text, size_t len);

int text_patch_make(const char *a, size_t a_len, const char *b, size_t b_len, const struct text_diff_options *opt,
	struct text_patches *ret_patches, struct err *e);
void text_patches_done(struct text_patches *p);

/* Appends the patched text; *ret_all_ok: did every patch fit? Those that did not are left out. INTERNAL when it takes
 * longer than TEXT_DIFF_MS_MAX. */
int text_patch_apply(const struct text_patches *p, const char *s, size_t len, const struct text_diff_options *opt,
	struct buf *out, bool *ret_all_ok, struct err *e);

#endif
