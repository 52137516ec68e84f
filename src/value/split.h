/*
 * split.h - cut a text into chunks for search and language models: by separators, or along the structure of Markdown (CommonMark).
 *
 * A chunk has at most `size` characters where the text allows it (a word, or a separator, longer than that stays whole unless "" is among the
 * separators); the last `overlap` characters, in whole parts, begin the next chunk. Blanks at the edges of a chunk go. Pure, any thread.
 */
#ifndef VALUE_SPLIT_H
#define VALUE_SPLIT_H

#include <stdbool.h>

#include "value/value.h"

enum {
	SPLIT_TEXT_BYTES_MAX = 64 * 1024 * 1024,
	SPLIT_SEPARATORS_MAX = 64,
	SPLIT_CHUNKS_BYTES_MAX = 256 * 1024 * 1024, /* overlaps included */
};

struct split_options {
	size_t size;    /* characters; at least 1 */
	size_t overlap; /* less than size */
	/* By separators: the first that occurs is used, what is still too long is cut with those behind it. */
	const char *const *separators; /* NULL: "\n\n", "\n", " ", "" */
	size_t nseparators;
	bool keep_separator; /* at the begin of the part that follows it */
	/* Markdown only. */
	bool code_blocks;       /* keep them; else they are left out */
	bool reference_links;   /* [text][name] becomes [text](url) */
	bool heading_hierarchy; /* every chunk begins with all headings above it, not only the last one */
	bool join_table_rows;   /* many rows a chunk; else each row is one, below the head of its table */
};

/* A list of strings. INVALID for options that make no sense or a text that is too long. */
int split_recursive(
	const char *text, size_t len, const struct split_options *opt, struct value **ret_chunks, struct err *e);
int split_markdown(
	const char *text, size_t len, const struct split_options *opt, struct value **ret_chunks, struct err *e);

#endif
