/*
 * time_layout_token.h - cutting a layout into tokens: for time_layout*.c.
 */
#ifndef BIND_TIME_LAYOUT_TOKEN_H
#define BIND_TIME_LAYOUT_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

enum layout_token {
	TOKEN_END, /* literal text only */
	TOKEN_YEAR_LONG,
	TOKEN_YEAR,
	TOKEN_MONTH_LONG,
	TOKEN_MONTH,
	TOKEN_MONTH_ZERO,
	TOKEN_MONTH_NUMBER,
	TOKEN_WEEKDAY_LONG,
	TOKEN_WEEKDAY,
	TOKEN_DAY_ZERO,
	TOKEN_DAY_SPACE,
	TOKEN_DAY,
	TOKEN_YEAR_DAY_ZERO,
	TOKEN_YEAR_DAY_SPACE,
	TOKEN_HOUR,
	TOKEN_HOUR12_ZERO,
	TOKEN_HOUR12,
	TOKEN_MINUTE_ZERO,
	TOKEN_MINUTE,
	TOKEN_SECOND_ZERO,
	TOKEN_SECOND,
	TOKEN_PM,
	TOKEN_PM_SMALL,
	TOKEN_FRACTION_FIXED,
	TOKEN_FRACTION,
	TOKEN_ZONE,
	TOKEN_OFFSET,
};

/* How an offset is written. */
struct layout_offset {
	bool z; /* Z for 0 */
	bool colons;
	bool minutes;
	bool seconds;
};

/* One step through a layout: the literal text before the token, then the token. */
struct layout_piece {
	const char *literal;
	size_t literal_len;
	enum layout_token token;
	const char *text; /* the token as it stands in the layout */
	size_t text_len;
	struct layout_offset offset; /* of TOKEN_OFFSET */
};

/* The next piece of [p, end); what follows begins at piece.text + piece.text_len. */
struct layout_piece layout_next(const char *p, const char *end);

extern const char *const layout_months[12];
extern const char *const layout_weekdays[7];

#endif
