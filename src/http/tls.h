/*
 * tls.h - the TLS options of one call: checked, copied, and named by a fingerprint so that connections made under
 * different options never meet. Owned by the call; the private key is wiped when it ends.
 */
#ifndef HTTP_TLS_H
#define HTTP_TLS_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/secret.h"
#include "http/client.h"

struct http_tls {
	char *cert_pem;
	struct secret *key_pem;
	char *ca_pem;
	char *server_name;
	bool insecure;
	char fingerprint[65]; /* SHA-256 of all of the above, in hex */
};

/* ERR_INVALID `both cert and key must be provided together`, `parse client certificate: ...`,
 * `parse CA certificate: no valid certificates found`; code "bad_tls_options". Loads OpenSSL. */
int http_tls_new(const struct http_tls_options *o, struct http_tls **ret_tls, struct err *e);
void http_tls_free(struct http_tls *t);

/* Put the options on a handle that is thrown away after use; it borrows `t`. */
void http_tls_apply(const struct http_tls *t, CURL *easy);

/* OpenSSL's verification result in everyday words: "certificate signed by unknown authority". `host` was wanted. */
void http_tls_verify_text(long verify_result, const char *host, struct err *e);

#endif
