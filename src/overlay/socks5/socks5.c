/*
 * socks5.c - the driver of `network.socks5`: a generic SOCKS5 proxy, Tor's SocksPort above all.
 *
 * Tor (IsolateSOCKSAuth, on by default) puts streams with different SOCKS credentials on different circuits. So an
 * isolated dial carries made-up credentials in place of the configured ones: fresh ones for each dial
 * (`isolate_streams`), or ones derived from the isolation key and a secret of this instance (`isolation`), so that
 * equal keys share a circuit and nobody outside can tell or guess which. Without isolation the configured credentials
 * are used whatever the key.
 */
#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/secret.h"
#include "overlay/driver.h"
#include "overlay/socks5/client.h"

enum { TOKEN_BYTES = 8, TOKEN_TEXT = 2 * TOKEN_BYTES + 1, SECRET_BYTES = 32 };

/* Immutable after open(), but for `warned`. */
struct socks5 {
	struct overlay base;
	char host[HOST_TEXT_MAX + 1];
	uint16_t port;
	struct secret *username; /* NULL when absent */
	struct secret *password;
	unsigned char secret[SECRET_BYTES]; /* only with ISOLATION_PROCESS, _HOST, _NAME */
	atomic_bool warned;
};

struct socks5_dial {
	struct dial base;
	struct socks5_client *client;
};

/* -- the entry ------------------------------------------------------------------------------------ */

static void socks5_close(struct overlay *o)
{
	struct socks5 *s = container_of(o, struct socks5, base);

	secret_free(s->username);
	secret_free(s->password);
	explicit_bzero(s->secret, sizeof(s->secret));
	free(s);
}

/* Like value_read_string(), but an error never shows the value: `password: 123456` is wrong, yet still a password. */
static int read_secret(const struct value *data, const char *key, struct secret **ret, struct err *e)
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

/* The worker never waits: without entropy (early boot) the caller gets an error. */
static bool random_bytes(void *out, size_t len)
{
	return getrandom(out, len, GRND_NONBLOCK) == (ssize_t)len;
}

static int socks5_open(const struct value *data, struct overlay **ret_overlay, struct err *e)
{
	struct socks5 *s = xcalloc(1, sizeof(*s));

	if (overlay_read_endpoint(data, s->host, &s->port, e) < 0 || overlay_read_isolation(data, &s->base, e) < 0 ||
		read_secret(data, "username", &s->username, e) < 0 ||
		read_secret(data, "password", &s->password, e) < 0)
		goto fail;
	if (s->base.isolation > ISOLATION_DIAL && !random_bytes(s->secret, sizeof(s->secret))) {
		err_set(e, ERR_INTERNAL, "socks5: failed to generate isolation credential");
		err_retryable(e);
		goto fail;
	}
	*ret_overlay = &s->base;
	return 0;
fail:
	socks5_close(&s->base);
	return -1;
}

/* -- credentials ---------------------------------------------------------------------------------- */

static void token_format(const unsigned char bytes[static TOKEN_BYTES], char out[static TOKEN_TEXT])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < TOKEN_BYTES; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * TOKEN_BYTES] = '\0';
}

/* 16 hexadecimal digits that stand for the identity this dial is to have. */
static bool make_token(const struct socks5 *s, const char *isolation_key, char out[static TOKEN_TEXT])
{
	const char *key = overlay_session_key(&s->base, isolation_key);
	unsigned char bytes[EVP_MAX_MD_SIZE] = {0};
	unsigned bytes_len = 0;
	bool ok;

	if (!key)
		ok = random_bytes(bytes, TOKEN_BYTES);
	else
		ok = HMAC(EVP_sha256(), s->secret, SECRET_BYTES, (const unsigned char *)key, strlen(key), bytes,
			     &bytes_len) &&
		     bytes_len >= TOKEN_BYTES;
	if (ok)
		token_format(bytes, out);
	explicit_bzero(bytes, sizeof(bytes));
	return ok;
}

/* -- dialling ------------------------------------------------------------------------------------- */

static bool isolates(const struct socks5 *s)
{
	return s->base.isolation != ISOLATION_NONE;
}

/* The proxy took us and answered a CONNECT, even if with no. Failure number 1 is what a proxy says that does not work, too. */
static bool has_answered(const struct socks5_client_result *result, const struct err *e)
{
	if (result->fd >= 0)
		return true;
	return result->phase == SOCKS5_REPLY && e->code && strncmp(e->code, "socks_", 6) == 0 &&
	       strcmp(e->code, "socks_general_failure") != 0 && strcmp(e->code, "socks_unknown_reply") != 0 &&
	       strcmp(e->code, "socks_closed") != 0 && strcmp(e->code, "socks_handshake_timeout") != 0;
}

/* There is no session to watch: what dials meet is all that is known about the proxy. What became of the target says nothing bad about it. */
static void note_state(struct socks5 *s, const struct socks5_client_result *result, const struct err *e)
{
	struct overlay *o = &s->base;

	if (result->connected_ns == 0) {
		overlay_set_state(o, OVERLAY_DOWN, "the proxy was not reached: %s", result->why);
	} else if (result->phase == SOCKS5_METHOD || result->phase == SOCKS5_AUTH) {
		overlay_set_state(o, OVERLAY_DEGRADED, "the proxy did not serve us: %s", result->why);
	} else if (e && e->code && strncmp(e->code, "socks_bad_", 10) == 0 && result->phase == SOCKS5_REPLY) {
		overlay_set_state(o, OVERLAY_DEGRADED, "the proxy answered nonsense: %s", result->why);
	} else if (has_answered(result, e) && isolates(s) && !result->authenticated) {
		/* A proxy without authentication cannot tell our identities apart. That is no failure, but must be known. */
		overlay_set_state(o, OVERLAY_DEGRADED,
			"the proxy did not ask for isolation credentials: streams are not isolated");
		if (!atomic_exchange_explicit(&s->warned, true, memory_order_relaxed))
			log_warn("overlay", "the proxy did not ask for isolation credentials: streams are not isolated",
				LOG_STR("overlay", overlay_id(o)));
	} else if (has_answered(result, e)) {
		overlay_set_state(o, OVERLAY_READY, "%s", "");
	}
}

static void client_done(void *arg, const struct socks5_client_result *result, const struct err *e)
{
	struct socks5_dial *d = arg;
	struct socks5 *s = container_of(d->base.overlay, struct socks5, base);

	d->client = NULL;
	d->base.trace.connected_ns = result->connected_ns;
	note_state(s, result, e);
	dial_report(&d->base, result->fd, e);
	free(d);
}

static struct dial *socks5_dial(struct overlay *o, const struct dial_options *opt)
{
	struct socks5 *s = container_of(o, struct socks5, base);
	struct socks5_client_options how = {
		.loop = opt->loop,
		.proxy_host = s->host,
		.proxy_port = s->port,
		.host = opt->host,
		.port = opt->port,
		.username = secret_reveal(s->username),
		.password = secret_reveal(s->password),
		.deadline_ns = opt->deadline_ns,
	};
	char token[TOKEN_TEXT] = "";
	struct socks5_dial *d;
	struct addr a;
	struct err e;

	if (isolates(s)) {
		if (!make_token(s, opt->isolation_key, token)) {
			err_set(&e, ERR_INTERNAL, "socks5: failed to generate isolation credential");
			err_retryable(&e);
			err_code(&e, "socks_no_entropy");
			return dial_new_failed(opt, &e);
		}
		how.username = token;
		how.password = token;
	}
	d = xcalloc(1, sizeof(*d));
	d->base.trace.resolver = addr_from_literal(opt->host, opt->port, &a) ? "none" : "proxy";
	d->client = socks5_client_start(&how, client_done, d);
	explicit_bzero(token, sizeof(token));
	return &d->base;
}

static void socks5_cancel(struct dial *base)
{
	struct socks5_dial *d = container_of(base, struct socks5_dial, base);

	socks5_client_cancel(d->client);
	free(d);
}

static const char *const secret_fields[] = {"password", NULL};

const struct overlay_driver socks5_driver = {
	.kind = "network.socks5",
	.label = "socks5",
	.resolver = "proxy",
	.secret_fields = secret_fields,
	.open = socks5_open,
	.dial = socks5_dial,
	.cancel = socks5_cancel,
	.close = socks5_close,
	.no_listen = "inbound listeners are not exposed over SOCKS5",
};
