/*
 * auth.c - see auth.h
 */
#include "overlay/tor/auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <sys/random.h>

#include "base/hex.h"

enum { HASH_BYTES = 32 };

static const char server_key[] = "Tor safe cookie authentication server-to-controller hash";
static const char controller_key[] = "Tor safe cookie authentication controller-to-server hash";

void auth_init(struct auth *a, const struct secret *password, const char *cookie_file, auth_read_cookie_fn *read_cookie)
{
	memset(a, 0, sizeof(*a));
	a->password = password;
	a->cookie_file = cookie_file;
	a->read_cookie = read_cookie;
	a->state = AUTH_PROTOCOLINFO;
	/* A secret must not be left behind by a buffer that grows. */
	buf_reserve(&a->out, 2 * CONTROL_PASSWORD_MAX + 64);
	buf_adds(&a->out, "PROTOCOLINFO 1\r\n");
}

void auth_done(struct auth *a)
{
	if (a->out.mem)
		explicit_bzero(a->out.mem, a->out.cap);
	buf_done(&a->out);
	secret_free(a->sent_cookie);
	a->sent_cookie = NULL;
	explicit_bzero(a->cookie, sizeof(a->cookie));
	explicit_bzero(a->nonce, sizeof(a->nonce));
}

const char *auth_phase(const struct auth *a)
{
	switch (a->state) {
	case AUTH_PROTOCOLINFO:
		return "PROTOCOLINFO";
	case AUTH_CHALLENGE:
		return "AUTHCHALLENGE";
	case AUTH_AUTHENTICATE:
	case AUTH_OK:
	case AUTH_FAILED:
		break;
	}
	return "AUTHENTICATE";
}

static int bad_auth(struct err *e, const char *why)
{
	err_set(e, ERR_UNAVAILABLE, "%s", why);
	err_retryable(e);
	return err_code(e, "tor_bad_authentication");
}

/* -- hexadecimal ------------------------------------------------------------------------------------ */

static void add_hex(struct buf *out, const unsigned char *bytes, size_t len)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < len; i++) {
		buf_addc(out, digits[bytes[i] >> 4]);
		buf_addc(out, digits[bytes[i] & 15]);
	}
}

static bool read_hex(const struct buf *text, unsigned char out[static HASH_BYTES])
{
	const char *p = buf_data(text);

	if (buf_len(text) != 2 * HASH_BYTES)
		return false;
	for (size_t i = 0; i < HASH_BYTES; i++) {
		int byte = hex_byte(p + 2 * i);

		if (byte < 0)
			return false;
		out[i] = (unsigned char)byte;
	}
	return true;
}

/* -- the steps -------------------------------------------------------------------------------------- */

/* Is `method` one of "A,B,C"? */
static bool has_method(const char *methods, const char *method)
{
	size_t len = strlen(method);

	for (const char *p = methods; *p; p += strcspn(p, ","), p += *p == ',') {
		if (strncmp(p, method, len) == 0 && (p[len] == ',' || p[len] == '\0'))
			return true;
	}
	return false;
}

static void authenticate(struct auth *a)
{
	a->state = AUTH_AUTHENTICATE;
	buf_adds(&a->out, "AUTHENTICATE");
}

static int load_cookie(struct auth *a, const char *named, struct err *e)
{
	const char *path = a->cookie_file ? a->cookie_file : named;

	if (path[0] == '\0' || strlen(path) > COOKIE_PATH_MAX)
		return bad_auth(e, "Tor wants a cookie, but does not say in which file it is: set `cookie_file`");
	return a->read_cookie(path, a->cookie, e);
}

static int begin_cookie(struct auth *a, bool is_safe, const char *named, struct err *e)
{
	if (load_cookie(a, named, e) < 0)
		return -1;
	if (!is_safe) {
		size_t before;

		authenticate(a);
		buf_addc(&a->out, ' ');
		before = buf_len(&a->out);
		add_hex(&a->out, a->cookie, sizeof(a->cookie));
		secret_free(a->sent_cookie);
		a->sent_cookie = secret_new(buf_data(&a->out) + before, buf_len(&a->out) - before);
		buf_adds(&a->out, "\r\n");
		return 0;
	}
	/* The control thread never waits: without entropy (early boot) the attempt fails and is made again. */
	if (getrandom(a->nonce, sizeof(a->nonce), GRND_NONBLOCK) != (ssize_t)sizeof(a->nonce))
		return bad_auth(e, "no random bytes for the nonce");
	a->state = AUTH_CHALLENGE;
	buf_adds(&a->out, "AUTHCHALLENGE SAFECOOKIE ");
	add_hex(&a->out, a->nonce, sizeof(a->nonce));
	buf_adds(&a->out, "\r\n");
	return 0;
}

static int choose(struct auth *a, const char *methods, const char *named, struct err *e)
{
	if (has_method(methods, "NULL")) {
		authenticate(a);
		buf_adds(&a->out, "\r\n");
		return 0;
	}
	if (a->password && !has_method(methods, "HASHEDPASSWORD"))
		return bad_auth(
			e, "Tor takes no password: set HashedControlPassword there, or drop `control_password`");
	if (a->password) {
		authenticate(a);
		buf_addc(&a->out, ' ');
		control_add_quoted(&a->out, secret_reveal(a->password));
		buf_adds(&a->out, "\r\n");
		return 0;
	}
	if (has_method(methods, "SAFECOOKIE"))
		return begin_cookie(a, true, named, e);
	if (has_method(methods, "COOKIE") && a->cookie_file)
		return begin_cookie(a, false, named, e);
	if (has_method(methods, "COOKIE"))
		return bad_auth(e, "Tor wants its cookie in plain: name the file in `cookie_file` if that is meant");
	if (has_method(methods, "HASHEDPASSWORD"))
		return bad_auth(e, "Tor wants a password: set `control_password`");
	return bad_auth(e, "Tor offers no way to authenticate that is known here");
}

static int on_protocolinfo(struct auth *a, const struct control_reader *r, struct err *e)
{
	const char *line = control_find(r, "AUTH "), *version = control_find(r, "VERSION ");
	struct buf methods = BUF_INIT, word = BUF_INIT;
	int rc;

	if (version && control_word(version, "Tor", &word) && buf_len(&word) <= TOR_VERSION_MAX)
		memcpy(a->version, buf_str(&word), buf_len(&word) + 1);
	buf_clear(&word);
	if (!line || !control_word(line, "METHODS", &methods)) {
		err_set(e, ERR_UNAVAILABLE, "PROTOCOLINFO's answer tells no METHODS: is this Tor's control port?");
		err_retryable(e);
		rc = err_code(e, "tor_bad_reply");
	} else {
		if (!control_word(line, "COOKIEFILE", &word))
			buf_clear(&word);
		rc = choose(a, buf_str(&methods), buf_str(&word), e);
	}
	buf_done(&methods);
	buf_done(&word);
	return rc;
}

/* HMAC-SHA256(key, cookie | our nonce | Tor's nonce). */
static bool hash(const struct auth *a, const char *key, const unsigned char server_nonce[static HASH_BYTES],
	unsigned char out[static EVP_MAX_MD_SIZE])
{
	unsigned char text[COOKIE_BYTES + sizeof(a->nonce) + HASH_BYTES];
	unsigned len = 0;
	bool ok;

	memcpy(text, a->cookie, COOKIE_BYTES);
	memcpy(text + COOKIE_BYTES, a->nonce, sizeof(a->nonce));
	memcpy(text + COOKIE_BYTES + sizeof(a->nonce), server_nonce, HASH_BYTES);
	ok = HMAC(EVP_sha256(), key, (int)strlen(key), text, sizeof(text), out, &len) && len == HASH_BYTES;
	explicit_bzero(text, sizeof(text));
	return ok;
}

static int on_challenge(struct auth *a, const struct control_reader *r, struct err *e)
{
	unsigned char server_hash[HASH_BYTES], server_nonce[HASH_BYTES], want[EVP_MAX_MD_SIZE];
	const char *line = control_find(r, "AUTHCHALLENGE ");
	struct buf h = BUF_INIT, n = BUF_INIT;
	int rc = -1;

	if (!line || !control_word(line, "SERVERHASH", &h) || !control_word(line, "SERVERNONCE", &n) ||
		!read_hex(&h, server_hash) || !read_hex(&n, server_nonce)) {
		err_set(e, ERR_UNAVAILABLE, "AUTHCHALLENGE's answer has no SERVERHASH and SERVERNONCE of 32 bytes");
		err_retryable(e);
		err_code(e, "tor_bad_reply");
	} else if (!hash(a, server_key, server_nonce, want) || CRYPTO_memcmp(want, server_hash, HASH_BYTES) != 0) {
		/* Not the Tor whose cookie we have. */
		bad_auth(e,
			"the other side does not know the cookie of our file: set `cookie_file` to that of this Tor");
	} else if (hash(a, controller_key, server_nonce, want)) {
		authenticate(a);
		buf_addc(&a->out, ' ');
		add_hex(&a->out, want, HASH_BYTES);
		buf_adds(&a->out, "\r\n");
		rc = 0;
	} else {
		bad_auth(e, "the cookie's answer cannot be computed");
	}
	explicit_bzero(want, sizeof(want));
	buf_done(&h);
	buf_done(&n);
	return rc;
}

static int take_reply(struct auth *a, const struct control_reader *r, struct err *e)
{
	if (!control_is_ok(r))
		return control_refusal(auth_phase(a), r, e);
	switch (a->state) {
	case AUTH_PROTOCOLINFO:
		return on_protocolinfo(a, r, e);
	case AUTH_CHALLENGE:
		return on_challenge(a, r, e);
	case AUTH_AUTHENTICATE:
		a->state = AUTH_OK;
		break;
	case AUTH_OK:
	case AUTH_FAILED:
		break;
	}
	return 0;
}

enum auth_step auth_reply(struct auth *a, const struct control_reader *r)
{
	struct err e;

	if (a->state != AUTH_OK && a->state != AUTH_FAILED && take_reply(a, r, &e) < 0) {
		a->err = e;
		a->state = AUTH_FAILED;
	}
	if (a->state == AUTH_FAILED)
		return AUTH_STEP_FAILED;
	return a->state == AUTH_OK ? AUTH_STEP_DONE : AUTH_STEP_NEED_REPLY;
}
