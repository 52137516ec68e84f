/*
 * http_server_tls.h - the `tls` block of an http.service.
 *
 *     tls:
 *       mode: manual                # "" (off), manual, auto (the overlay's driver ends TLS)
 *       cert: ${env:SITE_CERT}      # PEM, a file:// reference, a placeholder; or cert_env: NAME. A chain follows the certificate
 *       key: ${env:SITE_KEY}        # the same; or key_env
 *       client_auth: require_and_verify   # "", request, require_any, verify_if_given, require_and_verify
 *       client_ca: file://ca.pem    # or client_ca_env
 *       certificates:               # for clients that ask for these hosts (SNI); cert and key above are for all others
 *         - hosts: [shop.example.com, "*.shop.example.com"]
 *           cert: ...               # or cert_env, key_env
 *           key: ...
 *
 * What the block says is checked when the entry is applied; texts of variables and placeholders are read when the server binds, and again when the entry is applied
 * while it runs: connections that begin afterwards get the new certificates. No error shows a text. Main thread.
 */
#ifndef SERVICE_HTTP_SERVER_TLS_H
#define SERVICE_HTTP_SERVER_TLS_H

#include "base/err.h"
#include "http/transport.h"
#include "registry/env.h"
#include "value/value.h"

enum server_tls_mode { SERVER_TLS_OFF, SERVER_TLS_MANUAL, SERVER_TLS_AUTO };

/* `tls`: the block as the entry of namespace `ns` has it, placeholders and all; NULL: off. INVALID, the conflicting fields in words. */
int server_tls_check(
	struct env *env, const char *ns, const struct value *tls, enum server_tls_mode *ret_mode, struct err *e);

/* Of a checked block of mode manual, as its entry has it, placeholders and all: make *server (when NULL) or give it these certificates from now on. `ns`: of the
 * entry. INVALID "failed to load TLS cert/key: ...", "failed to resolve TLS env variable: NAME", "client_ca PEM contains no valid certificates", and those of
 * server_tls_check(), when variables have changed since. */
int server_tls_load(
	struct env *env, const char *ns, const struct value *tls, struct tls_server **server, struct err *e);

#endif
