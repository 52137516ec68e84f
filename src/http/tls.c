#include "http/tls.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "http/pem.h"

static int check_client_pair(const struct http_tls_options *o, struct err *e)
{
	BIO *b = BIO_new_mem_buf(o->cert_pem, -1);
	X509 *cert = b ? pem_read_certificate(b) : NULL;
	EVP_PKEY *key = pem_read_key(o->key_pem);
	int rc = -1;

	if (!cert)
		err_set(e, ERR_INVALID,
			"parse client certificate: tls: failed to find any PEM data in certificate input");
	else if (!key)
		err_set(e, ERR_INVALID, "parse client certificate: tls: failed to parse private key");
	else if (X509_check_private_key(cert, key) != 1)
		err_set(e, ERR_INVALID, "parse client certificate: tls: private key does not match public key");
	else
		rc = 0;
	X509_free(cert);
	EVP_PKEY_free(key);
	BIO_free(b);
	ERR_clear_error();
	return rc;
}

static int check_ca(const char *pem, struct err *e)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	X509 *x = b ? pem_read_certificate(b) : NULL;

	X509_free(x);
	BIO_free(b);
	ERR_clear_error();
	return x ? 0 : err_set(e, ERR_INVALID, "parse CA certificate: no valid certificates found");
}

static void hash_part(EVP_MD_CTX *md, const char *s)
{
	uint64_t len = s ? strlen(s) : UINT64_MAX;

	EVP_DigestUpdate(md, &len, sizeof(len));
	if (s)
		EVP_DigestUpdate(md, s, strlen(s));
}

static void make_fingerprint(struct http_tls *t)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	EVP_DigestInit_ex(md, EVP_sha256(), NULL);
	hash_part(md, t->cert_pem);
	hash_part(md, secret_reveal(t->key_pem));
	hash_part(md, t->ca_pem);
	hash_part(md, t->server_name);
	EVP_DigestUpdate(md, &t->insecure, sizeof(t->insecure));
	EVP_DigestFinal_ex(md, sum, &n);
	EVP_MD_CTX_free(md);
	for (unsigned i = 0; i < n && i < 32; i++)
		snprintf(t->fingerprint + i * 2, 3, "%02x", sum[i]);
}

static const char *given(const char *s)
{
	return s && *s ? s : NULL;
}

static char *copy_given(const char *s)
{
	return given(s) ? xstrdup(s) : NULL;
}

int http_tls_new(const struct http_tls_options *o, struct http_tls **ret_tls, struct err *e)
{
	struct http_tls *t;
	const char *parts[] = {o->cert_pem, o->key_pem, o->ca_pem, o->server_name};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (parts[i] && strlen(parts[i]) > PEM_BYTES_MAX) {
			err_set(e, ERR_INVALID, "TLS option longer than %d bytes", PEM_BYTES_MAX);
			return err_code(e, "bad_tls_options");
		}
	}
	if (!given(o->cert_pem) != !given(o->key_pem)) {
		err_set(e, ERR_INVALID, "both cert and key must be provided together");
		return err_code(e, "bad_tls_options");
	}
	if ((given(o->cert_pem) && check_client_pair(o, e) < 0) || (given(o->ca_pem) && check_ca(o->ca_pem, e) < 0))
		return err_code(e, "bad_tls_options");
	t = xcalloc(1, sizeof(*t));
	t->cert_pem = copy_given(o->cert_pem);
	t->key_pem = given(o->key_pem) ? secret_new(o->key_pem, strlen(o->key_pem)) : NULL;
	t->ca_pem = copy_given(o->ca_pem);
	t->server_name = copy_given(o->server_name);
	t->insecure = o->insecure_skip_verify;
	make_fingerprint(t);
	*ret_tls = t;
	return 0;
}

void http_tls_free(struct http_tls *t)
{
	if (!t)
		return;
	secret_free(t->key_pem);
	free(t->cert_pem);
	free(t->ca_pem);
	free(t->server_name);
	free(t);
}

static void set_blob(CURL *easy, CURLoption option, const char *pem)
{
	struct curl_blob blob = {
		.data = (char *)(uintptr_t)pem, .len = pem ? strlen(pem) : 0, .flags = CURL_BLOB_NOCOPY};

	if (pem)
		curl_easy_setopt(easy, option, &blob);
}

void http_tls_apply(const struct http_tls *t, CURL *easy)
{
	set_blob(easy, CURLOPT_SSLCERT_BLOB, t->cert_pem);
	set_blob(easy, CURLOPT_SSLKEY_BLOB, secret_reveal(t->key_pem));
	if (t->ca_pem) {
		/* The blob replaces the file, but a directory of certificates would still be trusted beside it. */
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
		curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
		set_blob(easy, CURLOPT_CAINFO_BLOB, t->ca_pem);
	}
	if (t->insecure) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

void http_tls_verify_text(long verify_result, const char *host, struct err *e)
{
	const char *words;

	switch (verify_result) {
	case X509_V_OK:
	case X509_V_ERR_UNSPECIFIED: /* libcurl's value while it compares the names itself */
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		err_set(e, ERR_INTERNAL, "tls: failed to verify certificate: x509: certificate is not valid for %.255s",
			host);
		return;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_CERT_UNTRUSTED:
		words = "certificate signed by unknown authority";
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_CERT_HAS_EXPIRED:
		words = "certificate has expired or is not yet valid";
		break;
	default:
		words = X509_verify_cert_error_string(verify_result);
		break;
	}
	err_set(e, ERR_INTERNAL, "tls: failed to verify certificate: x509: %s", words);
}
