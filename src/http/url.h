/*
 * url.h - absolute http(s) URLs, as the client needs them. Pure.
 *
 * A URL is parsed once (RFC 3986 with the leniency of everyday URLs: blanks and bytes above 0x7f in path and query
 * are percent-encoded, a host in Unicode becomes its ASCII form) and kept in one block; nothing is guessed and dot
 * segments are sent as they are.
 *
 * A host may be an I2P destination in base64, which is longer than Host fields, certificates and libcurl take (and ends in
 * '='): for all of those it goes by its short name (overlay/destination.h), and is only dialled as it was given.
 */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { HTTP_URL_BYTES_MAX = 1024 * 1024 };

struct http_url {
	char *text;              /* as it was given */
	const char *scheme;      /* lower case; "" when there is none */
	const char *userinfo;    /* still escaped; NULL when there is none */
	const char *host;        /* ASCII, no brackets; "" when there is none. Of an I2P destination its short name */
	const char *target_host; /* what is dialled: `host`, or the destination in base64 as it was given */
	const char *target;      /* path and query, escaped: "/a?b" */
	uint16_t port;           /* of the URL, or the scheme's own; 0 for an unknown scheme */
	bool has_port;           /* written, and not the scheme's own */
	bool is_tls;
	bool is_ipv6; /* `host` wants brackets */
	char *mem;    /* what the strings above live in */
};

/* Contents of `u` on success only. ERR_INVALID `parse "http://a b/": invalid character " " in host name`. An unknown
 * scheme or no host at all parses: url_check() is what refuses them. */
int http_url_parse(const char *text, struct http_url *u, struct err *e);
void http_url_done(struct http_url *u);
/* ERR_INVALID `unsupported protocol scheme "ftp"` (code "unsupported_scheme"), `http: no Host in request URL` (code
 * "no_host"). */
int http_url_check(const struct http_url *u, struct err *e);

/* Resolve a Location against `base` (RFC 3986 section 5.2) into a text for http_url_parse(). */
int http_url_resolve(const struct http_url *base, const char *ref, struct buf *out, struct err *e);

/* "host" or "host:port", brackets as needed, the scheme's own port left out. */
void http_url_add_authority(const struct http_url *u, struct buf *out);
/* The URL without credentials and fragment: for Referer and for libcurl. */
void http_url_add_plain(const struct http_url *u, struct buf *out);
/* `text` for people: a password replaced by ***, odd bytes escaped, shortened. */
void http_url_add_masked(const char *text, struct buf *out);

/* Is `host` the same as `origin` or a name below it? Addresses only match themselves. */
bool http_host_is_within(const char *host, const char *origin);

#endif
