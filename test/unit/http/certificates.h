/*
 * certificates.h - certificates and keys made for a test, and as PEM text.
 */
#ifndef TEST_HTTP_CERTIFICATES_H
#define TEST_HTTP_CERTIFICATES_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/alloc.h"

struct identity {
	X509 *cert;
	EVP_PKEY *key;
	char *cert_pem;
	char *key_pem;
};

static inline char *pem_of(BIO *b)
{
	char *data;
	long n = BIO_get_mem_data(b, &data);
	char *text = xmemdupz(data, (size_t)n);

	BIO_free(b);
	return text;
}

static inline void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
}

/* Signed by `ca`, or by itself (NULL). `days` from now it ends; it began two days ago. */
static inline void identity_make(struct identity *id, const char *name, const char *san, struct identity *ca, long days)
{
	static long serial = 1;
	BIO *b;

	id->key = EVP_EC_gen("P-256");
	id->cert = X509_new();
	X509_set_version(id->cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(id->cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(id->cert), -2 * 86400);
	X509_gmtime_adj(X509_getm_notAfter(id->cert), days * 86400);
	X509_set_pubkey(id->cert, id->key);
	X509_NAME_add_entry_by_txt(
		X509_get_subject_name(id->cert), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(id->cert, X509_get_subject_name(ca ? ca->cert : id->cert));
	if (!ca)
		add_extension(id->cert, id->cert, NID_basic_constraints, "critical,CA:TRUE");
	if (san)
		add_extension(id->cert, ca ? ca->cert : id->cert, NID_subject_alt_name, san);
	X509_sign(id->cert, ca ? ca->key : id->key, EVP_sha256());
	b = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(b, id->cert);
	id->cert_pem = pem_of(b);
	b = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(b, id->key, NULL, NULL, 0, NULL, NULL);
	id->key_pem = pem_of(b);
}

static inline void identity_done(struct identity *id)
{
	X509_free(id->cert);
	EVP_PKEY_free(id->key);
	free(id->cert_pem);
	free(id->key_pem);
}

#endif
