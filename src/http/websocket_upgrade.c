#include "http/websocket_upgrade.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "http/websocket.h"

enum { SHOWN = 200, NONCE_BYTES = 16 };

/* Does a list of tokens (RFC 9110 section 5.6.1) hold this one? */
static bool has_token(const char *list, const char *token)
{
	static const char blanks[] = " \t";
	size_t len = strlen(token), n;

	for (; *list; list += n + (list[n] == ',')) {
		size_t end;

		list += strspn(list, blanks);
		n = end = strcspn(list, ",");
		while (end > 0 && strchr(blanks, list[end - 1]))
			end--;
		if (end == len && strncasecmp(list, token, len) == 0)
			return true;
	}
	return false;
}

/* All fields of that name as one list; "" when there are none. Borrowed from `out`. */
static const char *field(const struct exchange *x, const char *name, struct buf *out)
{
	buf_clear(out);
	exchange_header_joined(x, name, out);
	return buf_str(out);
}

static int no_upgrade(struct exchange *x, const char *name, const char *value, const char *token, struct err *e)
{
	exchange_set_header(x, "Upgrade", "websocket", SIZE_MAX);
	exchange_set_header(x, "Connection", "Upgrade", SIZE_MAX);
	return err_set(e, ERR_INVALID, "WebSocket protocol violation: %s header \"%.*s\" does not contain %s", name,
		SHOWN, value, token);
}

static unsigned count_fields(const struct exchange *x, const char *name)
{
	unsigned n = 0;

	for (size_t i = 0; i < exchange_nheaders(x); i++)
		n += strcasecmp(exchange_header_at(x, i)->name, name) == 0;
	return n;
}

static bool is_key(const char *key)
{
	struct buf nonce = BUF_INIT;
	bool good;

	good = strlen(key) == 24 && base64_decode(&nonce, key, 24, NULL) == 0 && buf_len(&nonce) == NONCE_BYTES;
	buf_done(&nonce);
	return good;
}

static int check_key(const struct exchange *x, struct err *e)
{
	static const char name[] = "Sec-WebSocket-Key";

	switch (count_fields(x, name)) {
	case 0:
		return err_set(e, ERR_INVALID, "WebSocket protocol violation: missing Sec-WebSocket-Key");
	case 1:
		break;
	default:
		return err_set(e, ERR_INVALID, "WebSocket protocol violation: multiple Sec-WebSocket-Key headers");
	}
	if (!is_key(exchange_header(x, name)))
		return err_set(e, ERR_INVALID,
			"WebSocket protocol violation: invalid Sec-WebSocket-Key \"%.*s\", must be a 16 byte base64 "
			"encoded "
			"string",
			SHOWN, exchange_header(x, name));
	return 0;
}

static int check(struct exchange *x, unsigned *ret_status, struct buf *value, struct err *e)
{
	*ret_status = 426;
	if (exchange_is_http_1_0(x))
		return err_set(e, ERR_INVALID,
			"WebSocket protocol violation: handshake request must be at least HTTP/1.1: \"HTTP/1.0\"");
	if (!has_token(field(x, "Connection", value), "upgrade"))
		return no_upgrade(x, "Connection", buf_str(value), "Upgrade", e);
	if (!has_token(field(x, "Upgrade", value), "websocket"))
		return no_upgrade(x, "Upgrade", buf_str(value), "websocket", e);
	*ret_status = 405;
	if (strcmp(exchange_method(x), "GET") != 0)
		return err_set(e, ERR_INVALID,
			"WebSocket protocol violation: handshake request method is not GET but \"%.32s\"",
			exchange_method(x));
	*ret_status = 400;
	if (strcmp(field(x, "Sec-WebSocket-Version", value), "13") != 0) {
		exchange_set_header(x, "Sec-WebSocket-Version", "13", SIZE_MAX);
		return err_set(e, ERR_INVALID,
			"unsupported WebSocket protocol version (only 13 is supported): \"%.*s\"", SHOWN,
			buf_str(value));
	}
	if (check_key(x, e) < 0)
		return -1;
	if (exchange_content_length(x) != 0)
		return err_set(e, ERR_INVALID, "WebSocket protocol violation: the handshake request has a body");
	return 0;
}

int websocket_check_upgrade(struct exchange *x, unsigned *ret_status, struct err *e)
{
	struct buf value = BUF_INIT;
	int rc = check(x, ret_status, &value, e);

	buf_done(&value);
	return rc;
}

void websocket_accept_upgrade(struct exchange *x)
{
	char accept[WEBSOCKET_ACCEPT_SIZE];

	websocket_accept_key(exchange_header(x, "Sec-WebSocket-Key"), accept);
	exchange_set_header(x, "Upgrade", "websocket", SIZE_MAX);
	exchange_set_header(x, "Sec-WebSocket-Accept", accept, SIZE_MAX);
}
