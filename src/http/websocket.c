/*
 * websocket.c - see websocket.h
 *
 * Bytes in: read_some() -> take_input() -> wslay_frame_recv() -> take_chunk() -> a message, a control frame, or a breach(). Bytes out: put_frame() frames into `out`,
 * flush() writes. Functions of the user run only below enter()/leave(), from callbacks of the loop; what the user calls meanwhile takes notes and arms `kick`.
 */
#include "http/websocket.h"

#include <assert.h>
#include <errno.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "http/websocket_deflate.h"

enum {
	CONTROL_MAX = 125,
	READ_PIECE = 16 * 1024,
	READS_PER_TURN = 4,
	WRITE_PIECE = 256 * 1024,
	WRITES_PER_TURN = 8,
	CODE_NONE = 0,
	RSV_DEFLATE = WSLAY_RSV1_BIT,
};

enum state {
	STATE_OPEN,
	STATE_CLOSING,  /* our close frame is queued or sent; the peer's is awaited, messages are dropped */
	STATE_ANSWERED, /* the peer's close came; what is queued leaves, then it is over */
	STATE_BREACHED, /* the peer broke the protocol: told so; what it sends is thrown away until it leaves */
	STATE_OVER,     /* `closed` has run or is about to */
};

/* Where a queued message ends in the stream of bytes out. */
struct mark {
	struct mark *next;
	uint64_t end;
	uint64_t due_ns; /* 0: may wait forever */
	void (*sent)(void *arg, int rc);
	void *arg;
};

struct websocket {
	struct loop *loop;
	struct transport *transport; /* NULL once over */
	struct loop_poll *poll;
	struct loop_timer kick; /* armed: something is to be done in the next turn */
	struct loop_timer close_timer;
	struct loop_timer read_timer;
	struct loop_timer write_timer;
	struct websocket_callbacks cb;
	void *arg;
	bool is_client;
	size_t message_max;
	uint64_t read_timeout_ns;
	uint64_t write_timeout_ns;
	size_t threshold;
	enum state state;
	bool paused;
	bool freed; /* inside a callback of the user */
	unsigned depth;

	/* in */
	wslay_frame_context_ptr frames;
	const unsigned char *feed; /* what take_input() was given and wslay has not taken */
	size_t nfeed;
	struct buf held; /* bytes not looked at: they came early or before a pause */
	bool input_full; /* more may wait inside of the transport */
	struct websocket_coders *coders;
	struct buf message;    /* of the message under way, decompressed */
	uint8_t opcode;        /* of it; CODE_NONE between messages */
	bool is_compressed;    /* it */
	uint64_t frame_offset; /* payload bytes of the frame under way that were seen */
	unsigned char control[CONTROL_MAX];
	size_t ncontrol;

	/* out */
	struct buf out;
	bool write_blocked; /* the transport said AGAIN */
	bool shut;          /* the peer knows that nothing more comes */
	uint64_t queued;    /* bytes ever put into `out` ... */
	uint64_t written;   /* ... and of these taken by the system */
	struct mark *marks;
	struct mark **marks_end;
	bool was_high; /* `out` was above the mark since `drained` ran */
	unsigned char pong[CONTROL_MAX];
	size_t npong;
	bool has_pong; /* it waits for `out` to become short */

	/* the end */
	unsigned code;
	char reason[WEBSOCKET_REASON_MAX + 1];
	struct err *err; /* NULL: none */
};

static void destroy(struct websocket *ws)
{
	wslay_frame_context_free(ws->frames);
	websocket_coders_free(ws->coders);
	buf_done(&ws->held);
	buf_done(&ws->message);
	free(ws->err);
	free(ws);
}

static void enter(struct websocket *ws)
{
	ws->depth++;
}

static void leave(struct websocket *ws)
{
	if (--ws->depth == 0 && ws->freed)
		destroy(ws);
}

static void kick(struct websocket *ws)
{
	if (!loop_timer_is_armed(&ws->kick))
		loop_timer_start_ns(&ws->kick, 0);
}

/* -- the end ------------------------------------------------------------------------------------------ */

/* Let go of the connection; what is to be said is said by report(). */
static void drop(struct websocket *ws)
{
	loop_poll_free(ws->poll);
	ws->poll = NULL;
	loop_timer_stop(&ws->close_timer);
	loop_timer_stop(&ws->read_timer);
	loop_timer_stop(&ws->write_timer);
	if (ws->transport) {
		transport_shutdown(ws->transport);
		transport_close(ws->transport);
		ws->transport = NULL;
	}
	buf_done(&ws->out);
	buf_done(&ws->held);
	ws->state = STATE_OVER;
}

static void finish(struct websocket *ws)
{
	if (ws->state == STATE_OVER)
		return;
	drop(ws);
	kick(ws);
}

static void fail(struct websocket *ws, unsigned code, const struct err *e)
{
	/* The first reason counts, and the peer's own word for it most. */
	if (ws->state == STATE_OVER || ws->state == STATE_ANSWERED || ws->err)
		return;
	ws->code = code;
	ws->err = xmalloc(sizeof(*e));
	*ws->err = *e;
}

static void lose(struct websocket *ws, const struct err *e)
{
	fail(ws, 1006, e);
	finish(ws);
}

static void lose_end(struct websocket *ws)
{
	struct err e;

	err_set(&e, ERR_UNAVAILABLE, "EOF (the peer ended the connection without a close frame)");
	err_code(&e, "eof");
	lose(ws, &e);
}

/* Runs the callbacks that an end leaves: first the messages that never left, then `closed`. */
static void report(struct websocket *ws)
{
	void (*closed)(void *, unsigned, const char *, const struct err *) = ws->cb.closed;

	while (ws->marks && !ws->freed) {
		struct mark *m = ws->marks;

		ws->marks = m->next;
		if (m->sent)
			m->sent(m->arg, -1);
		free(m);
	}
	ws->cb.closed = NULL;
	if (closed && !ws->freed)
		closed(ws->arg, ws->code, ws->reason, ws->err);
}

/* -- out ---------------------------------------------------------------------------------------------- */

static ssize_t put_bytes(const uint8_t *data, size_t len, int flags, void *arg)
{
	struct websocket *ws = arg;

	(void)flags;
	buf_add(&ws->out, data, len);
	return (ssize_t)len;
}

static int make_mask(uint8_t *into, size_t len, void *arg)
{
	(void)arg;
	return RAND_bytes(into, (int)len) == 1 ? 0 : -1;
}

static void put_frame(struct websocket *ws, uint8_t opcode, uint8_t rsv, const void *data, size_t len)
{
	size_t before = buf_len(&ws->out);
	struct wslay_frame_iocb frame = {
		.fin = 1,
		.rsv = rsv,
		.opcode = opcode,
		.payload_length = len,
		.mask = ws->is_client,
		.data = data,
		.data_length = len,
	};

	/* Growing step by step would copy a large message many times. */
	buf_reserve(&ws->out, len + 14);
	/* Everything is taken at once, so the sender's state is that of a new frame again. */
	if (wslay_frame_send(ws->frames, &frame) != (ssize_t)len) {
		struct err e;

		buf_truncate(&ws->out, before);
		err_set(&e, ERR_INTERNAL, "no random numbers for the mask of a frame");
		lose(ws, &e);
		return;
	}
	ws->queued += buf_len(&ws->out) - before;
	if (buf_len(&ws->out) > WEBSOCKET_PENDING_LOW)
		ws->was_high = true;
	kick(ws);
}

static void put_close(struct websocket *ws, unsigned code, const char *reason)
{
	unsigned char body[CONTROL_MAX];
	size_t n = 0;

	if (code != CODE_NONE) {
		size_t len = strlen(reason);

		if (len > WEBSOCKET_REASON_MAX) {
			len = WEBSOCKET_REASON_MAX;
			/* Not within a character. */
			while (len > 0 && ((unsigned char)reason[len] & 0xc0) == 0x80)
				len--;
		}
		body[0] = (unsigned char)(code >> 8);
		body[1] = (unsigned char)code;
		memcpy(body + 2, reason, len);
		n = len + 2;
	}
	put_frame(ws, WSLAY_CONNECTION_CLOSE, 0, body, n);
	loop_timer_start_ms(&ws->close_timer, WEBSOCKET_CLOSE_WAIT_MS);
}

/* A peer that pings and does not read gets no queue of pongs: only the last one waits (RFC 6455 section 5.5.3). */
static void put_pong(struct websocket *ws, const void *data, size_t len)
{
	ws->has_pong = buf_len(&ws->out) > WEBSOCKET_PENDING_LOW;
	if (!ws->has_pong) {
		put_frame(ws, WSLAY_PONG, 0, data, len);
		return;
	}
	memcpy(ws->pong, data, len);
	ws->npong = len;
}

static void arm_write_timer(struct websocket *ws)
{
	if (ws->marks && ws->marks->due_ns)
		loop_timer_start_at(&ws->write_timer, ws->marks->due_ns);
	else
		loop_timer_stop(&ws->write_timer);
}

static void tell_sent(struct websocket *ws)
{
	bool any = false;

	while (ws->marks && ws->marks->end <= ws->written) {
		struct mark *m = ws->marks;

		any = true;
		ws->marks = m->next;
		if (!ws->marks)
			ws->marks_end = &ws->marks;
		if (m->sent)
			m->sent(m->arg, 0);
		free(m);
		if (ws->freed)
			return;
	}
	if (any && ws->state != STATE_OVER)
		arm_write_timer(ws);
}

/* As much as goes without a word to the user. */
static void write_now(struct websocket *ws)
{
	ssize_t n;

	if (ws->state == STATE_OVER || ws->write_blocked || buf_len(&ws->out) == 0 || buf_len(&ws->out) > WRITE_PIECE)
		return;
	n = transport_write(ws->transport, buf_data(&ws->out), buf_len(&ws->out));
	if (n > 0) {
		buf_consume(&ws->out, (size_t)n);
		ws->written += (uint64_t)n;
	}
}

/* The peer has both close frames or is about to have them. */
static bool is_farewell_said(const struct websocket *ws)
{
	return ws->state == STATE_ANSWERED && buf_len(&ws->out) == 0;
}

static void flush(struct websocket *ws)
{
	uint64_t before = ws->written;

	ws->write_blocked = false;
	for (unsigned i = 0; buf_len(&ws->out) > 0; i++) {
		size_t len = buf_len(&ws->out);
		ssize_t n;

		if (i == WRITES_PER_TURN) {
			kick(ws);
			break;
		}
		n = transport_write(ws->transport, buf_data(&ws->out), len < WRITE_PIECE ? len : WRITE_PIECE);
		if (n == TRANSPORT_AGAIN) {
			ws->write_blocked = true;
			break;
		}
		if (n < 0) {
			lose(ws, transport_error(ws->transport));
			return;
		}
		buf_consume(&ws->out, (size_t)n);
		ws->written += (uint64_t)n;
	}
	if (buf_len(&ws->out) == 0 && ws->out.mem) {
		/* Thousands of quiet connections hold no buffers. */
		buf_done(&ws->out);
		if (loop_timer_is_armed(&ws->close_timer))
			loop_timer_start_ms(&ws->close_timer, WEBSOCKET_CLOSE_WAIT_MS);
	}
	/* A client that was told to go waits for that. */
	if (ws->state == STATE_BREACHED && buf_len(&ws->out) == 0 && !ws->shut) {
		ws->shut = true;
		transport_shutdown(ws->transport);
	}
	if (ws->has_pong && buf_len(&ws->out) <= WEBSOCKET_PENDING_LOW && ws->state == STATE_OPEN) {
		ws->has_pong = false;
		put_frame(ws, WSLAY_PONG, 0, ws->pong, ws->npong);
	}
	if (is_farewell_said(ws)) {
		tell_sent(ws);
		finish(ws);
		return;
	}
	tell_sent(ws);
	if (ws->written == before)
		return;
	if (ws->was_high && buf_len(&ws->out) <= WEBSOCKET_PENDING_LOW && !ws->freed) {
		ws->was_high = false;
		if (ws->cb.drained && ws->state == STATE_OPEN)
			ws->cb.drained(ws->arg);
	}
}

/* -- in ----------------------------------------------------------------------------------------------- */

static void breach(struct websocket *ws, unsigned code, const char *what)
{
	struct err e;
	bool says_so = ws->state == STATE_OPEN;

	err_set(&e, ERR_INTERNAL, "%s", what);
	err_code(&e, code == 1009 ? "message_too_big" : "protocol_error");
	fail(ws, code, &e);
	ws->state = STATE_BREACHED;
	buf_done(&ws->message);
	buf_done(&ws->held);
	loop_timer_stop(&ws->read_timer);
	if (says_so)
		put_close(ws, code, what);
}

static void breach_limit(struct websocket *ws)
{
	char text[64];

	snprintf(text, sizeof(text), "read limited at %zu bytes", ws->message_max);
	breach(ws, 1009, text);
}

static void arm_read_timer(struct websocket *ws)
{
	if (ws->read_timeout_ns && !ws->paused && ws->state == STATE_OPEN)
		loop_timer_start_ns(&ws->read_timer, ws->read_timeout_ns);
	else
		loop_timer_stop(&ws->read_timer);
}

static void deliver(struct websocket *ws, const void *data, size_t len)
{
	bool is_binary = ws->opcode == WSLAY_BINARY_FRAME;

	ws->opcode = CODE_NONE;
	if (!is_binary && !utf8_is_valid(data, len)) {
		breach(ws, 1007, "invalid UTF-8 in a text message");
		return;
	}
	if (ws->state != STATE_OPEN)
		return;
	arm_read_timer(ws);
	ws->cb.message(ws->arg, is_binary, data, len);
}

/* Codes that an endpoint may send (RFC 6455 section 7.4, and the registry it made). */
static bool is_code_sendable(unsigned code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static void take_close(struct websocket *ws)
{
	unsigned code = CODE_NONE;
	size_t n = ws->ncontrol;

	if (n >= 2)
		code = (unsigned)ws->control[0] << 8 | ws->control[1];
	if (n == 1 || (n >= 2 && !is_code_sendable(code))) {
		breach(ws, 1002, "invalid close frame");
		return;
	}
	if (n > 2 && !utf8_is_valid((const char *)ws->control + 2, n - 2)) {
		breach(ws, 1007, "invalid UTF-8 in a close frame");
		return;
	}
	ws->code = code == CODE_NONE ? 1005 : code;
	if (n > 2)
		memcpy(ws->reason, ws->control + 2, n - 2);
	ws->reason[n > 2 ? n - 2 : 0] = '\0';
	if (ws->state == STATE_OPEN)
		put_close(ws, code, "");
	if (ws->state != STATE_OVER)
		ws->state = STATE_ANSWERED;
	loop_timer_stop(&ws->read_timer);
}

static void take_control(struct websocket *ws, uint8_t opcode)
{
	switch (opcode) {
	case WSLAY_PING:
		if (ws->state == STATE_OPEN)
			put_pong(ws, ws->control, ws->ncontrol);
		break;
	case WSLAY_PONG:
		if (ws->cb.pong && ws->state == STATE_OPEN)
			ws->cb.pong(ws->arg, ws->control, ws->ncontrol);
		break;
	default:
		take_close(ws);
		break;
	}
}

/* The first bytes of a frame: NULL, or what is wrong with it. */
static const char *judge_frame(const struct websocket *ws, const struct wslay_frame_iocb *f)
{
	if (f->mask == ws->is_client)
		return f->mask ? "a masked frame from the server" : "a frame without mask from the client";
	switch (f->opcode) {
	case WSLAY_CONNECTION_CLOSE:
	case WSLAY_PING:
	case WSLAY_PONG:
		return f->rsv ? "reserved bits in a control frame" : NULL;
	case WSLAY_CONTINUATION_FRAME:
		if (ws->opcode == CODE_NONE)
			return "a continuation of no message";
		return f->rsv ? "reserved bits in a continuation frame" : NULL;
	case WSLAY_TEXT_FRAME:
	case WSLAY_BINARY_FRAME:
		if (ws->opcode != CODE_NONE)
			return "a new message inside of another";
		return f->rsv & ~(ws->coders ? RSV_DEFLATE : 0) ? "reserved bits" : NULL;
	default:
		return "reserved opcode";
	}
}

/* -1: breached. */
static int expand(struct websocket *ws, const void *data, size_t len, bool is_end)
{
	switch (websocket_inflate(ws->coders, data, len, is_end, &ws->message, ws->message_max)) {
	case 0:
		return 0;
	case WEBSOCKET_INFLATE_TOO_BIG:
		breach_limit(ws);
		return -1;
	default:
		breach(ws, 1007, "invalid compressed data");
		return -1;
	}
}

static void take_data(struct websocket *ws, const struct wslay_frame_iocb *f, bool is_first, bool is_last)
{
	if (is_first && f->opcode != WSLAY_CONTINUATION_FRAME) {
		ws->opcode = f->opcode;
		ws->is_compressed = f->rsv & RSV_DEFLATE;
	}
	if (ws->is_compressed) {
		if (expand(ws, f->data, f->data_length, is_last && f->fin) < 0)
			return;
	} else {
		if (is_first && f->payload_length > ws->message_max - buf_len(&ws->message)) {
			breach_limit(ws);
			return;
		}
		if (is_first && is_last && f->fin && buf_len(&ws->message) == 0) {
			deliver(ws, f->data, f->data_length);
			return;
		}
		buf_add(&ws->message, f->data, f->data_length);
	}
	if (is_last && f->fin) {
		struct buf whole = ws->message;

		ws->message = BUF_INIT;
		deliver(ws, buf_data(&whole), buf_len(&whole));
		buf_done(&whole);
	}
}

/* What wslay has of a frame: all of it, or the next bytes. */
static void take_chunk(struct websocket *ws, const struct wslay_frame_iocb *f)
{
	bool is_first = ws->frame_offset == 0, is_last;

	if (is_first) {
		const char *wrong = judge_frame(ws, f);

		if (wrong) {
			breach(ws, 1002, wrong);
			return;
		}
	}
	ws->frame_offset += f->data_length;
	is_last = ws->frame_offset == f->payload_length;
	if (is_last)
		ws->frame_offset = 0;
	if (!wslay_is_ctrl_frame(f->opcode)) {
		take_data(ws, f, is_first, is_last);
		return;
	}
	/* At most 125 bytes in one frame: wslay sees to it. */
	assert(f->payload_length <= CONTROL_MAX);
	if (is_first)
		ws->ncontrol = 0;
	memcpy(ws->control + ws->ncontrol, f->data, f->data_length);
	ws->ncontrol += f->data_length;
	if (is_last)
		take_control(ws, f->opcode);
}

/* For wslay. */
static ssize_t get_bytes(uint8_t *into, size_t len, int flags, void *arg)
{
	struct websocket *ws = arg;
	size_t n = ws->nfeed < len ? ws->nfeed : len;

	(void)flags;
	memcpy(into, ws->feed, n);
	ws->feed += n;
	ws->nfeed -= n;
	return (ssize_t)n;
}

static bool wants_frames(const struct websocket *ws)
{
	return !ws->freed && ((ws->state == STATE_OPEN && !ws->paused) || ws->state == STATE_CLOSING);
}

static void take_input(struct websocket *ws, const void *data, size_t len)
{
	ws->feed = data;
	ws->nfeed = len;
	while (wants_frames(ws)) {
		struct wslay_frame_iocb frame = {0};
		ssize_t n = wslay_frame_recv(ws->frames, &frame);

		if (n == WSLAY_ERR_WANT_READ)
			break;
		if (n < 0)
			breach(ws, 1002, "invalid frame");
		else
			take_chunk(ws, &frame);
	}
	if (!ws->freed && ws->state == STATE_OPEN)
		buf_add(&ws->held, ws->feed, ws->nfeed);
	ws->feed = NULL;
	ws->nfeed = 0;
}

/* What a pause left, here and in wslay's own buffer. */
static void take_held(struct websocket *ws)
{
	struct buf held = ws->held;

	ws->held = BUF_INIT;
	take_input(ws, buf_data(&held), buf_len(&held));
	buf_done(&held);
}

static bool wants_bytes(const struct websocket *ws)
{
	return wants_frames(ws) || ws->state == STATE_BREACHED;
}

static void read_some(struct websocket *ws)
{
	unsigned char piece[READ_PIECE];

	ws->input_full = false;
	for (unsigned i = 0; wants_bytes(ws); i++) {
		ssize_t n;

		/* Others have their turn; the descriptor may not say that there is more. */
		if (i == READS_PER_TURN) {
			ws->input_full = true;
			kick(ws);
			return;
		}
		n = transport_read(ws->transport, piece, sizeof(piece));
		if (n == TRANSPORT_AGAIN)
			return;
		if (n == 0) {
			lose_end(ws);
			return;
		}
		if (n < 0) {
			lose(ws, transport_error(ws->transport));
			return;
		}
		if (ws->state != STATE_BREACHED)
			take_input(ws, piece, (size_t)n);
		if ((size_t)n < sizeof(piece))
			return;
		ws->input_full = ws->paused;
	}
}

/* -- the loop ----------------------------------------------------------------------------------------- */

/* After anything that may have changed what is waited for. */
static void settle(struct websocket *ws)
{
	int events = 0;

	if (ws->freed)
		return;
	if (ws->state == STATE_OVER) {
		loop_timer_stop(&ws->kick);
		report(ws);
		return;
	}
	if (wants_bytes(ws))
		events |= transport_read_events(ws->transport);
	if (ws->write_blocked && buf_len(&ws->out) > 0)
		events |= transport_write_events(ws->transport);
	loop_poll_set(ws->poll, events);
}

static void on_ready(void *arg, int events)
{
	struct websocket *ws = arg;

	(void)events;
	enter(ws);
	/* First what the peer said: it may be why writing fails. */
	read_some(ws);
	if (!ws->freed && ws->state != STATE_OVER)
		flush(ws);
	settle(ws);
	leave(ws);
}

static void on_kick(struct loop_timer *t)
{
	struct websocket *ws = container_of(t, struct websocket, kick);

	enter(ws);
	if (wants_frames(ws))
		take_held(ws);
	if (ws->input_full && wants_bytes(ws))
		read_some(ws);
	if (!ws->freed && ws->state != STATE_OVER)
		flush(ws);
	settle(ws);
	leave(ws);
}

static void on_close_late(struct loop_timer *t)
{
	struct websocket *ws = container_of(t, struct websocket, close_timer);
	struct err e;

	enter(ws);
	err_set(&e, ERR_TIMEOUT, "the peer did not answer the closing handshake in time");
	lose(ws, &e);
	settle(ws);
	leave(ws);
}

static void on_read_late(struct loop_timer *t)
{
	struct websocket *ws = container_of(t, struct websocket, read_timer);
	struct err e;

	enter(ws);
	err_set(&e, ERR_TIMEOUT, "read timed out: no message came in time");
	fail(ws, 1008, &e);
	put_close(ws, 1008, "read timed out");
	/* Said, but not waited for: it is silent. */
	write_now(ws);
	finish(ws);
	settle(ws);
	leave(ws);
}

static void on_write_late(struct loop_timer *t)
{
	struct websocket *ws = container_of(t, struct websocket, write_timer);
	struct err e;

	enter(ws);
	err_set(&e, ERR_TIMEOUT, "write timed out: the peer did not take a message in time");
	lose(ws, &e);
	settle(ws);
	leave(ws);
}

/* -- for the user ------------------------------------------------------------------------------------- */

struct websocket *websocket_new(const struct websocket_config *cfg, const struct websocket_callbacks *cb, void *arg)
{
	static const struct wslay_frame_callbacks io = {
		.send_callback = put_bytes,
		.recv_callback = get_bytes,
		.genmask_callback = make_mask,
	};
	struct websocket *ws = xcalloc(1, sizeof(*ws));

	ws->loop = cfg->loop;
	ws->transport = cfg->transport;
	ws->cb = *cb;
	ws->arg = arg;
	ws->is_client = cfg->is_client;
	ws->message_max = cfg->message_max;
	ws->read_timeout_ns = cfg->read_timeout_ns;
	ws->write_timeout_ns = cfg->write_timeout_ns;
	ws->threshold = cfg->deflate.threshold;
	ws->marks_end = &ws->marks;
	if (cfg->deflate.on)
		ws->coders = websocket_coders_new(&cfg->deflate, cfg->is_client);
	if (wslay_frame_context_init(&ws->frames, &io, ws) != 0)
		abort(); /* out of memory, as xcalloc() has it */
	buf_add(&ws->held, cfg->early, cfg->nearly);
	loop_timer_init(&ws->kick, ws->loop, on_kick);
	loop_timer_init(&ws->close_timer, ws->loop, on_close_late);
	loop_timer_init(&ws->read_timer, ws->loop, on_read_late);
	loop_timer_init(&ws->write_timer, ws->loop, on_write_late);
	ws->poll = loop_poll_new(ws->loop, transport_fd(ws->transport), 0, on_ready, ws);
	/* TLS may have decrypted more than the handshake took. */
	ws->input_full = true;
	arm_read_timer(ws);
	kick(ws);
	return ws;
}

void websocket_free(struct websocket *ws)
{
	if (!ws || ws->freed)
		return;
	drop(ws);
	loop_timer_stop(&ws->kick);
	while (ws->marks) {
		struct mark *m = ws->marks;

		ws->marks = m->next;
		free(m);
	}
	ws->freed = true;
	if (ws->depth == 0)
		destroy(ws);
}

static void add_mark(struct websocket *ws, void (*sent)(void *, int), void *arg)
{
	struct mark *m;

	if (!sent && !ws->write_timeout_ns)
		return;
	m = xcalloc(1, sizeof(*m));
	m->end = ws->queued;
	m->due_ns = ws->write_timeout_ns ? loop_clock_ns() + ws->write_timeout_ns : 0;
	m->sent = sent;
	m->arg = arg;
	*ws->marks_end = m;
	ws->marks_end = &m->next;
	if (ws->marks == m)
		arm_write_timer(ws);
}

bool websocket_send(struct websocket *ws, bool is_binary, const void *data, size_t len, void (*sent)(void *arg, int rc),
	void *sent_arg)
{
	uint8_t opcode = is_binary ? WSLAY_BINARY_FRAME : WSLAY_TEXT_FRAME;
	struct buf small = BUF_INIT;

	if (ws->state != STATE_OPEN)
		return false;
	if (ws->coders && len >= ws->threshold && websocket_deflate_message(ws->coders, data, len, &small))
		put_frame(ws, opcode, RSV_DEFLATE, buf_data(&small), buf_len(&small));
	else
		put_frame(ws, opcode, 0, data, len);
	buf_done(&small);
	add_mark(ws, sent, sent_arg);
	return true;
}

bool websocket_ping(struct websocket *ws, const void *data, size_t len)
{
	if (ws->state != STATE_OPEN || len > CONTROL_MAX)
		return false;
	put_frame(ws, WSLAY_PING, 0, data, len);
	return true;
}

bool websocket_flush(struct websocket *ws, void (*sent)(void *arg, int rc), void *sent_arg)
{
	if (ws->state != STATE_OPEN)
		return false;
	add_mark(ws, sent, sent_arg);
	kick(ws);
	return true;
}

size_t websocket_pending(const struct websocket *ws)
{
	return buf_len(&ws->out);
}

void websocket_close(struct websocket *ws, unsigned code, const char *reason)
{
	if (ws->state != STATE_OPEN)
		return;
	if (code == 1005 || code == 1006 || code == 1015 || code > UINT16_MAX) {
		struct err e;

		err_set(&e, ERR_CANCELED, "the connection was dropped without a closing handshake");
		lose(ws, &e);
		return;
	}
	put_close(ws, code, reason ? reason : "");
	if (ws->state == STATE_OPEN)
		ws->state = STATE_CLOSING;
	arm_read_timer(ws);
	/* At once, if it can be: the loop may not come round again. What fails here fails later once more. */
	write_now(ws);
}

void websocket_pause(struct websocket *ws)
{
	ws->paused = true;
	arm_read_timer(ws);
}

void websocket_resume(struct websocket *ws)
{
	if (!ws->paused)
		return;
	ws->paused = false;
	arm_read_timer(ws);
	kick(ws);
}

void websocket_accept_key(const char *key, char out[static WEBSOCKET_ACCEPT_SIZE])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	unsigned char digest[SHA_DIGEST_LENGTH];
	struct buf text = BUF_INIT;

	buf_adds(&text, key);
	buf_adds(&text, guid);
	SHA1((const unsigned char *)buf_data(&text), buf_len(&text), digest);
	buf_clear(&text);
	base64_encode(&text, digest, sizeof(digest));
	assert(buf_len(&text) == WEBSOCKET_ACCEPT_SIZE - 1);
	memcpy(out, buf_str(&text), WEBSOCKET_ACCEPT_SIZE);
	buf_done(&text);
}
