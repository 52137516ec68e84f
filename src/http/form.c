#include "http/form.h"

#include <string.h>

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Append `s` decoded. */
static bool decode(struct buf *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '+') {
			buf_addc(out, ' ');
		} else if (s[i] == '%') {
			if (len - i < 3 || hex(s[i + 1]) < 0 || hex(s[i + 2]) < 0)
				return false;
			buf_addc(out, (char)(hex(s[i + 1]) << 4 | hex(s[i + 2])));
			i += 2;
		} else {
			buf_addc(out, s[i]);
		}
	}
	return true;
}

void form_open(struct form_reader *r, const char *text, size_t len)
{
	r->at = text;
	r->left = len;
	buf_init(&r->scratch);
}

static bool read_pair(struct form_reader *r, const char *s, size_t len, struct form_pair *ret)
{
	const char *eq = memchr(s, '=', len);
	size_t name = eq ? (size_t)(eq - s) : len;
	size_t split;

	if (len == 0 || memchr(s, ';', len))
		return false;
	buf_clear(&r->scratch);
	if (!decode(&r->scratch, s, name))
		return false;
	split = buf_len(&r->scratch);
	if (eq && !decode(&r->scratch, eq + 1, len - name - 1))
		return false;
	ret->name = buf_data(&r->scratch);
	ret->name_len = split;
	ret->value = ret->name + split;
	ret->value_len = buf_len(&r->scratch) - split;
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

void form_close(struct form_reader *r)
{
	buf_done(&r->scratch);
}
