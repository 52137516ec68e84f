/*
 * yaml_text.h - what may be handed to libfyaml. Inside value/ only. Pure.
 */
#ifndef VALUE_YAML_TEXT_H
#define VALUE_YAML_TEXT_H

#include <stddef.h>

#include "base/err.h"

/*
 * A checked copy of the text for the parser, the caller's to free; lines and columns stay what they are. ERR_INVALID
 * "<name>:<line>:<column>: ..." for a text longer than YAML_BYTES_MAX, for bytes that are not UTF-8 and characters that
 * YAML does not allow, and for a text that would cost libfyaml far more time or memory than its length says.
 */
int yaml_prepare_text(const char *name, const char *text, size_t len, char **ret_text, size_t *ret_len, struct err *e);

#endif
