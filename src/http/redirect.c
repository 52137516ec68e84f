#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/hex.h"
#include "base/secret.h"
#include "http/internal.h"

/*
 * Redirects are followed here and not by libcurl, so that every hop is judged and routed like a first request: through
 * the same overlay, with the credentials that belong to its host (RFC 9110 section 15.4).
 */

bool http_redirect_is_wanted(const struct http_head *h)
{
	const char *location;

	switch (h->status) {
	case 301:
	case 302:
	case 303:
	case 307:
	case 308:
		location = http_head_get(h, "Location");
		return location && *location;
	default:
		return false;
	}
}

bool http_header_is_credential(const char *name)
{
	static const char *const names[] = {
		"Authorization", "Cookie", "Cookie2", "Proxy-Authenticate", "Proxy-Authorization", "Www-Authenticate"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcasecmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static bool is_content(const char *name)
{
	return strncasecmp(name, "Content-", 8) == 0;
}

static void drop_body(struct http_call *call)
{
	free(call->body);
	call->body = NULL;
	call->body_len = 0;
	http_header_set_drop(&call->headers, is_content);
}

static void wipe(struct buf *b)
{
	if (b->mem)
		explicit_bzero(b->mem, b->cap);
	buf_done(b);
}

struct secret *http_basic_auth(const char *userinfo)
{
	struct buf plain = BUF_INIT, out = BUF_INIT;
	struct secret *s;

	if (!userinfo)
		return NULL;
	/* At once, so that growing leaves no copies behind. */
	buf_reserve(&plain, strlen(userinfo) + 1);
	buf_reserve(&out, 2 * strlen(userinfo) + 16);
	for (const char *p = userinfo; *p; p++) {
		if (*p == '%' && hex_byte(p + 1) >= 0) {
			buf_addc(&plain, (char)hex_byte(p + 1));
			p += 2;
		} else {
			buf_addc(&plain, *p);
		}
	}
	if (!strchr(userinfo, ':'))
		buf_addc(&plain, ':');
	buf_adds(&out, "Basic ");
	base64_encode(&out, buf_data(&plain), buf_len(&plain));
	s = secret_new(buf_data(&out), buf_len(&out));
	wipe(&plain);
	wipe(&out);
	return s;
}

static void set_referer(struct http_call *call, const struct http_url *next)
{
	struct buf text = BUF_INIT;

	free(call->referer);
	call->referer = NULL;
	if (call->url.is_tls && !next->is_tls)
		return;
	http_url_add_plain(&call->url, &text);
	call->referer = buf_detach(&text, NULL);
}

int http_redirect_follow(struct http_call *call, const char *location)
{
	struct buf text = BUF_INIT;
	struct http_url next;
	int rc = -1;

	if (http_url_resolve(&call->url, location, &text, &call->err) < 0 ||
		http_url_parse(buf_str(&text), &next, &call->err) < 0) {
		err_prefix(&call->err, "failed to parse Location header");
		goto out;
	}
	if (call->redirects >= HTTP_REDIRECTS_MAX) {
		err_set(&call->err, ERR_INTERNAL, "stopped after %d redirects", HTTP_REDIRECTS_MAX);
		err_code(&call->err, "redirect_limit");
		http_url_done(&next);
		goto out;
	}
	call->redirects++;
	if (call->head.status <= 303) {
		if (strcmp(call->method, "GET") != 0 && strcmp(call->method, "HEAD") != 0)
			snprintf(call->method, sizeof(call->method), "GET");
		drop_body(call);
	}
	if (!call->origin_host)
		call->origin_host = xstrdup(call->url.host);
	/* For good: a later hop back to the first host gets no credentials either. What was meant for TLS is not repeated in the
	 * clear, not even to the same host. */
	if (!http_host_is_within(next.host, call->origin_host) || (call->url.is_tls && !next.is_tls))
		http_header_set_drop(&call->headers, http_header_is_credential);
	set_referer(call, &next);
	http_url_done(&call->url);
	call->url = next;
	secret_free(call->userinfo_auth);
	call->userinfo_auth = http_basic_auth(next.userinfo);
	rc = 0;
out:
	buf_done(&text);
	return rc;
}
