/*
 * websocket_in.c - what comes into a WebSocket: ws_read_some() -> take_input() -> wslay_frame_recv() -> take_chunk() -> a message, a control frame, or a breach().
 */
#include "http/websocket_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static void breach(struct websocket *ws, unsigned code, const char *what)
{
	struct err e;
	bool says_so = ws->state == STATE_OPEN;

	err_set(&e, ERR_INTERNAL, "%s", what);
	err_code(&e, code == 1009 ? "message_too_big" : "protocol_error");
	ws_fail(ws, code, &e);
	ws->state = STATE_BREACHED;
	buf_done(&ws->message);
	buf_done(&ws->held);
	loop_timer_stop(&ws->read_timer);
	if (says_so)
		ws_put_close(ws, code, what);
}

static void breach_limit(struct websocket *ws)
{
	char text[64];

	snprintf(text, sizeof(text), "read limited at %zu bytes", ws->message_max);
	breach(ws, 1009, text);
}

void ws_arm_read_timer(struct websocket *ws)
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
	ws_arm_read_timer(ws);
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
		ws_put_close(ws, code, "");
	if (ws->state != STATE_OVER)
		ws->state = STATE_ANSWERED;
	loop_timer_stop(&ws->read_timer);
}

static void take_control(struct websocket *ws, uint8_t opcode)
{
	switch (opcode) {
	case WSLAY_PING:
		if (ws->state == STATE_OPEN)
			ws_put_pong(ws, ws->control, ws->ncontrol);
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
ssize_t ws_get_bytes(uint8_t *into, size_t len, int flags, void *arg)
{
	struct websocket *ws = arg;
	size_t n = ws->nfeed < len ? ws->nfeed : len;

	(void)flags;
	memcpy(into, ws->feed, n);
	ws->feed += n;
	ws->nfeed -= n;
	return (ssize_t)n;
}

bool ws_wants_frames(const struct websocket *ws)
{
	return !ws->freed && ((ws->state == STATE_OPEN && !ws->paused) || ws->state == STATE_CLOSING);
}

static void take_input(struct websocket *ws, const void *data, size_t len)
{
	ws->feed = data;
	ws->nfeed = len;
	while (ws_wants_frames(ws)) {
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
void ws_take_held(struct websocket *ws)
{
	struct buf held = ws->held;

	ws->held = BUF_INIT;
	take_input(ws, buf_data(&held), buf_len(&held));
	buf_done(&held);
}

bool ws_wants_bytes(const struct websocket *ws)
{
	return ws_wants_frames(ws) || ws->state == STATE_BREACHED;
}

static void lose_end(struct websocket *ws)
{
	struct err e;

	err_set(&e, ERR_UNAVAILABLE, "EOF (the peer ended the connection without a close frame)");
	err_code(&e, "eof");
	ws_lose(ws, &e);
}

void ws_read_some(struct websocket *ws)
{
	unsigned char piece[READ_PIECE];

	/* Older than what the transport has: the loop may come here before the kick that resuming asked for. */
	if (buf_len(&ws->held) > 0 && ws_wants_frames(ws))
		ws_take_held(ws);
	ws->input_full = false;
	for (unsigned i = 0; ws_wants_bytes(ws); i++) {
		ssize_t n;

		/* Others have their turn; the descriptor may not say that there is more. */
		if (i == READS_PER_TURN) {
			ws->input_full = true;
			ws_kick(ws);
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
			ws_lose(ws, transport_error(ws->transport));
			return;
		}
		if (ws->state != STATE_BREACHED)
			take_input(ws, piece, (size_t)n);
		if ((size_t)n < sizeof(piece))
			return;
		ws->input_full = ws->paused;
	}
}
