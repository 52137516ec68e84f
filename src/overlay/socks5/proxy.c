/*
 * proxy.c - see proxy.h
 */
#include "overlay/socks5/proxy.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/log.h"
#include "overlay/socks5/client.h"

enum { TOKEN_BYTES = 8, TOKEN_TEXT = 2 * TOKEN_BYTES + 1 };

struct proxy_dial {
	struct dial base;
	struct socks5_proxy *proxy; /* as long as the dial's overlay */
	socks5_met_fn *met;
	struct socks5_client *client;
};

struct proxy_probe {
	struct probe base;
	struct socks5_proxy *proxy;
	socks5_met_fn *met;
	uint64_t begun_ns;
	struct socks5_client *client;
};

/* The worker never waits: without entropy (early boot) the caller gets an error. */
static bool random_bytes(void *out, size_t len)
{
	return getrandom(out, len, GRND_NONBLOCK) == (ssize_t)len;
}

void socks5_proxy_done(struct socks5_proxy *p)
{
	free(p->socket_path);
	secret_free(p->username);
	secret_free(p->password);
	explicit_bzero(p->secret, sizeof(p->secret));
}

int socks5_proxy_read(struct socks5_proxy *p, const struct value *data, struct overlay *o, struct err *e)
{
	if (!p->socket_path && overlay_read_endpoint(data, p->host, &p->port, e) < 0)
		return -1;
	if (overlay_read_isolation(data, o, e) < 0)
		return -1;
	if (o->isolation > ISOLATION_DIAL && !random_bytes(p->secret, sizeof(p->secret))) {
		err_set(e, ERR_INTERNAL, "socks5: failed to generate isolation credential");
		return err_retryable(e);
	}
	return 0;
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
static bool make_token(
	const struct socks5_proxy *p, const struct overlay *o, const char *isolation_key, char out[static TOKEN_TEXT])
{
	const char *key = overlay_session_key(o, isolation_key);
	unsigned char bytes[EVP_MAX_MD_SIZE] = {0};
	unsigned bytes_len = 0;
	bool ok;

	if (!key)
		ok = random_bytes(bytes, TOKEN_BYTES);
	else
		ok = HMAC(EVP_sha256(), p->secret, PROXY_SECRET_BYTES, (const unsigned char *)key, strlen(key), bytes,
			     &bytes_len) &&
		     bytes_len >= TOKEN_BYTES;
	if (ok)
		token_format(bytes, out);
	explicit_bzero(bytes, sizeof(bytes));
	return ok;
}

/* -- dialling ------------------------------------------------------------------------------------- */

/* The proxy took us and answered a CONNECT, even if with no. Failure number 1 is what a proxy says that does not work, too. */
static bool has_answered(const struct socks5_client_result *result, const struct err *e)
{
	if (!e)
		return true;
	return result->phase == SOCKS5_REPLY && e->code && strncmp(e->code, "socks_", 6) == 0 &&
	       strcmp(e->code, "socks_general_failure") != 0 && strcmp(e->code, "socks_unknown_reply") != 0 &&
	       strcmp(e->code, "socks_closed") != 0 && strcmp(e->code, "socks_handshake_timeout") != 0;
}

/* What became of the target says nothing bad about the server. */
static void note_state(struct overlay *o, struct socks5_proxy *p, socks5_met_fn *met,
	const struct socks5_client_result *result, const struct err *e)
{
	char reason[OVERLAY_REASON_MAX];

	if (result->connected_ns == 0) {
		snprintf(reason, sizeof(reason), "the proxy was not reached: %s", result->why);
		met(o, OVERLAY_DOWN, false, reason);
	} else if (result->phase == SOCKS5_METHOD || result->phase == SOCKS5_AUTH) {
		snprintf(reason, sizeof(reason), "the proxy did not serve us: %s", result->why);
		met(o, OVERLAY_DEGRADED, false, reason);
	} else if (e && e->code && strncmp(e->code, "socks_bad_", 10) == 0 && result->phase == SOCKS5_REPLY) {
		snprintf(reason, sizeof(reason), "the proxy answered nonsense: %s", result->why);
		met(o, OVERLAY_DEGRADED, false, reason);
	} else if (has_answered(result, e) && o->isolation != ISOLATION_NONE && !result->authenticated) {
		/* A proxy without authentication cannot tell our identities apart. That is no failure, but must be known. */
		met(o, OVERLAY_DEGRADED, true,
			"the proxy did not ask for isolation credentials: streams are not isolated");
		if (!atomic_exchange_explicit(&p->warned, true, memory_order_relaxed))
			log_warn("overlay", "the proxy did not ask for isolation credentials: streams are not isolated",
				LOG_STR("overlay", overlay_id(o)));
	} else if (has_answered(result, e)) {
		met(o, OVERLAY_READY, true, "");
	}
}

static void client_done(void *arg, const struct socks5_client_result *result, const struct err *e)
{
	struct proxy_dial *d = arg;

	d->client = NULL;
	d->base.trace.connected_ns = result->connected_ns;
	note_state(d->base.overlay, d->proxy, d->met, result, e);
	dial_report(&d->base, result->fd, e);
	free(d);
}

/* Without the target and the credentials. */
static struct socks5_client_options way_to(const struct socks5_proxy *p, struct loop *l, uint64_t deadline_ns)
{
	return (struct socks5_client_options){
		.loop = l,
		.proxy_host = p->host,
		.proxy_port = p->port,
		.proxy_path = p->socket_path,
		.username = secret_reveal(p->username),
		.password = secret_reveal(p->password),
		.deadline_ns = deadline_ns,
	};
}

struct dial *socks5_proxy_dial(
	struct socks5_proxy *p, struct overlay *o, const struct dial_options *opt, socks5_met_fn *met)
{
	struct socks5_client_options how = way_to(p, opt->loop, opt->deadline_ns);
	char token[TOKEN_TEXT] = "";
	struct proxy_dial *d;
	struct addr a;
	struct err e;

	how.host = opt->host;
	how.port = opt->port;
	if (o->isolation != ISOLATION_NONE) {
		if (!make_token(p, o, opt->isolation_key, token)) {
			err_set(&e, ERR_INTERNAL, "socks5: failed to generate isolation credential");
			err_retryable(&e);
			err_code(&e, "socks_no_entropy");
			return dial_new_failed(opt, &e);
		}
		how.username = token;
		how.password = token;
	}
	d = xcalloc(1, sizeof(*d));
	d->proxy = p;
	d->met = met;
	d->base.trace.resolver = addr_from_literal(opt->host, opt->port, &a) ? "none" : "proxy";
	d->client = socks5_client_start(&how, client_done, d);
	explicit_bzero(token, sizeof(token));
	return &d->base;
}

void socks5_proxy_cancel(struct dial *base)
{
	struct proxy_dial *d = container_of(base, struct proxy_dial, base);

	socks5_client_cancel(d->client);
	free(d);
}

/* -- probing --------------------------------------------------------------------------------------- */

static void probe_done(void *arg, const struct socks5_client_result *result, const struct err *e)
{
	struct proxy_probe *d = arg;
	struct probe_result r = {0};

	d->client = NULL;
	if (result->connected_ns)
		r.connect_ns = result->connected_ns - d->begun_ns;
	if (!e) {
		r.handshake_ns = loop_clock_ns() - result->connected_ns;
		snprintf(r.method, sizeof(r.method), "%s",
			result->authenticated ? "username and password" : "no authentication");
	}
	note_state(d->base.overlay, d->proxy, d->met, result, e);
	probe_report(&d->base, &r, e);
	free(d);
}

struct probe *socks5_proxy_probe(
	struct socks5_proxy *p, struct overlay *o, const struct probe_options *opt, socks5_met_fn *met)
{
	struct socks5_client_options how = way_to(p, opt->loop, opt->deadline_ns);
	struct proxy_probe *d = xcalloc(1, sizeof(*d));
	char token[TOKEN_TEXT] = "";

	if (o->isolation != ISOLATION_NONE) {
		/* Nothing goes out under this identity: without entropy it may be anything. */
		if (!make_token(p, o, "", token))
			token_format((const unsigned char[TOKEN_BYTES]){0}, token);
		how.username = token;
		how.password = token;
	}
	d->proxy = p;
	d->met = met;
	d->begun_ns = loop_clock_ns();
	d->client = socks5_client_start(&how, probe_done, d);
	explicit_bzero(token, sizeof(token));
	return &d->base;
}

void socks5_proxy_cancel_probe(struct probe *base)
{
	struct proxy_probe *d = container_of(base, struct proxy_probe, base);

	socks5_client_cancel(d->client);
	free(d);
}
