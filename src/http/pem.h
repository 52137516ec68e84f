/*
 * pem.h - certificates and private keys out of PEM text (RFC 7468), for the TLS of client and server.
 *
 * Nothing here asks for a pass phrase: an encrypted key cannot be read. OpenSSL's error queue is empty afterwards. Pure; any thread.
 */
#ifndef HTTP_PEM_H
#define HTTP_PEM_H

#include <openssl/x509.h>

enum { PEM_BYTES_MAX = 1024 * 1024 }; /* callers check the length of what comes from elsewhere */

/* The next certificate of `b`, other blocks skipped; NULL at the end or when it cannot be read. */
X509 *pem_read_certificate(BIO *b);
/* All certificates of `text`, at least one; NULL when there is none or one of them cannot be read. Free with pem_free_certificates(). */
STACK_OF(X509) * pem_read_certificates(const char *text);
void pem_free_certificates(STACK_OF(X509) * list); /* NULL is fine */
/* The private key in `text`; NULL when there is none that can be read. */
EVP_PKEY *pem_read_key(const char *text);

#endif
