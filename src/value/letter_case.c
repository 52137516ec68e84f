#include "value/letter_case.h"

#include <locale.h>
#include <pthread.h>
#include <wctype.h>

#include "base/utf8.h"

static locale_t utf8_locale;

static void make_locale(void)
{
	utf8_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

void letter_put(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_addc(out, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_addc(out, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			buf_addc(out, (char)(0xe0 | c >> 12));
		} else {
			buf_addc(out, (char)(0xf0 | c >> 18));
			buf_addc(out, (char)(0x80 | (c >> 12 & 63)));
		}
		buf_addc(out, (char)(0x80 | (c >> 6 & 63)));
	}
	buf_addc(out, (char)(0x80 | (c & 63)));
}

static uint32_t change(uint32_t c, bool upper)
{
	if (c < 0x80) {
		if (upper)
			return c >= 'a' && c <= 'z' ? c - 32 : c;
		return c >= 'A' && c <= 'Z' ? c + 32 : c;
	}
	if (!utf8_locale)
		return c;
	return upper ? (uint32_t)towupper_l((wint_t)c, utf8_locale) : (uint32_t)towlower_l((wint_t)c, utf8_locale);
}

static void change_all(struct buf *out, const char *s, size_t len, bool upper)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	uint32_t code;

	pthread_once(&once, make_locale);
	for (size_t i = 0; i < len;) {
		size_t n = utf8_sequence(s + i, len - i, &code);

		if (n == 0)
			buf_addc(out, s[i++]);
		else
			letter_put(out, change(code, upper));
		i += n;
	}
}

void letter_upper(struct buf *out, const char *s, size_t len)
{
	change_all(out, s, len, true);
}

void letter_lower(struct buf *out, const char *s, size_t len)
{
	change_all(out, s, len, false);
}
