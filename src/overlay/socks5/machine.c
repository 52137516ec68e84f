/*
 * machine.c - the SOCKS5 exchange, state by state.
 */
#include "overlay/socks5/machine.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "net/addr.h"

enum {
	VERSION = 5,
	AUTH_VERSION = 1,
	CMD_CONNECT = 1,

	METHOD_NONE = 0x00,
	METHOD_PASSWORD = 0x02,
	METHOD_NO_ACCEPTABLE = 0xff,

	ATYP_IPV4 = 1,
	ATYP_NAME = 3,
	ATYP_IPV6 = 4,

	REPLY_HEAD = 4, /* VER REP RSV ATYP */
	REPLY_PORT = 2,
	/* The shortest reply a proxy can send: a name of length 0. Until ATYP has arrived, more is not safe to read. */
	REPLY_MIN = REPLY_HEAD + 1 + REPLY_PORT,
};

void socks5_machine_init(
	struct socks5_machine *m, const char *host, uint16_t port, const char *username, const char *password)
{
	size_t ulen = username ? strlen(username) : 0;
	size_t plen = password ? strlen(password) : 0;

	memset(m, 0, sizeof(*m));
	m->state = SOCKS5_START;
	buf_init(&m->in);
	buf_init(&m->out);
	/* Room for all we ever send: a buffer that grew would leave a copy of the credentials in freed memory. */
	buf_reserve(&m->out, SOCKS5_OUT_MAX);

	m->port = port;
	m->host_len = strnlen(host, SOCKS5_HOST_MAX + 1);
	if (m->host_len <= SOCKS5_HOST_MAX)
		memcpy(m->host, host, m->host_len);

	m->offers_auth = ulen > 0 || plen > 0;
	if (ulen >= 1 && ulen <= SOCKS5_FIELD_MAX && plen <= SOCKS5_FIELD_MAX) {
		unsigned char *p = m->auth;

		*p++ = AUTH_VERSION;
		*p++ = (unsigned char)ulen;
		memcpy(p, username, ulen);
		p += ulen;
		*p++ = (unsigned char)plen;
		if (plen > 0)
			memcpy(p, password, plen);
		m->auth_len = 3 + ulen + plen;
	}
}

void socks5_machine_init_probe(struct socks5_machine *m, const char *username, const char *password)
{
	socks5_machine_init(m, "", 0, username, password);
	m->is_probe = true;
}

/* Call only when `out` has been sent, or when it no longer matters. */
static void erase_credentials(struct socks5_machine *m)
{
	explicit_bzero(m->auth, sizeof(m->auth));
	m->auth_len = 0;
	if (m->out.mem && buf_len(&m->out) == 0)
		explicit_bzero(m->out.mem, m->out.cap);
}

void socks5_machine_done(struct socks5_machine *m)
{
	buf_clear(&m->out);
	erase_credentials(m);
	buf_done(&m->in);
	buf_done(&m->out);
}

/* The one place where the state changes. */
static void set_state(struct socks5_machine *m, enum socks5_state state)
{
	assert(m->state != SOCKS5_READY && m->state != SOCKS5_FAILED);
	if (state == SOCKS5_FAILED) {
		buf_clear(&m->out);
		m->failed_in = m->state;
	}
	if (state == SOCKS5_READY || state == SOCKS5_FAILED)
		erase_credentials(m);
	m->state = state;
}

static enum socks5_state fail(struct socks5_machine *m, enum err_kind kind, const char *code, const char *text)
{
	err_set(&m->err, kind, "%s", text);
	err_code(&m->err, code);
	return SOCKS5_FAILED;
}

static unsigned char peek(const struct socks5_machine *m, size_t i)
{
	assert(i < buf_len(&m->in));
	return (unsigned char)buf_data(&m->in)[i];
}

/* RFC 1928 section 3. */
static enum socks5_state put_greeting(struct socks5_machine *m)
{
	static const char without[] = {VERSION, 1, METHOD_NONE};
	static const char with[] = {VERSION, 2, METHOD_NONE, METHOD_PASSWORD};

	/* Refused before anything is sent: the proxy could not be told this target at all. */
	if (!m->is_probe && m->host_len == 0)
		return fail(m, ERR_INVALID, "socks_bad_target", "the target has no host name");
	if (m->host_len > SOCKS5_HOST_MAX)
		return fail(m, ERR_INVALID, "socks_bad_target", "FQDN too long");
	if (!m->is_probe && m->port == 0)
		return fail(m, ERR_INVALID, "socks_bad_target", "port number out of range 0");

	if (m->offers_auth)
		buf_add(&m->out, with, sizeof(with));
	else
		buf_add(&m->out, without, sizeof(without));
	return SOCKS5_METHOD;
}

/* The proxy has taken us. RFC 1928 section 4. */
static enum socks5_state put_request(struct socks5_machine *m)
{
	struct addr a;

	if (m->is_probe)
		return SOCKS5_READY;
	erase_credentials(m); /* they have served, or are not wanted; `out` was sent before the proxy could answer it */
	buf_addc(&m->out, VERSION);
	buf_addc(&m->out, CMD_CONNECT);
	buf_addc(&m->out, 0);
	if (!addr_from_literal(m->host, m->port, &a)) {
		buf_addc(&m->out, ATYP_NAME);
		buf_addc(&m->out, (char)m->host_len);
		buf_add(&m->out, m->host, m->host_len);
	} else if (a.sa.sa_family == AF_INET) {
		buf_addc(&m->out, ATYP_IPV4);
		buf_add(&m->out, &a.in4.sin_addr, sizeof(a.in4.sin_addr));
	} else {
		buf_addc(&m->out, ATYP_IPV6);
		buf_add(&m->out, &a.in6.sin6_addr, sizeof(a.in6.sin6_addr));
	}
	buf_addc(&m->out, (char)(m->port >> 8));
	buf_addc(&m->out, (char)(m->port & 0xff));
	return SOCKS5_REPLY;
}

static enum socks5_state wrong_version(struct socks5_machine *m, unsigned version)
{
	/* 'H' opens "HTTP/1.1 400 Bad Request": the commonest mistake, worth a word of its own. */
	err_set(&m->err, ERR_UNAVAILABLE, "unexpected protocol version %u: %s", version,
		version == 'H' ? "an HTTP server answered; check host and port"
			       : "this is no SOCKS5 proxy; check host and port");
	err_code(&m->err, "socks_bad_version");
	return SOCKS5_FAILED;
}

static enum socks5_state choose_method(struct socks5_machine *m, unsigned method)
{
	switch (method) {
	case METHOD_NONE:
		return put_request(m);
	case METHOD_PASSWORD:
		if (!m->offers_auth)
			break;
		if (m->auth_len == 0)
			return fail(m, ERR_INVALID, "socks_bad_credentials",
				"invalid username/password: 1-255 bytes and 0-255 bytes can be sent");
		buf_add(&m->out, m->auth, m->auth_len);
		return SOCKS5_AUTH;
	case METHOD_NO_ACCEPTABLE:
		if (m->offers_auth)
			return fail(m, ERR_PERMISSION_DENIED, "socks_no_method",
				"no acceptable authentication methods: the proxy takes neither none nor a password");
		return fail(m, ERR_PERMISSION_DENIED, "socks_no_method",
			"no acceptable authentication methods: the proxy wants credentials; set username and password");
	}
	err_set(&m->err, ERR_UNAVAILABLE, "unsupported authentication method %u: it was not offered", method);
	err_code(&m->err, "socks_bad_method");
	return SOCKS5_FAILED;
}

/* Each take_* looks at what has arrived and returns the next state, or the present one when more is needed. A wrong
 * byte is judged as soon as it is there. */

static enum socks5_state take_method(struct socks5_machine *m)
{
	size_t len = buf_len(&m->in);
	unsigned method;

	if (len >= 1 && peek(m, 0) != VERSION)
		return wrong_version(m, peek(m, 0));
	if (len < 2)
		return SOCKS5_METHOD;
	method = peek(m, 1);
	buf_consume(&m->in, 2);
	return choose_method(m, method);
}

/* RFC 1929 section 2: any status but 0 is a failure. */
static enum socks5_state take_auth_status(struct socks5_machine *m)
{
	size_t len = buf_len(&m->in);

	if (len >= 1 && peek(m, 0) != AUTH_VERSION)
		return wrong_version(m, peek(m, 0));
	if (len < 2)
		return SOCKS5_AUTH;
	if (peek(m, 1) != 0)
		return fail(m, ERR_PERMISSION_DENIED, "socks_auth_failed", "username/password authentication failed");
	buf_consume(&m->in, 2);
	m->authenticated = true;
	return put_request(m);
}

/* Length of the whole reply as far as its first bytes tell, else REPLY_MIN; 0 for an unknown address type. */
static size_t reply_len(const struct socks5_machine *m)
{
	size_t len = buf_len(&m->in);

	if (len < REPLY_HEAD)
		return REPLY_MIN;
	switch (peek(m, 3)) {
	case ATYP_IPV4:
		return REPLY_HEAD + sizeof(struct in_addr) + REPLY_PORT;
	case ATYP_IPV6:
		return REPLY_HEAD + sizeof(struct in6_addr) + REPLY_PORT;
	case ATYP_NAME:
		return len == REPLY_HEAD ? REPLY_MIN : REPLY_MIN + (size_t)peek(m, 4);
	default:
		return 0;
	}
}

/* RFC 1928 section 6. */
static enum socks5_state take_reply(struct socks5_machine *m)
{
	size_t len = buf_len(&m->in);
	size_t whole;

	if (len >= 1 && peek(m, 0) != VERSION)
		return wrong_version(m, peek(m, 0));
	if (len >= 2 && peek(m, 1) != 0) {
		m->reply = peek(m, 1);
		socks5_reply_error(m->reply, &m->err);
		return SOCKS5_FAILED;
	}
	if (len >= 3 && peek(m, 2) != 0)
		return fail(m, ERR_UNAVAILABLE, "socks_bad_reply", "non-zero reserved field in the proxy's reply");
	whole = reply_len(m);
	if (whole == 0) {
		err_set(&m->err, ERR_UNAVAILABLE, "unknown address type %u in the proxy's reply", peek(m, 3));
		err_code(&m->err, "socks_bad_reply");
		return SOCKS5_FAILED;
	}
	if (len < whole)
		return SOCKS5_REPLY;
	/* The bound address is the proxy's own and of no use to us. */
	buf_consume(&m->in, whole);
	return SOCKS5_READY;
}

/* The state that the bytes at hand lead to; the present one when they lead nowhere yet. */
static enum socks5_state next_state(struct socks5_machine *m)
{
	switch (m->state) {
	case SOCKS5_START:
		return put_greeting(m);
	case SOCKS5_METHOD:
		return take_method(m);
	case SOCKS5_AUTH:
		return take_auth_status(m);
	case SOCKS5_REPLY:
		return take_reply(m);
	case SOCKS5_READY:
	case SOCKS5_FAILED:
		break;
	}
	return m->state;
}

enum socks5_step socks5_machine_step(struct socks5_machine *m)
{
	for (;;) {
		enum socks5_state next = next_state(m);

		if (next != m->state)
			set_state(m, next);
		else if (next == SOCKS5_READY)
			return SOCKS5_STEP_DONE;
		else if (next == SOCKS5_FAILED)
			return SOCKS5_STEP_FAILED;
		else
			return SOCKS5_STEP_NEED_INPUT;
	}
}

size_t socks5_machine_wants(const struct socks5_machine *m)
{
	size_t len = buf_len(&m->in);
	size_t whole = 0;

	switch (m->state) {
	case SOCKS5_METHOD:
	case SOCKS5_AUTH:
		whole = 2;
		break;
	case SOCKS5_REPLY:
		whole = reply_len(m);
		break;
	case SOCKS5_START:
	case SOCKS5_READY:
	case SOCKS5_FAILED:
		break;
	}
	return whole > len ? whole - len : 0;
}

const char *socks5_machine_waits_for(const struct socks5_machine *m)
{
	switch (m->state) {
	case SOCKS5_START:
	case SOCKS5_METHOD:
		return "the proxy to choose an authentication method";
	case SOCKS5_AUTH:
		return "the proxy to check the credentials";
	case SOCKS5_REPLY:
		return "the proxy to connect to the target";
	case SOCKS5_READY:
	case SOCKS5_FAILED:
		break;
	}
	return "nothing";
}

void socks5_machine_eof(struct socks5_machine *m)
{
	if (m->state == SOCKS5_READY || m->state == SOCKS5_FAILED)
		return;
	err_set(&m->err, ERR_UNAVAILABLE, "unexpected EOF: the connection was closed while waiting for %s",
		socks5_machine_waits_for(m));
	err_retryable(&m->err);
	err_code(&m->err, "socks_closed");
	set_state(m, SOCKS5_FAILED);
}

/* RFC 1928 section 6 and tor(1) ExtendedErrors. `again`: may the same dial succeed later with nothing changed here? */
static const struct refusal {
	uint8_t rep;
	bool again;
	enum err_kind kind;
	const char *code;
	const char *text;
} refusals[] = {
	{0x01, true, ERR_UNAVAILABLE, "socks_general_failure", "unknown error general SOCKS server failure"},
	{0x02, false, ERR_PERMISSION_DENIED, "socks_ruleset", "unknown error connection not allowed by ruleset"},
	{0x03, true, ERR_UNAVAILABLE, "socks_network_unreachable", "unknown error network unreachable"},
	{0x04, true, ERR_UNAVAILABLE, "socks_host_unreachable", "unknown error host unreachable"},
	{0x05, true, ERR_UNAVAILABLE, "socks_connection_refused", "unknown error connection refused"},
	{0x06, true, ERR_UNAVAILABLE, "socks_ttl_expired", "unknown error TTL expired"},
	{0x07, false, ERR_UNAVAILABLE, "socks_command_not_supported", "unknown error command not supported"},
	{0x08, false, ERR_UNAVAILABLE, "socks_address_type_not_supported", "unknown error address type not supported"},
	{0xf0, true, ERR_UNAVAILABLE, "socks_onion_not_found",
		"onion service descriptor can not be found (Tor reply 0xF0): wrong address, or not running"},
	{0xf1, true, ERR_UNAVAILABLE, "socks_onion_invalid",
		"onion service descriptor is invalid (Tor reply 0xF1): this Tor cannot read it"},
	{0xf2, true, ERR_UNAVAILABLE, "socks_onion_intro_failed",
		"onion service introduction failed (Tor reply 0xF2): not running, or moved; try again"},
	{0xf3, true, ERR_UNAVAILABLE, "socks_onion_rendezvous_failed",
		"onion service rendezvous failed (Tor reply 0xF3): it did not meet us in time; try again"},
	{0xf4, false, ERR_PERMISSION_DENIED, "socks_onion_auth_missing",
		"onion service missing client authorization (Tor reply 0xF4): give Tor the service's client key"},
	{0xf5, false, ERR_PERMISSION_DENIED, "socks_onion_auth_wrong",
		"onion service wrong client authorization (Tor reply 0xF5): the client key Tor holds is not accepted"},
	{0xf6, false, ERR_INVALID, "socks_onion_bad_address",
		"onion service invalid address (Tor reply 0xF6): check the .onion name"},
	{0xf7, true, ERR_UNAVAILABLE, "socks_onion_intro_timeout",
		"onion service introduction timed out (Tor reply 0xF7): slow, or not running; try again"},
};

int socks5_reply_error(uint8_t rep, struct err *e)
{
	const struct refusal *r = NULL;

	assert(rep != 0);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (refusals[i].rep == rep)
			r = &refusals[i];
	}
	if (!r) {
		err_set(e, ERR_UNAVAILABLE, "unknown error unknown code: %u", rep);
		err_retryable(e);
		return err_code(e, "socks_unknown_reply");
	}
	err_set(e, r->kind, "%s", r->text);
	if (r->again)
		err_retryable(e);
	return err_code(e, r->code);
}
