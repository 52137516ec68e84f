/*
 * onion.h - the texts of a version 3 onion service: its address, its private key as Tor writes it, the public keys of authorised clients
 * (https://spec.torproject.org/rend-spec). Pure.
 */
#ifndef OVERLAY_TOR_ONION_H
#define OVERLAY_TOR_ONION_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "value/value.h"

enum {
	ONION_ID_LEN = 56,       /* without ".onion" */
	ONION_CLIENT_LEN = 52,   /* an x25519 public key in base32 */
	ONION_CLIENTS_MAX = 330, /* what a descriptor has room for */
};

/* 56 small letters and digits 2 to 7? */
bool onion_is_id(const char *text);
/* "ED25519-V3:" and base64 of 64 bytes? */
bool onion_is_key(const char *text);

/* What a service's `network_options` ask for. */
struct onion_options {
	uint16_t port; /* that clients ask for */
	bool persistent;
	uint16_t max_streams; /* of one circuit; 0: as many as come */
	char *clients;        /* " ClientAuthV3=... ClientAuthV3=...", free() it; NULL: everybody may come */
};

/* `options` may be NULL; `port`: that of the service's `addr`, 0 = not told. ERR_INVALID "network_options: client_auth: number 2 is no x25519 public key ...". */
int onion_options_read(const struct value *options, uint16_t port, struct onion_options *ret, struct err *e);

/* The command that adds the service at Tor; `key` NULL: Tor makes one. `target`: "127.0.0.1:41000". */
void onion_add_command(
	const struct onion_options *o, const struct secret *key, const char *target, struct buf *command);

#endif
