/*
 * code.h - the translated source of one entry and what it loads: shared by every worker, immutable.
 *
 * A code object never changes: a changed entry (or a changed library under it) gets a new one with a new serial.
 * Each heap compiles it once and keeps the factory by serial.
 */
#ifndef ENGINE_CODE_H
#define ENGINE_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/module.h"

struct code;

struct code_import {
	const char *alias;
	struct code *library; /* borrowed; code_new() takes a reference */
};

struct code_spec {
	const char *id; /* entry id, the chunk's name in messages */
	const char *source;
	size_t source_len;
	const char *method;                  /* NULL for libraries */
	const struct module *const *modules; /* listed modules, checked by the caller */
	size_t nmodules;
	const struct code_import *imports;
	size_t nimports;
};

/* Translate and check the source. Errors as front.h says, or an alias that means two things in the closure:
 * ERR_CONFLICT "alias 'x' collision". Borrows everything in `spec`. */
int code_new(const struct code_spec *spec, struct code **ret_code, struct err *e);
struct code *code_ref(struct code *c);
void code_unref(struct code *c); /* any thread */

const char *code_id(const struct code *c);
const char *code_method(const struct code *c);
uint64_t code_serial(const struct code *c); /* unique, starts at 1 */
/* Did its chunks run through once, in whatever heap, in a way that cannot end differently next time (but for memory that is out)? Any thread. */
bool code_is_steady(const struct code *c);

#endif
