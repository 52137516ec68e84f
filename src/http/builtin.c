#include "http/builtin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/duration.h"
#include "http/form.h"

unsigned http_status_seen(const struct exchange *x)
{
	return exchange_status(x) && (exchange_head_left(x) || !exchange_is_gone(x)) ? exchange_status(x) : 499;
}

const char *http_option(const struct value *options, const char *name, const char *old, const char *otherwise)
{
	const char *text = value_text(value_get(options, name), NULL);

	if (!text && old)
		text = value_text(value_get(options, old), NULL);
	return text && text[0] ? text : otherwise;
}

int64_t http_option_number(const struct value *options, const char *name, int64_t otherwise)
{
	const char *text = http_option(options, name, NULL, "");
	long long n;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return otherwise;
	errno = 0;
	n = strtoll(text, &end, 10);
	return errno || *end || n <= 0 ? otherwise : n;
}

int64_t http_option_duration(const struct value *options, const char *name, int64_t otherwise_ns)
{
	const char *text = http_option(options, name, NULL, "");
	int64_t ns;

	return duration_parse(text, strlen(text), &ns, NULL) < 0 || ns <= 0 ? otherwise_ns : ns;
}

bool http_option_is_true(const struct value *options, const char *name, const char *old)
{
	return strcmp(http_option(options, name, old, ""), "true") == 0;
}

bool http_query_value(const char *query, const char *name, struct buf *out)
{
	size_t len = strlen(query);
	struct form_reader r;
	struct form_pair pair;
	bool found = false;
	char *scratch;

	if (len == 0)
		return false;
	scratch = xmalloc(len);
	form_open(&r, query, len, scratch);
	while (!found && form_next(&r, &pair)) {
		found = pair.name_len == strlen(name) && memcmp(pair.name, name, pair.name_len) == 0;
		if (found)
			buf_add(out, pair.value, pair.value_len);
	}
	free(scratch);
	return found;
}

bool http_cookie_value(const struct exchange *x, const char *name, struct buf *out)
{
	size_t name_len = strlen(name);

	for (size_t i = 0; i < exchange_nheaders(x); i++) {
		const struct exchange_field *f = exchange_header_at(x, i);

		if (f->name_len != 6 || strncasecmp(f->name, "Cookie", 6) != 0)
			continue;
		for (const char *s = f->value; *s;) {
			size_t len;

			s += strspn(s, " \t;");
			len = strcspn(s, ";");
			if (len > name_len && s[name_len] == '=' && memcmp(s, name, name_len) == 0) {
				const char *v = s + name_len + 1;
				size_t n = len - name_len - 1;

				while (n > 0 && (v[n - 1] == ' ' || v[n - 1] == '\t'))
					n--;
				if (n >= 2 && v[0] == '"' && v[n - 1] == '"') {
					v++;
					n -= 2;
				}
				buf_add(out, v, n);
				return true;
			}
			s += len;
		}
	}
	return false;
}

void http_remote_ip(const char *remote, struct buf *out)
{
	const char *colon = strrchr(remote, ':');
	const char *close = remote[0] == '[' ? strchr(remote, ']') : NULL;

	if (close)
		buf_add(out, remote + 1, (size_t)(close - remote) - 1);
	else if (colon && strchr(remote, ':') == colon) /* more than one: an IPv6 address without a port */
		buf_add(out, remote, (size_t)(colon - remote));
	else
		buf_adds(out, remote);
}
