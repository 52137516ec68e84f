/*
 * yaml_block.h - the text of a block scalar (YAML 1.2.2 section 8.1). Inside value/ only. Pure.
 */
#ifndef VALUE_YAML_BLOCK_H
#define VALUE_YAML_BLOCK_H

#include <stddef.h>

#include "base/buf.h"

/* Where the parser found a block scalar in a text whose lines all end with a newline. */
struct yaml_block {
	const char *text;
	size_t len;
	size_t header; /* nothing before this belongs to the header, which ends just before `start` */
	size_t start;  /* of the first line after the header */
	size_t end;    /* where the parser thinks that it ends */
	size_t indent; /* columns that all lines must have at least */
};

/* Append the decoded text. Returns NULL, or what is wrong, static: the scalar ends elsewhere than the parser thinks,
 * or its lines are indented too little. */
const char *yaml_block_text(const struct yaml_block *b, struct buf *out);

#endif
