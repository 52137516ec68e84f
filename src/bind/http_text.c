#include "bind/http_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hex.h"

static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
	       c == '.' || c == '~';
}

void http_escape(struct buf *out, const char *text, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (is_unreserved(c)) {
			buf_addc(out, (char)c);
		} else if (c == ' ') {
			buf_addc(out, '+');
		} else {
			char code[3] = {'%', hex[c >> 4], hex[c & 15]};

			buf_add(out, code, sizeof(code));
		}
	}
}

int http_unescape(struct buf *out, const char *text, size_t len, struct err *e)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '+') {
			buf_addc(out, ' ');
		} else if (text[i] == '%') {
			int byte = i + 2 < len ? hex_byte(text + i + 1) : -1;

			if (byte < 0) {
				size_t shown = len - i < 3 ? len - i : 3;

				return err_set(e, ERR_INVALID, "invalid URL escape \"%.*s\"", (int)shown, text + i);
			}
			buf_addc(out, (char)byte);
			i += 2;
		} else {
			buf_addc(out, text[i]);
		}
	}
	return 0;
}

static int by_key(const void *a, const void *b)
{
	const struct http_pair *x = a, *y = b;
	size_t shorter = x->key_len < y->key_len ? x->key_len : y->key_len;
	int c = memcmp(x->key, y->key, shorter);

	if (c != 0)
		return c;
	if (x->key_len != y->key_len)
		return x->key_len < y->key_len ? -1 : 1;
	/* Same key: keep the order they came in (both point into one text, or there is only one). */
	return (x->value > y->value) - (x->value < y->value);
}

void http_write_form(struct buf *out, struct http_pair *pairs, size_t n)
{
	qsort(pairs, n, sizeof(*pairs), by_key);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_addc(out, '&');
		http_escape(out, pairs[i].key, pairs[i].key_len);
		buf_addc(out, '=');
		http_escape(out, pairs[i].value, pairs[i].value_len);
	}
}

/* Unescape into `text`, keeping what is malformed as it is. */
static void unescape_lenient(struct buf *text, const char *from, size_t len)
{
	size_t before = buf_len(text);

	if (http_unescape(text, from, len, NULL) < 0) {
		buf_truncate(text, before);
		buf_add(text, from, len);
	}
}

void http_merge_query(struct buf *out, const char *url, struct http_pair *pairs, size_t n)
{
	size_t base = strcspn(url, "?#");
	const char *query = url[base] == '?' ? url + base + 1 : "";
	size_t query_len = strcspn(query, "#");
	const char *fragment = strchr(url, '#');
	size_t most = n + 1, count = n;
	struct buf text = BUF_INIT; /* decoded parameters of the URL, one after the other */
	struct http_pair *all;

	for (size_t i = 0; i < query_len; i++)
		most += query[i] == '&';
	all = xcalloc(most, sizeof(*all));
	if (n > 0)
		memcpy(all, pairs, n * sizeof(*all));
	/* Decoding never makes a text longer: with the room reserved, pointers into it stay valid. */
	buf_reserve(&text, query_len + 1);
	for (size_t i = 0; i < query_len;) {
		size_t len = strcspn(query + i, "&#");
		const char *equals = memchr(query + i, '=', len);
		size_t key_len = equals ? (size_t)(equals - query - i) : len;
		struct http_pair p;
		bool replaced = false;

		p.key = buf_data(&text) + buf_len(&text);
		unescape_lenient(&text, query + i, key_len);
		p.key_len = (size_t)(buf_data(&text) + buf_len(&text) - p.key);
		p.value = buf_data(&text) + buf_len(&text);
		if (equals)
			unescape_lenient(&text, equals + 1, len - key_len - 1);
		p.value_len = (size_t)(buf_data(&text) + buf_len(&text) - p.value);
		for (size_t j = 0; j < n && !replaced; j++)
			replaced = pairs[j].key_len == p.key_len && memcmp(pairs[j].key, p.key, p.key_len) == 0;
		if (!replaced && len > 0)
			all[count++] = p;
		i += len + 1;
	}
	buf_add(out, url, base);
	if (count > 0) {
		buf_addc(out, '?');
		http_write_form(out, all, count);
	}
	if (fragment)
		buf_adds(out, fragment);
	buf_done(&text);
	free(all);
}

/* Quotes, line ends and backslashes would end the quoted text of a header. */
static void add_quoted(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		switch (text[i]) {
		case '"':
			buf_adds(out, "%22");
			break;
		case '\r':
			buf_adds(out, "%0D");
			break;
		case '\n':
			buf_adds(out, "%0A");
			break;
		case '\0':
			break;
		default:
			buf_addc(out, text[i]);
		}
	}
}

void http_write_part(struct buf *out, const char *boundary, const char *name, size_t name_len, const char *filename,
	size_t filename_len, const char *content, size_t content_len)
{
	buf_addf(out, "--%s\r\nContent-Disposition: form-data; name=\"", boundary);
	add_quoted(out, name, name_len);
	buf_addc(out, '"');
	if (filename) {
		buf_adds(out, "; filename=\"");
		add_quoted(out, filename, filename_len);
		buf_adds(out, "\"\r\nContent-Type: application/octet-stream");
	}
	buf_adds(out, "\r\n\r\n");
	buf_add(out, content, content_len);
	buf_adds(out, "\r\n");
}

/* -- cookies -- */

static bool is_cookie_byte(unsigned char c, bool in_name)
{
	if (c <= ' ' || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\')
		return false;
	return !in_name || c != '=';
}

void http_cookie_write(struct buf *out, const char *name, size_t name_len, const char *value, size_t value_len)
{
	for (size_t i = 0; i < name_len; i++) {
		if (is_cookie_byte((unsigned char)name[i], true))
			buf_addc(out, name[i]);
	}
	buf_addc(out, '=');
	for (size_t i = 0; i < value_len; i++) {
		if (is_cookie_byte((unsigned char)value[i], false))
			buf_addc(out, value[i]);
	}
}

static void trim(const char **text, size_t *len)
{
	while (*len > 0 && (**text == ' ' || **text == '\t')) {
		(*text)++;
		(*len)--;
	}
	while (*len > 0 && ((*text)[*len - 1] == ' ' || (*text)[*len - 1] == '\t'))
		(*len)--;
}

bool http_cookie_read(
	const char *line, const char **ret_name, size_t *ret_name_len, const char **ret_value, size_t *ret_value_len)
{
	size_t len = strcspn(line, ";");
	const char *equals = memchr(line, '=', len);

	if (!equals)
		return false;
	*ret_name = line;
	*ret_name_len = (size_t)(equals - line);
	trim(ret_name, ret_name_len);
	*ret_value = equals + 1;
	*ret_value_len = len - (size_t)(equals - line) - 1;
	trim(ret_value, ret_value_len);
	if (*ret_value_len >= 2 && (*ret_value)[0] == '"' && (*ret_value)[*ret_value_len - 1] == '"') {
		(*ret_value)++;
		*ret_value_len -= 2;
	}
	return *ret_name_len > 0;
}
