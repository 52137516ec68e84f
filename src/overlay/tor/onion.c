/*
 * onion.c - see onion.h
 */
#include "overlay/tor/onion.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define KEY_PREFIX "ED25519-V3:"

enum { KEY_BASE64_LEN = 88, PORT_DEFAULT = 80 };

bool onion_is_id(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyz234567") == ONION_ID_LEN && text[ONION_ID_LEN] == '\0';
}

bool onion_is_key(const char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len;

	if (strncmp(text, KEY_PREFIX, strlen(KEY_PREFIX)) != 0)
		return false;
	text += strlen(KEY_PREFIX);
	len = strspn(text, digits);
	/* Tor pads or does not. */
	return len == KEY_BASE64_LEN - 2 && (text[len] == '\0' || strcmp(text + len, "==") == 0);
}

/* -- options ---------------------------------------------------------------------------------------- */

static int read_number(
	const struct value *options, const char *key, int64_t min, uint16_t fallback, uint16_t *ret, struct err *e)
{
	int64_t n = fallback;

	if (value_read_int(options, key, &n, e) < 0)
		return -1;
	if (n != fallback && (n < min || n > 65535))
		return err_set(e, ERR_INVALID, "%s: %" PRId64 " is not between %" PRId64 " and 65535", key, n, min);
	*ret = (uint16_t)n;
	return 0;
}

/* "BASE32", or as Tor's files of authorised clients have it: "descriptor:x25519:BASE32". */
static int add_client(const struct value *v, struct buf *out)
{
	static const char prefix[] = "descriptor:x25519:";
	const char *text;
	size_t len;

	if (value_type(v) != VALUE_STRING)
		return -1;
	text = value_get_string(v, &len);
	if (strncmp(text, prefix, strlen(prefix)) == 0) {
		text += strlen(prefix);
		len -= strlen(prefix);
	}
	if (len != ONION_CLIENT_LEN ||
		strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz234567") != ONION_CLIENT_LEN)
		return -1;
	buf_adds(out, " ClientAuthV3=");
	for (size_t i = 0; i < len; i++)
		buf_addc(out, text[i] >= 'a' ? (char)(text[i] - 'a' + 'A') : text[i]);
	return 0;
}

static int read_clients(const struct value *list, char **ret, struct err *e)
{
	struct buf out = BUF_INIT;
	size_t n;

	if (value_type(list) == VALUE_NIL)
		return 0;
	/* An empty list is no "nobody": it is somebody who meant to fill it in, and would find the service open to all. */
	if (value_type(list) != VALUE_LIST || value_count(list) == 0)
		return err_set(e, ERR_INVALID, "client_auth: give a list of at least one x25519 public key");
	n = value_count(list);
	if (n > ONION_CLIENTS_MAX)
		return err_set(e, ERR_INVALID, "client_auth: there is room for %d clients", ONION_CLIENTS_MAX);
	for (size_t i = 0; i < n; i++) {
		if (add_client(value_at(list, i), &out) < 0) {
			buf_done(&out);
			return err_set(e, ERR_INVALID,
				"client_auth: number %zu is no x25519 public key (52 characters of base32)", i + 1);
		}
	}
	*ret = buf_detach(&out, NULL);
	return 0;
}

int onion_options_read(const struct value *options, uint16_t port, struct onion_options *ret, struct err *e)
{
	*ret = (struct onion_options){.port = port ? port : PORT_DEFAULT, .persistent = true};
	if (!options)
		return 0;
	if (value_read_bool(options, "persistent", &ret->persistent, e) < 0 ||
		read_number(options, "virtual_port", 1, ret->port, &ret->port, e) < 0 ||
		read_number(options, "max_streams", 0, 0, &ret->max_streams, e) < 0 ||
		read_clients(value_get(options, "client_auth"), &ret->clients, e) < 0)
		return err_prefix(e, "network_options");
	return 0;
}

void onion_add_command(const struct onion_options *o, const struct secret *key, const char *target, struct buf *command)
{
	buf_adds(command, "ADD_ONION ");
	buf_adds(command, key ? secret_reveal(key) : "NEW:ED25519-V3");
	if (o->clients || o->max_streams) {
		buf_addf(command, " Flags=%s%s%s", o->clients ? "V3Auth" : "", o->clients && o->max_streams ? "," : "",
			o->max_streams ? "MaxStreamsCloseCircuit" : "");
	}
	if (o->max_streams)
		buf_addf(command, " MaxStreams=%u", o->max_streams);
	buf_addf(command, " Port=%u,%s", o->port, target);
	if (o->clients)
		buf_adds(command, o->clients);
}
