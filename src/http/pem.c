#include "http/pem.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdbool.h>

/* A key with a pass phrase must not make OpenSSL ask on the terminal. */
static int no_passphrase(char *out, int size, int rw, void *arg)
{
	(void)out;
	(void)size;
	(void)rw;
	(void)arg;
	return -1;
}

X509 *pem_read_certificate(BIO *b)
{
	X509 *x = PEM_read_bio_X509_AUX(b, NULL, no_passphrase, NULL);

	if (x)
		ERR_clear_error();
	return x;
}

/* Did reading end because there was no further block (and not within a broken one)? */
static bool at_end(void)
{
	unsigned long last = ERR_peek_last_error();

	return ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
}

STACK_OF(X509) * pem_read_certificates(const char *text)
{
	BIO *b = BIO_new_mem_buf(text, -1);
	STACK_OF(X509) *list = sk_X509_new_null();
	X509 *x;

	ERR_clear_error();
	while (b && list && (x = pem_read_certificate(b)) != NULL) {
		if (sk_X509_push(list, x) > 0)
			continue;
		X509_free(x);
		break;
	}
	if (!at_end() || sk_X509_num(list) < 1) {
		pem_free_certificates(list);
		list = NULL;
	}
	BIO_free(b);
	ERR_clear_error();
	return list;
}

void pem_free_certificates(STACK_OF(X509) * list)
{
	sk_X509_pop_free(list, X509_free);
}

EVP_PKEY *pem_read_key(const char *text)
{
	BIO *b = BIO_new_mem_buf(text, -1);
	EVP_PKEY *key = b ? PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL) : NULL;

	BIO_free(b);
	ERR_clear_error();
	return key;
}
