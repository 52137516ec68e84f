/*
 * endpoint.c - where an overlay itself is reached (its proxy or bridge) and with which secrets: reading host, port and credentials.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "overlay/driver.h"

static int bad_field(const struct value *v, struct err *e, const char *what, const char *reason)
{
	char line[32] = "";

	if (value_line(v) > 0)
		snprintf(line, sizeof(line), "line %" PRIu32 ": ", value_line(v));
	return err_set(e, ERR_INVALID, "invalid configuration: network: %s: %s%s", what, line, reason);
}

int overlay_bad_field(const struct value *data, const char *key, struct err *e, const char *reason)
{
	char what[64];

	snprintf(what, sizeof(what), "invalid %s", key);
	return bad_field(value_get(data, key), e, what, reason);
}

/* Drop the brackets of "[::1]". */
static int copy_host(const struct value *v, const char *host, char out[static HOST_TEXT_MAX + 1], struct err *e)
{
	struct addr a;
	size_t len = strlen(host);

	if (len > HOST_TEXT_MAX)
		return bad_field(v, e, "invalid host", "it has more than 255 bytes");
	for (size_t i = 0; i < len; i++) {
		if (host[i] <= ' ' || host[i] >= 0x7f)
			return bad_field(v, e, "invalid host", "only visible ASCII characters can be in a host name");
	}
	if (addr_from_literal(host, 1, &a)) {
		if (host[0] == '[') {
			host++;
			len -= 2;
		}
	} else if (strpbrk(host, ":/[]@?#")) {
		return bad_field(
			v, e, "invalid host", "give a name or an address alone; the port has a field of its own");
	} else if (host_is_overlay_only(host)) {
		/* The endpoint is reached over the clear network, where such a name must never be looked up. */
		return bad_field(v, e, "invalid host", "a .onion or .i2p name cannot be the endpoint of an overlay");
	}
	memcpy(out, host, len);
	out[len] = '\0';
	return 0;
}

int overlay_read_endpoint(
	const struct value *data, char ret_host[static HOST_TEXT_MAX + 1], uint16_t *ret_port, struct err *e)
{
	const struct value *port_field = value_get(data, "port");
	const struct value *host_field = value_get(data, "host");
	const char *host = "";
	char reason[96], copy[HOST_TEXT_MAX + 1];
	int64_t port = 0;

	if (value_read_string(data, "host", &host, e) < 0 || value_read_int(data, "port", &port, e) < 0)
		return err_prefix(e, "failed to unmarshal config");
	if (host[0] == '\0') {
		if (host_field)
			return bad_field(host_field, e, "host is required", "it is empty");
		return err_set(e, ERR_INVALID, "invalid configuration: network: host is required");
	}
	if (copy_host(host_field, host, copy, e) < 0)
		return -1;
	if (!port_field)
		return bad_field(data, e, "invalid port", "the entry has no port; use 1-65535");
	if (port < 1 || port > 65535) {
		snprintf(reason, sizeof(reason), "%" PRId64 " is not between 1 and 65535", port);
		return bad_field(port_field, e, "invalid port", reason);
	}
	memcpy(ret_host, copy, sizeof(copy));
	*ret_port = (uint16_t)port;
	return 0;
}

/* Not value_read_string(): an error must never show the value: `password: 123456` is wrong, yet still a password. */
int overlay_read_secret(const struct value *data, const char *key, struct secret **ret, struct err *e)
{
	const struct value *v = value_get(data, key);
	const char *text;
	size_t len;

	if (value_type(v) == VALUE_NIL)
		return 0;
	if (value_type(v) != VALUE_STRING)
		return err_set(e, ERR_INVALID,
			"failed to unmarshal config: line %u: field '%s': expected string, got %s; "
			"put it in quotes",
			value_line(v), key, value_type_name(v));
	text = value_get_string(v, &len);
	/* A NUL would silently shorten it on the wire. */
	if (memchr(text, '\0', len))
		return err_set(e, ERR_INVALID,
			"invalid configuration: network: field '%s' (line %u) contains a NUL byte", key, value_line(v));
	*ret = secret_new(text, len);
	return 0;
}

char *endpoint_format(const char *host, uint16_t port, char out[static ENDPOINT_TEXT_MAX])
{
	bool bare_ipv6 = strchr(host, ':') && host[0] != '[';

	snprintf(out, ENDPOINT_TEXT_MAX, bare_ipv6 ? "[%.255s]:%u" : "%.255s:%u", host, port);
	return out;
}
