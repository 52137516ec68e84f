#include "bind/jwt.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "bind/crypto.h"
#include "value/json.h"

struct jwt_alg {
	const char *name;
	const EVP_MD *(*md)(void);
	bool rsa;
};

static const struct jwt_alg algs[] = {
	{"HS256", EVP_sha256, false},
	{"HS384", EVP_sha384, false},
	{"HS512", EVP_sha512, false},
	{"RS256", EVP_sha256, true},
};

enum { SIGNATURE_BYTES_MAX = 2048 /* of an RSA key of 16384 bits, the longest OpenSSL takes */ };

const struct jwt_alg *jwt_alg_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
		if (strcmp(algs[i].name, name) == 0)
			return &algs[i];
	}
	return NULL;
}

const char *jwt_alg_name(const struct jwt_alg *a)
{
	return a->name;
}

bool jwt_alg_is_rsa(const struct jwt_alg *a)
{
	return a->rsa;
}

/* -- keys --------------------------------------------------------------------------------------------- */

/* An encrypted key is an error: OpenSSL would ask for its password on the terminal. */
static int no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static BIO *open_pem(const void *key, size_t len)
{
	return len <= JWT_KEY_BYTES_MAX ? BIO_new_mem_buf(key, (int)len) : NULL;
}

static EVP_PKEY *only_rsa(EVP_PKEY *key)
{
	if (!key || EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

static EVP_PKEY *read_private_key(const void *pem, size_t len)
{
	BIO *in = open_pem(pem, len);
	EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_password, NULL) : NULL;

	BIO_free(in);
	return only_rsa(key);
}

static EVP_PKEY *read_public_key(const void *pem, size_t len)
{
	EVP_PKEY *key = NULL;
	OSSL_DECODER_CTX *ctx;
	X509 *cert;
	BIO *in = open_pem(pem, len);

	if (!in)
		return NULL;
	cert = PEM_read_bio_X509(in, NULL, no_password, NULL);
	if (cert) {
		key = X509_get_pubkey(cert);
		X509_free(cert);
	}
	BIO_free(in);
	in = key ? NULL : open_pem(pem, len);
	if (in) {
		/* SubjectPublicKeyInfo and PKCS#1 alike. */
		ctx = OSSL_DECODER_CTX_new_for_pkey(&key, "PEM", NULL, "RSA", EVP_PKEY_PUBLIC_KEY, NULL, NULL);
		if (ctx)
			OSSL_DECODER_from_bio(ctx, in);
		OSSL_DECODER_CTX_free(ctx);
		BIO_free(in);
	}
	ERR_clear_error();
	return only_rsa(key);
}

/* -- signing ------------------------------------------------------------------------------------------ */

void jwt_write_input(const struct value *header, const struct value *claims, struct buf *out)
{
	struct buf json = BUF_INIT;

	json_write(header, &json);
	base64url_encode(out, buf_data(&json), buf_len(&json));
	buf_addc(out, '.');
	buf_clear(&json);
	json_write(claims, &json);
	base64url_encode(out, buf_data(&json), buf_len(&json));
	buf_done(&json);
}

static int sign_rsa(const struct jwt_alg *a, const void *pem, size_t pem_len, const struct buf *input,
	unsigned char *out, size_t *ret_len, struct err *e)
{
	EVP_PKEY *key = read_private_key(pem, pem_len);
	EVP_MD_CTX *ctx = NULL;
	int rc = -1;

	*ret_len = SIGNATURE_BYTES_MAX;
	if (!key) {
		crypto_fail(e, "invalid RSA private key");
		if (e)
			e->kind = ERR_INVALID;
		return -1;
	}
	ctx = EVP_MD_CTX_new();
	if (ctx && EVP_PKEY_get_size(key) <= SIGNATURE_BYTES_MAX &&
		EVP_DigestSignInit(ctx, NULL, a->md(), NULL, key) == 1 &&
		EVP_DigestSign(ctx, out, ret_len, (const unsigned char *)buf_data(input), buf_len(input)) == 1)
		rc = 0;
	else
		crypto_fail(e, "sign token");
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return rc;
}

int jwt_sign(const struct jwt_alg *a, const void *key, size_t key_len, struct buf *out, struct err *e)
{
	unsigned char signature[SIGNATURE_BYTES_MAX];
	size_t len;

	if (a->rsa) {
		if (sign_rsa(a, key, key_len, out, signature, &len, e) < 0)
			return -1;
	} else if (crypto_hmac(a->md(), key, key_len, buf_data(out), buf_len(out), signature, &len, e) < 0) {
		return err_prefix(e, "sign token");
	}
	buf_addc(out, '.');
	base64url_encode(out, signature, len);
	return 0;
}

/* -- verifying ---------------------------------------------------------------------------------------- */

static bool signature_is_right(const struct jwt_alg *a, const void *key, size_t key_len, const char *input,
	size_t input_len, const struct buf *signature)
{
	unsigned char expected[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx;
	EVP_PKEY *pkey;
	size_t len;
	bool ok;

	if (!a->rsa)
		return crypto_hmac(a->md(), key, key_len, input, input_len, expected, &len, NULL) == 0 &&
		       buf_len(signature) == len && CRYPTO_memcmp(buf_data(signature), expected, len) == 0;
	pkey = read_public_key(key, key_len);
	ctx = pkey ? EVP_MD_CTX_new() : NULL;
	ok = ctx && EVP_DigestVerifyInit(ctx, NULL, a->md(), NULL, pkey) == 1 &&
	     EVP_DigestVerify(ctx, (const unsigned char *)buf_data(signature), buf_len(signature),
		     (const unsigned char *)input, input_len) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return ok;
}

/* One part of the token as a JSON object. */
static int read_part(const char *text, size_t len, const char *what, struct value **ret_map, struct err *e)
{
	struct buf json = BUF_INIT;
	struct value *v = NULL;
	int rc = -1;

	if (base64url_decode(&json, text, len, NULL) < 0) {
		err_set(e, ERR_INTERNAL, "token is malformed: could not base64 decode the %s", what);
	} else if (json_parse(buf_data(&json), buf_len(&json), &v, NULL) < 0 || value_type(v) != VALUE_MAP) {
		err_set(e, ERR_INTERNAL, "token is malformed: the %s is not a JSON object", what);
	} else {
		*ret_map = v;
		v = NULL;
		rc = 0;
	}
	value_unref(v);
	buf_done(&json);
	return rc;
}

static int check_header(const struct value *header, const struct jwt_alg *a, struct err *e)
{
	const struct value *alg = value_get(header, "alg");

	if (value_type(alg) != VALUE_STRING)
		return err_set(e, ERR_INTERNAL, "token is malformed: the header names no signing method");
	if (strcmp(value_get_string(alg, NULL), a->name) != 0)
		return err_set(e, ERR_INTERNAL, "signing method %.64s is invalid", value_get_string(alg, NULL));
	/* RFC 7515 section 4.1.11: an extension that must be understood, and we know none. */
	if (value_get(header, "crit"))
		return err_set(
			e, ERR_INTERNAL, "token is malformed: it has critical header fields, which are not supported");
	return 0;
}

/* 1 when the claim is there, 0 when not. */
static int read_date(const struct value *claims, const char *name, double *ret, struct err *e)
{
	const struct value *v = value_get(claims, name);

	if (!v)
		return 0;
	if (value_type(v) != VALUE_INT && value_type(v) != VALUE_FLOAT)
		return err_set(e, ERR_INTERNAL, "%s claim is invalid: a number is expected", name);
	*ret = value_get_float(v);
	return 1;
}

static int check_dates(const struct value *claims, bool require_exp, double now, struct err *e)
{
	double exp = 0, nbf = 0;
	int has_exp = read_date(claims, "exp", &exp, e), has_nbf = read_date(claims, "nbf", &nbf, e);

	if (has_exp < 0 || has_nbf < 0)
		return -1;
	if (has_exp && !(now < exp))
		return err_set(e, ERR_INTERNAL, "token is expired");
	if (has_nbf && !(now >= nbf))
		return err_set(e, ERR_INTERNAL, "token is not valid yet");
	if (require_exp && !has_exp)
		return err_set(e, ERR_INTERNAL, "exp claim is required");
	return 0;
}

int jwt_verify(const struct jwt_alg *a, const void *key, size_t key_len, const char *token, size_t len,
	bool require_exp, double now, struct value **ret_claims, struct err *e)
{
	const char *end = token + len;
	const char *first = len <= JWT_TOKEN_BYTES_MAX ? memchr(token, '.', len) : NULL;
	const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
	struct value *header = NULL, *claims = NULL;
	struct buf signature = BUF_INIT;
	int rc = -1;

	if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
		return err_set(e, ERR_INTERNAL, "token is malformed: it does not consist of three parts");
	if (read_part(token, (size_t)(first - token), "header", &header, e) < 0 || check_header(header, a, e) < 0)
		goto out;
	if (base64url_decode(&signature, second + 1, (size_t)(end - second - 1), NULL) < 0) {
		err_set(e, ERR_INTERNAL, "token is malformed: could not base64 decode the signature");
		goto out;
	}
	if (!signature_is_right(a, key, key_len, token, (size_t)(second - token), &signature)) {
		err_set(e, ERR_INTERNAL, "signature is invalid");
		goto out;
	}
	if (read_part(first + 1, (size_t)(second - first - 1), "claims", &claims, e) < 0 ||
		check_dates(claims, require_exp, now, e) < 0)
		goto out;
	*ret_claims = claims;
	claims = NULL;
	rc = 0;
out:
	value_unref(header);
	value_unref(claims);
	buf_done(&signature);
	return rc;
}
