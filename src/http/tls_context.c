/*
 * tls_context.c - what TLS connections have in common: certificates, keys, whom to trust, which certificate for which host.
 */
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "http/pem.h"
#include "http/transport_private.h"

enum { CHAIN_DEPTH_MAX = 16 };

/* What both sides want. */
static SSL_CTX *context_new(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	/* Idle connections give their buffers back; what is written in parts may move between the parts; a chain is what was given, not what OpenSSL finds. */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_verify_depth(ctx, CHAIN_DEPTH_MAX);
	/* Sessions live in the tickets of the clients, not here. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return ctx;
}

static int no_openssl(struct err *e)
{
	ERR_clear_error();
	return err_set(e, ERR_INTERNAL, "tls: OpenSSL could not be set up");
}

/* -- servers: certificates --------------------------------------------------------------------------- */

/* OpenSSL's reason holds no text of what was read. */
static int load_failed(struct err *e, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	if (what)
		err_set(e, ERR_INVALID, "failed to load TLS cert/key: %s", what);
	else
		err_set(e, ERR_INVALID, "failed to load TLS cert/key: %s", reason ? reason : "not accepted");
	ERR_clear_error();
	return -1;
}

static int use_pair(SSL_CTX *ctx, STACK_OF(X509) * chain, EVP_PKEY *key, struct err *e)
{
	X509 *leaf = sk_X509_value(chain, 0);

	if (X509_check_private_key(leaf, key) != 1)
		return load_failed(e, "tls: private key does not match public key");
	if (SSL_CTX_use_certificate(ctx, leaf) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1)
		return load_failed(e, NULL);
	for (int i = 1; i < sk_X509_num(chain); i++)
		if (SSL_CTX_add1_chain_cert(ctx, sk_X509_value(chain, i)) != 1)
			return load_failed(e, NULL);
	return 0;
}

static int load_pair(SSL_CTX *ctx, const char *cert_pem, const char *key_pem, struct err *e)
{
	STACK_OF(X509) *chain = NULL;
	EVP_PKEY *key = NULL;
	int rc = -1;

	if (strlen(cert_pem) > PEM_BYTES_MAX || strlen(key_pem) > PEM_BYTES_MAX)
		return load_failed(e, "PEM text longer than 1 MiB");
	chain = pem_read_certificates(cert_pem);
	key = pem_read_key(key_pem);
	if (!chain)
		load_failed(e, "tls: failed to find any PEM data in certificate input, or it cannot be read");
	else if (!key)
		load_failed(e, "tls: failed to parse private key");
	else
		rc = use_pair(ctx, chain, key, e);
	pem_free_certificates(chain);
	EVP_PKEY_free(key);
	return rc;
}

/* -- servers: clients' certificates ------------------------------------------------------------------ */

/* Of modes that ask and do not verify. That the client has the key is checked by the handshake all the same. */
static int take_any(X509_STORE_CTX *store, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

/* Each of them is a root, also one that another has signed: who names it trusts it. */
static int trust(SSL_CTX *ctx, STACK_OF(X509) * cas)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);

	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	for (int i = 0; i < sk_X509_num(cas); i++)
		if (X509_STORE_add_cert(store, sk_X509_value(cas, i)) != 1)
			return -1;
	return 0;
}

static int set_client_ca(SSL_CTX *ctx, const char *pem, struct err *e)
{
	STACK_OF(X509) *cas = strlen(pem) <= PEM_BYTES_MAX ? pem_read_certificates(pem) : NULL;
	int rc = 0;

	if (!cas)
		return err_set(e, ERR_INVALID, "client_ca PEM contains no valid certificates");
	if (trust(ctx, cas) < 0)
		rc = no_openssl(e);
	for (int i = 0; rc == 0 && i < sk_X509_num(cas); i++)
		if (SSL_CTX_add_client_CA(ctx, sk_X509_value(cas, i)) != 1)
			rc = no_openssl(e);
	pem_free_certificates(cas);
	return rc;
}

static int set_client_auth(SSL_CTX *ctx, const struct tls_server_config *cfg, struct err *e)
{
	switch (cfg->client_auth) {
	case TLS_CLIENT_AUTH_NONE:
		SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
		return 0;
	case TLS_CLIENT_AUTH_REQUEST:
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_cert_verify_callback(ctx, take_any, NULL);
		break;
	case TLS_CLIENT_AUTH_REQUIRE_ANY:
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		SSL_CTX_set_cert_verify_callback(ctx, take_any, NULL);
		break;
	case TLS_CLIENT_AUTH_VERIFY_IF_GIVEN:
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
		break;
	case TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY:
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		break;
	}
	return cfg->client_ca ? set_client_ca(ctx, cfg->client_ca, e) : 0;
}

/* -- servers: what a client asks for ----------------------------------------------------------------- */

/* RFC 7301 §3.2: a client that offers only what we do not speak is refused. "http/1.0" is the same protocol to us. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
	unsigned in_len, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1\x08http/1.0";
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static bool host_fits(const char *pattern, const char *host, size_t len)
{
	const char *dot;

	if (strncmp(pattern, "*.", 2) != 0)
		return strlen(pattern) == len && strncasecmp(pattern, host, len) == 0;
	dot = memchr(host, '.', len);
	return dot && dot > host && strlen(pattern + 1) == len - (size_t)(dot - host) &&
	       strncasecmp(pattern + 1, dot, len - (size_t)(dot - host)) == 0;
}

static int choose_certificate(SSL *ssl, int *alert, void *arg)
{
	const struct tls_material *m = arg;
	const char *host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	size_t len = host ? strlen(host) : 0;

	(void)alert;
	if (len > 0 && host[len - 1] == '.')
		len--;
	for (size_t i = 0; len > 0 && i < m->nhosts; i++) {
		if (host_fits(m->hosts[i].pattern, host, len)) {
			SSL_set_SSL_CTX(ssl, m->hosts[i].ctx);
			break;
		}
	}
	return SSL_TLSEXT_ERR_OK;
}

static void add_hosts(struct tls_material *m, const struct tls_server_name *n, bool wildcards, SSL_CTX *ctx)
{
	for (size_t i = 0; i < n->nhosts; i++) {
		if ((strncmp(n->hosts[i], "*.", 2) == 0) != wildcards)
			continue;
		m->hosts = xreallocarray(m->hosts, m->nhosts + 1, sizeof(*m->hosts));
		SSL_CTX_up_ref(ctx);
		m->hosts[m->nhosts++] = (struct tls_host){xstrdup(n->hosts[i]), ctx};
	}
}

/* A context that takes over brings the certificate, and whom to trust; the rest stays as the connection began. */
static int add_names(struct tls_material *m, const struct tls_server_config *cfg, struct err *e)
{
	SSL_CTX **ctxs = cfg->nnames > 0 ? xcalloc(cfg->nnames, sizeof(SSL_CTX *)) : NULL;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < cfg->nnames; i++) {
		ctxs[i] = context_new(TLS_server_method());
		if (!ctxs[i])
			rc = no_openssl(e);
		else if (load_pair(ctxs[i], cfg->names[i].cert, cfg->names[i].key, e) < 0 ||
			 set_client_auth(ctxs[i], cfg, e) < 0)
			rc = -1;
	}
	for (int wildcards = 0; rc == 0 && wildcards < 2; wildcards++)
		for (size_t i = 0; i < cfg->nnames; i++)
			add_hosts(m, &cfg->names[i], wildcards == 1, ctxs[i]);
	for (size_t i = 0; i < cfg->nnames; i++)
		SSL_CTX_free(ctxs[i]);
	free(ctxs);
	return rc;
}

static int material_new(const struct tls_server_config *cfg, struct tls_material **ret, struct err *e)
{
	struct tls_material *m = xcalloc(1, sizeof(*m));
	unsigned char id[SSL_MAX_SSL_SESSION_ID_LENGTH];

	refcount_init(&m->refs);
	m->client_auth = cfg->client_auth;
	m->ctx = context_new(TLS_server_method());
	/* OpenSSL resumes sessions with client certificates only under a name of the context. */
	if (!m->ctx || RAND_bytes(id, sizeof(id)) != 1 || SSL_CTX_set_session_id_context(m->ctx, id, sizeof(id)) != 1) {
		no_openssl(e);
		goto fail;
	}
	if (load_pair(m->ctx, cfg->cert, cfg->key, e) < 0 || set_client_auth(m->ctx, cfg, e) < 0 ||
		add_names(m, cfg, e) < 0)
		goto fail;
	SSL_CTX_set_alpn_select_cb(m->ctx, choose_protocol, NULL);
	SSL_CTX_set_tlsext_servername_callback(m->ctx, choose_certificate);
	SSL_CTX_set_tlsext_servername_arg(m->ctx, m);
	*ret = m;
	return 0;
fail:
	tls_material_unref(m);
	return -1;
}

void tls_material_unref(struct tls_material *m)
{
	if (!m || !refcount_dec(&m->refs))
		return;
	for (size_t i = 0; i < m->nhosts; i++) {
		SSL_CTX_free(m->hosts[i].ctx);
		free(m->hosts[i].pattern);
	}
	free(m->hosts);
	SSL_CTX_free(m->ctx);
	free(m);
}

struct tls_material *tls_server_material(struct tls_server *s)
{
	struct tls_material *m;

	pthread_mutex_lock(&s->lock);
	m = s->material;
	refcount_inc(&m->refs);
	pthread_mutex_unlock(&s->lock);
	return m;
}

int tls_server_new(const struct tls_server_config *cfg, struct tls_server **ret_server, struct err *e)
{
	struct tls_material *m;
	struct tls_server *s;

	if (material_new(cfg, &m, e) < 0)
		return -1;
	s = xcalloc(1, sizeof(*s));
	refcount_init(&s->refs);
	pthread_mutex_init(&s->lock, NULL);
	s->material = m;
	*ret_server = s;
	return 0;
}

int tls_server_set(struct tls_server *s, const struct tls_server_config *cfg, struct err *e)
{
	struct tls_material *m, *old;

	if (material_new(cfg, &m, e) < 0)
		return -1;
	pthread_mutex_lock(&s->lock);
	old = s->material;
	s->material = m;
	pthread_mutex_unlock(&s->lock);
	tls_material_unref(old);
	return 0;
}

struct tls_server *tls_server_ref(struct tls_server *s)
{
	refcount_inc(&s->refs);
	return s;
}

void tls_server_unref(struct tls_server *s)
{
	if (!s || !refcount_dec(&s->refs))
		return;
	tls_material_unref(s->material);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* -- clients ----------------------------------------------------------------------------------------- */

int tls_client_new(const char *ca, struct tls_client **ret_client, struct err *e)
{
	static const unsigned char protocols[] = "\x08http/1.1";
	struct tls_client *c = xcalloc(1, sizeof(*c));
	STACK_OF(X509) *cas = NULL;

	refcount_init(&c->refs);
	c->ctx = context_new(TLS_client_method());
	if (!c->ctx || SSL_CTX_set_alpn_protos(c->ctx, protocols, sizeof(protocols) - 1) != 0) {
		no_openssl(e);
		goto fail;
	}
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
	if (ca) {
		cas = strlen(ca) <= PEM_BYTES_MAX ? pem_read_certificates(ca) : NULL;
		if (!cas || trust(c->ctx, cas) < 0) {
			ERR_clear_error();
			err_set(e, ERR_INVALID, "parse CA certificate: no valid certificates found");
			goto fail;
		}
		pem_free_certificates(cas);
	} else if (SSL_CTX_set_default_verify_paths(c->ctx) != 1) {
		no_openssl(e);
		goto fail;
	}
	*ret_client = c;
	return 0;
fail:
	pem_free_certificates(cas);
	tls_client_unref(c);
	return -1;
}

struct tls_client *tls_client_ref(struct tls_client *c)
{
	refcount_inc(&c->refs);
	return c;
}

void tls_client_unref(struct tls_client *c)
{
	if (!c || !refcount_dec(&c->refs))
		return;
	SSL_CTX_free(c->ctx);
	free(c);
}
