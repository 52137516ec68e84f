/*
 * number.c - see number.h
 */
#include "base/number.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 17 };

/* 0.d1d2d3... * 10^point, no zeros at the end; "0" and point 1 for zero. */
struct decimal {
	char digits[DIGITS_MAX + 1];
	int ndigits;
	int point;
	bool negative;
};

/* The `n` digits nearest to v (> 0); true if they read back as v. */
static bool try_digits(double v, int n, struct decimal *d)
{
	char text[DIGITS_MAX + 16];
	const char *p;

	snprintf(text, sizeof(text), "%.*e", n - 1, v);
	/* Whatever a locale puts between the digits is skipped. */
	d->ndigits = 0;
	for (p = text; *p != 'e'; p++) {
		if (*p >= '0' && *p <= '9')
			d->digits[d->ndigits++] = *p;
	}
	d->point = atoi(p + 1) + 1;
	while (d->ndigits > 1 && d->digits[d->ndigits - 1] == '0')
		d->ndigits--;
	d->digits[d->ndigits] = '\0';
	return strtod(text, NULL) == v;
}

static void to_decimal(double v, struct decimal *d)
{
	bool negative = signbit(v);

	v = fabs(v);
	if (v == 0) {
		*d = (struct decimal){.digits = "0", .ndigits = 1, .point = 1};
	} else {
		/* A normal double keeps any 15 digits, so if fewer do, the 15 nearest are those and zeros. A
		 * subnormal one keeps fewer, and every length must be tried. */
		int n = v < DBL_MIN ? 1 : 15;

		while (!try_digits(v, n, d)) {
			n++;
			assert(n <= DIGITS_MAX);
		}
	}
	d->negative = negative;
}

/* The digits with a point and no exponent; 0 if it takes more than `cap` bytes. */
static size_t put_plain(const struct decimal *d, char *out, size_t cap)
{
	int before = d->point > 0 ? d->point : 1;
	int after = d->ndigits > d->point ? d->ndigits - d->point : 0;
	size_t len = (size_t)d->negative + (size_t)before + (after > 0 ? 1 + (size_t)after : 0);
	char *p = out;

	if (len >= cap)
		return 0;
	if (d->negative)
		*p++ = '-';
	/* Positions count from the point: negative ones stand before it. */
	for (int i = d->point - before; i < d->point + after; i++) {
		if (i == d->point)
			*p++ = '.';
		*p++ = i >= 0 && i < d->ndigits ? d->digits[i] : '0';
	}
	*p = '\0';
	assert((size_t)(p - out) == len);
	return len;
}

/* Written exactly, such a float reads back the same even where it is taken for an integer. Not so -0. */
static bool is_int64(double v)
{
	return v != 0 && fabs(v) < 0x1p63 && v == trunc(v);
}

size_t number_format_float(double v, char out[static NUMBER_TEXT_MAX])
{
	struct decimal d;

	if (isnan(v) || isinf(v))
		return (size_t)sprintf(out, "%s", isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
	if (is_int64(v))
		return number_format_int((int64_t)v, out);
	to_decimal(v, &d);
	if (v != 0 && (fabs(v) >= 1e21 || fabs(v) < 1e-6)) {
		return (size_t)snprintf(out, NUMBER_TEXT_MAX, "%s%c%s%se%c%02d", d.negative ? "-" : "", d.digits[0],
			d.ndigits > 1 ? "." : "", d.digits + 1, d.point > 0 ? '+' : '-', abs(d.point - 1));
	}
	return put_plain(&d, out, NUMBER_TEXT_MAX);
}

size_t number_format_int(int64_t v, char out[static NUMBER_TEXT_MAX])
{
	uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	char text[24];
	char *at = text + sizeof(text);
	size_t len;

	do {
		*--at = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (v < 0)
		*--at = '-';
	len = (size_t)(text + sizeof(text) - at);
	memcpy(out, at, len);
	out[len] = '\0';
	return len;
}

size_t number_format_plain(double v, char *out, size_t cap)
{
	char text[NUMBER_TEXT_MAX];
	struct decimal d;
	size_t len;

	if (isnan(v) || isinf(v))
		return 0;
	if (is_int64(v)) {
		len = number_format_int((int64_t)v, text);
		if (len >= cap)
			return 0;
		memcpy(out, text, len + 1);
		return len;
	}
	to_decimal(v, &d);
	return put_plain(&d, out, cap);
}
