/*
 * packed_format.h - the bytes inside a packed block, for the files that read and write them.
 *
 * Each payload is one item. An item is a tag byte and what the tag says:
 *
 *   NIL FALSE TRUE
 *   INT    8 bytes, the machine's order
 *   FLOAT  8 bytes
 *   STR8   1 byte length, bytes        STR32  4 bytes length, bytes
 *   TABLE  flags (1), array count (4), pair count (4), the array's items, the pairs' keys and values,
 *          the metatable's item when TABLE_META is set
 *   REF    4 bytes: the n-th table of this payload, counted from 0 in the order of their tags
 *   FAIL   4 bytes: index into the block's failures
 *
 * Blocks never leave the process, still readers check every bound: a mistake must not become a wild read.
 */
#ifndef ENGINE_PACKED_FORMAT_H
#define ENGINE_PACKED_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/refcount.h"
#include "engine/failure.h"
#include "engine/packed.h"

enum packed_tag {
	PACKED_NIL,
	PACKED_FALSE,
	PACKED_TRUE,
	PACKED_INT,
	PACKED_FLOAT,
	PACKED_STR8,
	PACKED_STR32,
	PACKED_TABLE,
	PACKED_REF,
	PACKED_FAIL,
};

enum { PACKED_TABLE_META = 1 };

struct packed {
	struct refcount refs;
	uint32_t count;
	uint32_t nfailures;
	bool has_refs; /* some REF is in it: readers must keep track of tables */
	size_t len;
	struct failure **failures;
	uint32_t *ends; /* of each payload, offsets into bytes */
	unsigned char bytes[];
};

/* Builds a block; small ones never touch malloc until packing_finish(). */
struct packing {
	unsigned char small[512];
	unsigned char *bytes;
	size_t len;
	size_t cap;
	uint32_t small_ends[8];
	uint32_t *ends;
	uint32_t count;
	uint32_t cap_ends;
	struct failure **failures;
	uint32_t nfailures;
	bool has_refs;
};

void packing_init(struct packing *k);
void packing_done(struct packing *k);
int packing_tag(struct packing *k, enum packed_tag tag, struct err *e);
int packing_int(struct packing *k, int64_t i, struct err *e);
int packing_float(struct packing *k, double f, struct err *e);
int packing_string(struct packing *k, const char *s, size_t len, struct err *e);
int packing_ref(struct packing *k, uint32_t index, struct err *e);
/* Keeps its own reference. */
int packing_failure(struct packing *k, struct failure *f, struct err *e);
/* Returns through `ret_at` what packing_table_end() needs. */
int packing_table(struct packing *k, size_t *ret_at, struct err *e);
void packing_table_end(struct packing *k, size_t at, uint32_t narray, uint32_t npairs, bool has_meta);
/* The item just written was a payload. */
void packing_end_payload(struct packing *k);
/* The finished block; the packing is empty afterwards. */
struct packed *packing_finish(struct packing *k);

/* A block of one payload, an item of `len` bytes that the caller fills in: what packing it would give, at once. */
struct packed *packed_item_new(size_t len);

/* Reads a payload. */
struct unpacking {
	const struct packed *packed;
	size_t at;
	size_t end;
};

struct packed_item {
	enum packed_tag tag;
	int64_t i; /* INT */
	double f;  /* FLOAT */
	const char *str;
	size_t len;
	uint32_t index; /* REF */
	struct failure *failure;
	uint32_t narray, npairs; /* TABLE; never more than the bytes that are left could hold */
	bool has_meta;
};

/* False when there is no such payload. */
bool unpacking_init(struct unpacking *u, const struct packed *p, unsigned i);
/* The next item's head; false when the bytes make no sense. */
bool unpacking_next(struct unpacking *u, struct packed_item *ret);

#endif
