/*
 * number.h - the text of a number, the same everywhere it is shown.
 *
 * A float with an integral value prints without ".0" (10/2 is "5"), exactly below 2^63; other
 * floats in the shortest form that reads back the same; "+Inf", "-Inf", "NaN".
 * The exponent form is used from 1e21 up and below 1e-6, as "1e+21", "1e-07". Pure.
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NUMBER_TEXT_MAX = 40, NUMBER_PLAIN_MAX = 352 };

/* Both write a NUL and return the length. */
size_t number_format_float(double v, char out[static NUMBER_TEXT_MAX]);
size_t number_format_int(int64_t v, char out[static NUMBER_TEXT_MAX]);

/* Shortest decimal digits without an exponent, for JSON. Writes a NUL and returns the length; 0 for NaN and
 * infinities, or when `cap` is too small (NUMBER_PLAIN_MAX always does). */
size_t number_format_plain(double v, char *out, size_t cap);

#endif
