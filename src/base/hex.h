/*
 * hex.h - hexadecimal digits, of either case. Pure.
 */
#ifndef BASE_HEX_H
#define BASE_HEX_H

/* What the digit stands for; -1: it is none. */
static inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte the two digits at `s` stand for; -1: they are not two digits. A NUL at s[0] ends the reading. */
static inline int hex_byte(const char *s)
{
	int high = hex_digit(s[0]);
	int low = high < 0 ? -1 : hex_digit(s[1]);

	return low < 0 ? -1 : high << 4 | low;
}

#endif
