#include "http/url.h"

#include <ctype.h>
#include <curl/curl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "net/addr.h"
#include "overlay/destination.h"

enum { URL_SHOWN_MAX = 400 };

static const char hex_digits[] = "0123456789ABCDEF";

static bool is_scheme_char(char c, bool first)
{
	if (isalpha((unsigned char)c))
		return true;
	return !first && (isdigit((unsigned char)c) || c == '+' || c == '-' || c == '.');
}

/* Length of the scheme in front of a ':'; 0 when there is none. */
static size_t scheme_len(const char *s)
{
	size_t n = 0;

	while (is_scheme_char(s[n], n == 0))
		n++;
	return s[n] == ':' ? n : 0;
}

void http_url_add_masked(const char *text, struct buf *out)
{
	const char *auth = strstr(text, "://");
	const char *end, *at = NULL, *colon;
	struct buf plain = BUF_INIT;

	auth = auth ? auth + 3 : strncmp(text, "//", 2) == 0 ? text + 2 : NULL;
	if (auth) {
		end = auth + strcspn(auth, "/?#");
		at = memrchr(auth, '@', (size_t)(end - auth));
		/* A password with a bare slash, '?' or '#' in it ends the authority early, and the URL will not parse:
		 * hide everything up to the last '@' of the whole text then. */
		if (!at && memchr(auth, ':', (size_t)(end - auth)))
			at = strrchr(auth, '@');
	}
	colon = at ? memchr(auth, ':', (size_t)(at - auth)) : NULL;
	if (colon) {
		buf_add(&plain, text, (size_t)(colon + 1 - text));
		buf_adds(&plain, "***");
		buf_adds(&plain, at);
		text = buf_str(&plain);
	}
	buf_add_escaped(out, text, strlen(text), URL_SHOWN_MAX);
	buf_done(&plain);
}

static int parse_err(struct err *e, const char *text, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int parse_err(struct err *e, const char *text, const char *fmt, ...)
{
	struct buf shown = BUF_INIT;
	va_list ap;

	http_url_add_masked(text, &shown);
	va_start(ap, fmt);
	err_vset(e, ERR_INVALID, fmt, ap);
	va_end(ap);
	err_prefix(e, "parse \"%s\"", buf_str(&shown));
	buf_done(&shown);
	return err_code(e, "bad_url");
}

static void add_encoded(struct buf *out, unsigned char c)
{
	buf_addc(out, '%');
	buf_addc(out, hex_digits[c >> 4]);
	buf_addc(out, hex_digits[c & 15]);
}

/* What may not stand in a request target as it is. */
static bool must_encode(unsigned char c, bool is_path)
{
	return c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' || (is_path && strchr("\\^`{|}", c));
}

/* Copy, percent-encoding. '%' must introduce an escape in a path. */
static int add_target_part(struct buf *out, const char *s, size_t len, bool is_path, const char *text, struct err *e)
{
	size_t kept = 0; /* bytes before it are in `out` */

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (isalnum(c) || c == '/')
			continue;
		if (c == '%' && is_path &&
			(i + 2 >= len || !isxdigit((unsigned char)s[i + 1]) || !isxdigit((unsigned char)s[i + 2]))) {
			char shown[4] = {0};

			memcpy(shown, s + i, len - i < 3 ? len - i : 3);
			return parse_err(e, text, "invalid URL escape \"%s\"", shown);
		}
		if (must_encode(c, is_path)) {
			buf_add(out, s + kept, i - kept);
			add_encoded(out, c);
			kept = i + 1;
		}
	}
	buf_add(out, s + kept, len - kept);
	return 0;
}

/* The ASCII form of a host with bytes above 0x7f (IDNA), through the library that libcurl is built with. That one
 * takes the bytes to be in the locale's character set, and URLs are UTF-8 everywhere. */
static int add_idn_host(struct buf *out, const char *host, const char *text, struct err *e)
{
	CURLU *u = curl_url();
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
	char *ascii = NULL;
	int rc = -1;

	if (!u || curl_url_set(u, CURLUPART_HOST, host, 0) != CURLUE_OK ||
		curl_url_get(u, CURLUPART_HOST, &ascii, CURLU_PUNYCODE) != CURLUE_OK) {
		parse_err(e, text, "invalid international host name");
		goto out;
	}
	for (const char *p = ascii; *p; p++) {
		if ((unsigned char)*p >= 0x80) {
			parse_err(e, text, "invalid international host name");
			goto out;
		}
	}
	buf_adds(out, ascii);
	rc = 0;
out:
	if (utf8) {
		uselocale(before);
		freelocale(utf8);
	}
	curl_free(ascii);
	curl_url_cleanup(u);
	return rc;
}

/* Its short name into the buffer; false when the host is none. */
static bool add_destination(struct buf *out, const char *host, size_t len)
{
	char b32[B32_NAME_MAX], *copy;
	bool ok;

	if (len <= HOST_TEXT_MAX)
		return false;
	copy = xmemdupz(host, len);
	ok = destination_b32(copy, b32);
	free(copy);
	if (ok)
		buf_adds(out, b32);
	return ok;
}

static int add_host(struct buf *out, const char *host, size_t len, const char *text, struct err *e)
{
	/* A name too long for the DNS is the overlay's to refuse, and one that was to be a destination ends in '='. */
	const char *marks = len > HOST_TEXT_MAX ? "-._~=" : "-._~";
	bool ascii = true;
	char *copy;
	int rc = 0;

	if (len > TARGET_TEXT_MAX)
		return parse_err(e, text, "host name longer than %d bytes", TARGET_TEXT_MAX);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)host[i];

		if (c >= 0x80) {
			ascii = false;
		} else if (c == '%') {
			char shown[4] = {0};

			memcpy(shown, host + i, len - i < 3 ? len - i : 3);
			return parse_err(e, text, "invalid URL escape \"%s\"", shown);
		} else if (!isalnum(c) && !strchr(marks, c)) {
			return parse_err(
				e, text, "invalid character \"%s%c\" in host name", strchr("\"\\", c) ? "\\" : "", c);
		}
	}
	if (ascii) {
		buf_add(out, host, len);
		return 0;
	}
	copy = xmemdupz(host, len);
	rc = add_idn_host(out, copy, text, e);
	free(copy);
	return rc;
}

static int parse_port(struct http_url *u, const char *s, size_t len, const char *text, struct err *e)
{
	unsigned long n = 0;

	if (len == 0)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)s[i]) || n > 65535)
			return parse_err(e, text, "invalid port \":%.*s\" after host", (int)(len > 20 ? 20 : len), s);
		n = n * 10 + (unsigned long)(s[i] - '0');
	}
	if (n == 0 || n > 65535)
		return parse_err(e, text, "invalid port \":%.*s\" after host", (int)(len > 20 ? 20 : len), s);
	u->has_port = n != u->port;
	u->port = (uint16_t)n;
	return 0;
}

/* "[user[:pass]@]host[:port]" into the buffer: userinfo NUL host NUL [destination NUL]. */
static int parse_authority(struct http_url *u, struct buf *out, const char *auth, size_t len, const char *text,
	bool *ret_userinfo, bool *ret_destination, struct err *e)
{
	const char *at = memrchr(auth, '@', len);
	const char *colon;
	size_t host_len;
	struct addr a;

	*ret_userinfo = at != NULL;
	if (at) {
		size_t n = (size_t)(at - auth);

		for (size_t i = 0; i < n; i++) {
			unsigned char c = (unsigned char)auth[i];

			if (!isalnum(c) && !strchr("-._:~!$&'()*+,;=%@", c))
				return parse_err(e, text, "net/url: invalid userinfo");
		}
		buf_add(out, auth, n);
		len -= n + 1;
		auth = at + 1;
	}
	buf_addc(out, '\0');
	if (len > 0 && auth[0] == '[') {
		const char *close = memchr(auth, ']', len);
		char host[ADDR_TEXT_MAX];

		if (!close)
			return parse_err(e, text, "missing ']' in host");
		host_len = (size_t)(close - auth) - 1;
		if (host_len >= sizeof(host))
			return parse_err(e, text, "invalid IPv6 address in host");
		memcpy(host, auth + 1, host_len);
		host[host_len] = '\0';
		if (!strchr(host, ':') || !addr_from_literal(host, 1, &a))
			return parse_err(e, text, "invalid IPv6 address in host");
		u->is_ipv6 = true;
		buf_adds(out, host);
		buf_addc(out, '\0');
		len -= host_len + 2;
		if (len > 0 && close[1] != ':')
			return parse_err(e, text, "invalid port after host");
		return len > 0 ? parse_port(u, close + 2, len - 1, text, e) : 0;
	}
	colon = memrchr(auth, ':', len);
	host_len = colon ? (size_t)(colon - auth) : len;
	if (colon && parse_port(u, colon + 1, len - host_len - 1, text, e) < 0)
		return -1;
	*ret_destination = add_destination(out, auth, host_len);
	if (*ret_destination) {
		buf_addc(out, '\0');
		buf_add(out, auth, host_len);
	} else if (add_host(out, auth, host_len, text, e) < 0) {
		return -1;
	}
	buf_addc(out, '\0');
	return 0;
}

int http_url_parse(const char *text, struct http_url *u, struct err *e)
{
	struct buf out = BUF_INIT;
	size_t len = strlen(text), nscheme = scheme_len(text), user_at, host_at, target_at;
	const char *p, *frag, *query;
	bool has_userinfo = false, is_destination = false;

	memset(u, 0, sizeof(*u));
	if (len > HTTP_URL_BYTES_MAX)
		return err_set(e, ERR_INVALID, "parse URL: longer than %d bytes", HTTP_URL_BYTES_MAX),
		       err_code(e, "bad_url");
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return parse_err(e, text, "net/url: invalid control character in URL");
	}
	if (text[0] == ':')
		return parse_err(e, text, "missing protocol scheme");
	buf_reserve(&out, len + 16);
	for (size_t i = 0; i < nscheme; i++)
		buf_addc(&out, (char)tolower((unsigned char)text[i]));
	buf_addc(&out, '\0');
	if (strcmp(buf_data(&out), "http") == 0) {
		u->port = 80;
	} else if (strcmp(buf_data(&out), "https") == 0) {
		u->port = 443;
		u->is_tls = true;
	}
	p = nscheme ? text + nscheme + 1 : text;
	frag = p + strcspn(p, "#");
	if (nscheme == 0 && *p != '/' && memchr(p, ':', strcspn(p, "/?#"))) {
		parse_err(e, text, "first path segment in URL cannot contain colon");
		goto fail;
	}
	user_at = buf_len(&out);
	host_at = user_at + 1;
	if (p[0] == '/' && p[1] == '/') {
		size_t n = strcspn(p + 2, "/?#");

		if (parse_authority(u, &out, p + 2, n, text, &has_userinfo, &is_destination, e) < 0)
			goto fail;
		host_at = user_at + strlen(buf_data(&out) + user_at) + 1;
		p += 2 + n;
	} else {
		buf_add(&out, "\0\0", 2);
	}
	target_at = buf_len(&out);
	query = memchr(p, '?', (size_t)(frag - p));
	if (*p != '/')
		buf_addc(&out, '/');
	if (add_target_part(&out, p, (size_t)((query ? query : frag) - p), true, text, e) < 0)
		goto fail;
	if (query && add_target_part(&out, query, (size_t)(frag - query), false, text, e) < 0)
		goto fail;
	u->text = xstrdup(text);
	u->mem = buf_detach(&out, NULL);
	u->scheme = u->mem;
	u->userinfo = has_userinfo ? u->mem + user_at : NULL;
	u->host = u->mem + host_at;
	u->target_host = is_destination ? u->host + B32_NAME_MAX : u->host;
	u->target = u->mem + target_at;
	return 0;
fail:
	buf_done(&out);
	memset(u, 0, sizeof(*u));
	return -1;
}

void http_url_done(struct http_url *u)
{
	free(u->text);
	free(u->mem);
	memset(u, 0, sizeof(*u));
}

int http_url_check(const struct http_url *u, struct err *e)
{
	if (strcmp(u->scheme, "http") != 0 && strcmp(u->scheme, "https") != 0) {
		err_set(e, ERR_INVALID, "unsupported protocol scheme \"%.40s\"", u->scheme);
		return err_code(e, "unsupported_scheme");
	}
	if (u->host[0] == '\0') {
		err_set(e, ERR_INVALID, "http: no Host in request URL");
		return err_code(e, "no_host");
	}
	return 0;
}

void http_url_add_authority(const struct http_url *u, struct buf *out)
{
	if (u->is_ipv6)
		buf_addc(out, '[');
	buf_adds(out, u->host);
	if (u->is_ipv6)
		buf_addc(out, ']');
	if (u->has_port)
		buf_addf(out, ":%u", u->port);
}

void http_url_add_plain(const struct http_url *u, struct buf *out)
{
	buf_reserve(out, strlen(u->scheme) + strlen(u->host) + strlen(u->target) + 16);
	buf_adds(out, u->scheme);
	buf_adds(out, "://");
	http_url_add_authority(u, out);
	buf_adds(out, u->target);
}

/* RFC 3986 section 5.2.4 over `path`, appended to `out`. */
static void add_without_dots(struct buf *out, const char *path, size_t len)
{
	size_t base = buf_len(out), i = 0;

	while (i < len) {
		size_t start = i + (path[i] == '/');
		const char *slash = start < len ? memchr(path + start, '/', len - start) : NULL;
		size_t end = slash ? (size_t)(slash - path) : len;
		size_t n = end - start;

		if (n == 1 && path[start] == '.') {
			if (!slash)
				buf_addc(out, '/');
		} else if (n == 2 && path[start] == '.' && path[start + 1] == '.') {
			const char *data = buf_data(out);
			size_t cut = buf_len(out);

			while (cut > base && data[cut - 1] != '/')
				cut--;
			buf_truncate(out, cut > base ? cut - 1 : base);
			if (!slash)
				buf_addc(out, '/');
		} else {
			buf_addc(out, '/');
			buf_add(out, path + start, n);
		}
		i = end;
	}
}

int http_url_resolve(const struct http_url *base, const char *ref, struct buf *out, struct err *e)
{
	size_t nscheme = scheme_len(ref), npath, nauth;
	const char *path, *tail;
	struct buf merged = BUF_INIT;

	if (strlen(ref) > HTTP_URL_BYTES_MAX)
		return err_set(e, ERR_INVALID, "Location longer than %d bytes", HTTP_URL_BYTES_MAX);
	if (nscheme > 0 && strncmp(ref + nscheme + 1, "//", 2) != 0) {
		buf_adds(out, ref); /* "mailto:x": the check of the scheme refuses it by name */
		return 0;
	}
	if (nscheme > 0) {
		buf_add(out, ref, nscheme + 1);
		ref += nscheme + 1;
	} else {
		buf_addf(out, "%s:", base->scheme);
	}
	if (strncmp(ref, "//", 2) == 0) {
		nauth = 2 + strcspn(ref + 2, "/?#");
		buf_add(out, ref, nauth);
		path = ref + nauth;
		npath = strcspn(path, "?#");
		add_without_dots(out, path, npath);
		buf_adds(out, path + npath);
		return 0;
	}
	buf_adds(out, "//");
	if (base->userinfo)
		buf_addf(out, "%s@", base->userinfo);
	http_url_add_authority(base, out);
	npath = strcspn(ref, "?#");
	tail = ref + npath;
	if (npath == 0) {
		size_t base_path = strcspn(base->target, "?");

		buf_add(out, base->target, *tail == '?' ? base_path : strlen(base->target));
		buf_adds(out, tail);
		return 0;
	}
	if (ref[0] != '/') {
		size_t base_path = strcspn(base->target, "?");
		const char *slash = memrchr(base->target, '/', base_path);

		buf_add(&merged, base->target, slash ? (size_t)(slash + 1 - base->target) : 0);
	}
	buf_add(&merged, ref, npath);
	add_without_dots(out, buf_data(&merged), buf_len(&merged));
	buf_adds(out, tail);
	buf_done(&merged);
	return 0;
}

bool http_host_is_within(const char *host, const char *origin)
{
	size_t n = strlen(host), m = strlen(origin);
	struct addr a;

	if (strcasecmp(host, origin) == 0)
		return true;
	if (m == 0 || n <= m + 1 || addr_from_literal(host, 1, &a) || addr_from_literal(origin, 1, &a))
		return false;
	return host[n - m - 1] == '.' && strcasecmp(host + n - m, origin) == 0;
}
