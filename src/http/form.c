#include "http/form.h"

#include <string.h>

#include "base/hex.h"

/* Write `s` decoded, which is never longer; the number of bytes, -1 when it cannot be. */
static ptrdiff_t decode(char *out, const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (s[i] == '+') {
			out[n++] = ' ';
		} else if (s[i] == '%') {
			int byte = len - i < 3 ? -1 : hex_byte(s + i + 1);

			if (byte < 0)
				return -1;
			out[n++] = (char)byte;
			i += 2;
		} else {
			out[n++] = s[i];
		}
	}
	return (ptrdiff_t)n;
}

void form_open(struct form_reader *r, const char *text, size_t len, char *scratch)
{
	r->at = text;
	r->left = len;
	r->scratch = scratch;
}

static bool read_pair(struct form_reader *r, const char *s, size_t len, struct form_pair *ret)
{
	const char *eq = memchr(s, '=', len);
	size_t name = eq ? (size_t)(eq - s) : len;
	ptrdiff_t name_len, value_len = 0;

	if (len == 0 || memchr(s, ';', len))
		return false;
	name_len = decode(r->scratch, s, name);
	if (name_len >= 0 && eq)
		value_len = decode(r->scratch + name_len, eq + 1, len - name - 1);
	if (name_len < 0 || value_len < 0)
		return false;
	ret->name = r->scratch;
	ret->name_len = (size_t)name_len;
	ret->value = ret->name + name_len;
	ret->value_len = (size_t)value_len;
	return true;
}

bool form_next(struct form_reader *r, struct form_pair *ret)
{
	while (r->left > 0) {
		const char *s = r->at, *amp = memchr(s, '&', r->left);
		size_t len = amp ? (size_t)(amp - s) : r->left;
		size_t used = amp ? len + 1 : len;

		r->at += used;
		r->left -= used;
		if (read_pair(r, s, len, ret))
			return true;
	}
	return false;
}
