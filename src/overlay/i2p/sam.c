/*
 * sam.c - the SAM exchange, state by state.
 */
#include "overlay/i2p/sam.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "overlay/i2p/line.h"

enum { PING_MAX = 512 };

void sam_init(struct sam *m, const struct sam_request *r)
{
	memset(m, 0, offsetof(struct sam, line));
	m->part = r->part;
	m->state = SAM_START;
	buf_init(&m->out);
	assert(strlen(r->id) <= SAM_ID_MAX);
	snprintf(m->id, sizeof(m->id), "%s", r->id);
	if (r->options) {
		assert(strlen(r->options) <= SAM_OPTIONS_MAX);
		snprintf(m->options, sizeof(m->options), "%s", r->options);
	}
	m->keeps_key = r->keeps_key;
	if (r->private_key)
		m->private_key = secret_new(secret_reveal(r->private_key), secret_len(r->private_key));
	if (r->part == SAM_CONNECT)
		m->host = xstrdup(r->host);
	m->port = r->port;
	m->line[0] = '\0';
}

static void wipe_out(struct sam *m)
{
	if (m->out.mem)
		explicit_bzero(m->out.mem, m->out.cap);
	buf_clear(&m->out);
}

void sam_done(struct sam *m)
{
	wipe_out(m);
	buf_done(&m->out);
	explicit_bzero(m->line, sizeof(m->line));
	secret_free(m->private_key);
	free(m->name);
	free(m->host);
	free(m->peer);
}

/* The one place where the state changes. */
static void set_state(struct sam *m, enum sam_state state)
{
	assert(m->state != SAM_READY && m->state != SAM_FAILED);
	if (state == SAM_FAILED)
		wipe_out(m);
	m->state = state;
}

const char *sam_phase(const struct sam *m, bool is_reply)
{
	bool stream = m->part == SAM_CONNECT || m->part == SAM_ACCEPT;

	switch (m->state) {
	case SAM_START:
		return stream ? "SAM bridge stream connect" : "SAM bridge connect";
	case SAM_HELLO:
		if (is_reply)
			return stream ? "stream SAM handshake response" : "SAM handshake response";
		return stream ? "stream SAM handshake" : "SAM handshake";
	case SAM_GENERATE:
		return is_reply ? "DEST GENERATE response" : "DEST GENERATE";
	case SAM_CREATE:
		return is_reply ? "SESSION CREATE response" : "SESSION CREATE";
	case SAM_LOOKUP:
		return is_reply ? "NAMING LOOKUP response" : "NAMING LOOKUP";
	case SAM_STANDING:
		return "SAM session";
	case SAM_STATUS:
		if (m->part == SAM_ACCEPT)
			return is_reply ? "STREAM ACCEPT status" : "STREAM ACCEPT";
		return is_reply ? "STREAM CONNECT response" : "STREAM CONNECT";
	case SAM_PEER:
		return "STREAM ACCEPT destination";
	case SAM_READY:
	case SAM_FAILED:
		break;
	}
	return "SAM";
}

/* -- input ------------------------------------------------------------------------------------------ */

static enum sam_state fail(struct sam *m, const char *code, const char *what)
{
	const char *phase = sam_phase(m, true);

	err_set(&m->err, ERR_UNAVAILABLE, "%s failed: %s", phase, what);
	err_retryable(&m->err);
	err_code(&m->err, code);
	return SAM_FAILED;
}

static bool wants_input(const struct sam *m)
{
	return m->state != SAM_START && m->state != SAM_READY && m->state != SAM_FAILED && !m->line_ended;
}

size_t sam_feed(struct sam *m, const char *bytes, size_t len)
{
	const char *end;
	size_t taken;

	if (!wants_input(m) || len == 0)
		return 0;
	end = memchr(bytes, '\n', len);
	taken = end ? (size_t)(end - bytes) + 1 : len;
	/* The LF is not kept: so a line of SAM_LINE_MAX bytes still fits, and one byte more is too many. */
	if (m->line_len + taken - (end ? 1 : 0) > SAM_LINE_MAX) {
		set_state(m, fail(m, "i2p_bad_reply", "the bridge's line has more than 8192 bytes"));
		return 0;
	}
	memcpy(m->line + m->line_len, bytes, taken - (end ? 1 : 0));
	m->line_len += taken - (end ? 1 : 0);
	m->line[m->line_len] = '\0';
	m->line_ended = end;
	return taken;
}

void sam_eof(struct sam *m)
{
	if (m->state == SAM_READY || m->state == SAM_FAILED)
		return;
	set_state(m, fail(m, "i2p_closed", "unexpected EOF: the bridge closed the connection"));
}

/* -- the exchange ----------------------------------------------------------------------------------- */

static enum sam_state refused(struct sam *m)
{
	sam_refusal(sam_phase(m, m->state == SAM_PEER), m->line, &m->err);
	return SAM_FAILED;
}

/* Does the line begin with these two words? */
static bool line_is(const struct sam *m, const char *words)
{
	size_t len = strlen(words);

	return strncmp(m->line, words, len) == 0 && (m->line[len] == ' ' || m->line[len] == '\0');
}

static bool line_is_ok(const struct sam *m, const char *words)
{
	struct buf result = BUF_INIT;
	bool ok = line_is(m, words) && sam_word(m->line, "RESULT", &result) && strcmp(buf_str(&result), "OK") == 0;

	buf_done(&result);
	return ok;
}

/* What a base64 destination or key of I2P is made of. */
static bool is_base64(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!((s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') ||
			    s[i] == '-' || s[i] == '~' || s[i] == '='))
			return false;
	}
	return len > 0;
}

static enum sam_state put_hello(struct sam *m)
{
	/* Whoever checked the host before: a blank or a line end in it would be another command to the bridge. */
	for (const char *p = m->host; p && *p; p++) {
		if (*p <= ' ' || *p >= 0x7f || *p == '"') {
			err_set(&m->err, ERR_INVALID,
				"STREAM CONNECT failed: the host has a character that no name has");
			err_code(&m->err, "bad_target");
			return SAM_FAILED;
		}
	}
	buf_adds(&m->out, "HELLO VERSION MIN=3.0 MAX=3.3\n");
	return SAM_HELLO;
}

static enum sam_state put_create(struct sam *m)
{
	const char *key = m->private_key ? secret_reveal(m->private_key) : "TRANSIENT";

	/* Room for all of it at once: a buffer that grew would leave a copy of the key in freed memory. */
	buf_reserve(&m->out, SAM_ID_MAX + SAM_KEY_MAX + SAM_OPTIONS_MAX + 128);
	buf_addf(&m->out, "SESSION CREATE STYLE=STREAM ID=%s DESTINATION=", m->id);
	buf_adds(&m->out, key);
	/* Says what a TRANSIENT destination is signed with: without it a bridge may still use DSA. */
	buf_addf(&m->out, " SIGNATURE_TYPE=7%s\n", m->options);
	return SAM_CREATE;
}

static enum sam_state take_version(struct sam *m)
{
	struct buf v = BUF_INIT;
	const char *s;

	if (!line_is_ok(m, "HELLO REPLY"))
		return refused(m);
	m->version = 300;
	if (sam_word(m->line, "VERSION", &v)) {
		s = buf_str(&v);
		if (buf_len(&v) == 3 && s[0] == '3' && s[1] == '.' && s[2] >= '0' && s[2] <= '9')
			m->version = 300 + (unsigned)(s[2] - '0');
	}
	buf_done(&v);

	switch (m->part) {
	case SAM_SESSION:
		if (!m->keeps_key || m->private_key)
			return put_create(m);
		buf_adds(&m->out, "DEST GENERATE SIGNATURE_TYPE=7\n");
		return SAM_GENERATE;
	case SAM_CONNECT:
		buf_addf(&m->out, "STREAM CONNECT ID=%s DESTINATION=%s SILENT=false", m->id, m->host);
		if (m->version >= SAM_VERSION_PORTS)
			buf_addf(&m->out, " TO_PORT=%u", m->port);
		buf_addc(&m->out, '\n');
		return SAM_STATUS;
	case SAM_ACCEPT:
		buf_addf(&m->out, "STREAM ACCEPT ID=%s SILENT=false\n", m->id);
		return SAM_STATUS;
	case SAM_PROBE:
		return SAM_READY;
	}
	return SAM_FAILED;
}

static enum sam_state take_key(struct sam *m)
{
	struct buf priv = BUF_INIT;
	enum sam_state next;

	/* Room for the longest: growing would leave copies behind. */
	buf_reserve(&priv, SAM_LINE_MAX);
	if (line_is(m, "DEST REPLY") && sam_word(m->line, "PRIV", &priv) && buf_len(&priv) <= SAM_KEY_MAX &&
		is_base64(buf_data(&priv), buf_len(&priv))) {
		m->private_key = secret_new(buf_data(&priv), buf_len(&priv));
		next = put_create(m);
	} else {
		next = refused(m);
	}
	explicit_bzero(priv.mem, priv.cap);
	buf_done(&priv);
	return next;
}

static enum sam_state take_session(struct sam *m)
{
	if (!line_is_ok(m, "SESSION STATUS"))
		return refused(m);
	/* The key went out with the command and came back with its answer. */
	wipe_out(m);
	if (!m->keeps_key)
		return SAM_STANDING;
	buf_adds(&m->out, "NAMING LOOKUP NAME=ME\n");
	return SAM_LOOKUP;
}

/* A bridge that cannot tell our name still serves: peers may have it from elsewhere. */
static enum sam_state take_name(struct sam *m)
{
	struct buf v = BUF_INIT;

	if (line_is_ok(m, "NAMING REPLY") && sam_word(m->line, "VALUE", &v) && is_base64(buf_data(&v), buf_len(&v)))
		m->name = xmemdupz(buf_data(&v), buf_len(&v));
	buf_done(&v);
	return SAM_STANDING;
}

static enum sam_state take_notice(struct sam *m)
{
	if (line_is(m, "PING")) {
		if (m->line_len <= PING_MAX)
			buf_addf(&m->out, "PONG%s\n", m->line + 4);
		return SAM_STANDING;
	}
	if (line_is(m, "SESSION STATUS") && !line_is_ok(m, "SESSION STATUS"))
		return refused(m);
	return SAM_STANDING;
}

static enum sam_state take_status(struct sam *m)
{
	if (!line_is_ok(m, "STREAM STATUS"))
		return refused(m);
	return m->part == SAM_CONNECT ? SAM_READY : SAM_PEER;
}

static uint16_t port_word(const char *line, const char *key)
{
	struct buf v = BUF_INIT;
	unsigned long port = 0;

	if (sam_word(line, key, &v) && buf_len(&v) <= 5 && strspn(buf_str(&v), "0123456789") == buf_len(&v))
		port = strtoul(buf_str(&v), NULL, 10);
	buf_done(&v);
	return port <= UINT16_MAX ? (uint16_t)port : 0;
}

static enum sam_state take_peer(struct sam *m)
{
	size_t len = strcspn(m->line, " ");

	/* The session may have ended instead. */
	if (line_is(m, "STREAM STATUS") || !is_base64(m->line, len))
		return refused(m);
	m->peer = xmemdupz(m->line, len);
	m->from_port = port_word(m->line + len, "FROM_PORT");
	m->to_port = port_word(m->line + len, "TO_PORT");
	return SAM_READY;
}

static enum sam_state take_line(struct sam *m)
{
	if (m->line_len > 0 && m->line[m->line_len - 1] == '\r')
		m->line[--m->line_len] = '\0';
	if (memchr(m->line, '\0', m->line_len))
		return fail(m, "i2p_bad_reply", "the bridge's line has a NUL byte");
	switch (m->state) {
	case SAM_HELLO:
		return take_version(m);
	case SAM_GENERATE:
		return take_key(m);
	case SAM_CREATE:
		return take_session(m);
	case SAM_LOOKUP:
		return take_name(m);
	case SAM_STANDING:
		return take_notice(m);
	case SAM_STATUS:
		return take_status(m);
	case SAM_PEER:
		return take_peer(m);
	case SAM_START:
	case SAM_READY:
	case SAM_FAILED:
		break;
	}
	assert(!"no line is taken in this state");
	return SAM_FAILED;
}

enum sam_step sam_step(struct sam *m)
{
	if (m->state == SAM_START)
		set_state(m, put_hello(m));
	if (m->line_ended && m->state != SAM_READY && m->state != SAM_FAILED) {
		set_state(m, take_line(m));
		explicit_bzero(m->line, m->line_len);
		m->line_len = 0;
		m->line_ended = false;
	}
	switch (m->state) {
	case SAM_READY:
		return SAM_STEP_DONE;
	case SAM_FAILED:
		return SAM_STEP_FAILED;
	default:
		return SAM_STEP_NEED_INPUT;
	}
}
