/*
 * websocket_private.h - what the files of an open WebSocket share; nobody else includes it.
 *
 *   websocket.c      the life of a connection, its place in the loop, the functions of websocket.h
 *   websocket_in.c   frames in
 *   websocket_out.c  frames out
 *
 * Functions of the user run only below enter() and leave() (websocket.c), from callbacks of the loop; what the user calls meanwhile takes notes and arms `kick`.
 */
#ifndef HTTP_WEBSOCKET_PRIVATE_H
#define HTTP_WEBSOCKET_PRIVATE_H

#include <wslay/wslay.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "http/websocket.h"
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
	size_t message_max;
	uint64_t read_timeout_ns;
	uint64_t write_timeout_ns;
	size_t threshold;
	enum state state;
	unsigned depth; /* of callbacks of the loop */
	bool is_client;
	bool paused;
	bool freed; /* inside a callback of the user */

	/* in */
	bool input_full;    /* more may wait inside of the transport */
	bool is_compressed; /* the message under way */
	uint8_t opcode;     /* of it; CODE_NONE between messages */

	/* out */
	bool write_blocked; /* the transport said AGAIN */
	bool shut;          /* the peer knows that nothing more comes */
	bool was_high;      /* `out` was above the mark since `drained` ran */
	bool has_pong;      /* it waits for `out` to become short */
	struct buf out;
	uint64_t queued;  /* bytes ever put into `out` ... */
	uint64_t written; /* ... and of these taken by the system */
	struct mark *marks;
	struct mark **marks_end;
	size_t npong;

	/* in */
	wslay_frame_context_ptr frames;
	const unsigned char *feed; /* what take_input() was given and wslay has not taken */
	size_t nfeed;
	struct buf held; /* bytes not looked at: they came early or before a pause */
	struct websocket_coders *coders;
	struct buf message;    /* the one under way, decompressed */
	uint64_t frame_offset; /* payload bytes of the frame under way that were seen */
	size_t ncontrol;

	/* the end */
	struct err *err; /* NULL: none */
	unsigned code;
	char reason[WEBSOCKET_REASON_MAX + 1];

	unsigned char control[CONTROL_MAX];
	unsigned char pong[CONTROL_MAX];
};

/* -- websocket.c --------------------------------------------------------------------------------------- */

/* Have the loop come round: there is something to do or to say. */
void ws_kick(struct websocket *ws);
/* Note why it ends; the first reason counts. */
void ws_fail(struct websocket *ws, unsigned code, const struct err *e);
/* Let go of the connection; the user hears in a later turn. */
void ws_finish(struct websocket *ws);
/* It broke: both of the above, with 1006. */
void ws_lose(struct websocket *ws, const struct err *e);

/* -- websocket_in.c ------------------------------------------------------------------------------------ */

/* For wslay. */
ssize_t ws_get_bytes(uint8_t *into, size_t len, int flags, void *ws);
bool ws_wants_frames(const struct websocket *ws);
bool ws_wants_bytes(const struct websocket *ws);
/* What the transport has. Callbacks run in here. */
void ws_read_some(struct websocket *ws);
/* What a pause left, here and in wslay's own buffer. Callbacks run in here. */
void ws_take_held(struct websocket *ws);
void ws_arm_read_timer(struct websocket *ws);

/* -- websocket_out.c ----------------------------------------------------------------------------------- */

/* For wslay. */
ssize_t ws_put_bytes(const uint8_t *data, size_t len, int flags, void *ws);
int ws_make_mask(uint8_t *into, size_t len, void *ws);
void ws_put_frame(struct websocket *ws, uint8_t opcode, uint8_t rsv, const void *data, size_t len);
/* Code 0: a close frame without one. */
void ws_put_close(struct websocket *ws, unsigned code, const char *reason);
void ws_put_pong(struct websocket *ws, const void *data, size_t len);
/* Remember who waits for what is queued now. */
void ws_add_mark(struct websocket *ws, void (*sent)(void *arg, int rc), void *arg);
/* As much as goes without a word to the user. */
void ws_write_now(struct websocket *ws);
/* As much as goes in this turn. Callbacks run in here. */
void ws_flush(struct websocket *ws);

#endif
