/*
 * response.c - the answer of an exchange: collected, seen by middlewares, handed to libmicrohttpd.
 *
 * Until the head leaves everything is held in x->out. Then either all is known and goes in one block with its length, or libmicrohttpd pulls from x->out
 * and the connection is suspended whenever that runs empty.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http/server_private.h"
#include "http/sniff.h"

enum { BLOCK_BYTES = 32 * 1024 };

/* -- header fields ----------------------------------------------------------------------------------- */

static bool is_token(const char *s)
{
	size_t n = strspn(s, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return n > 0 && s[n] == '\0';
}

const char *exchange_out_field(const struct exchange *x, const char *name)
{
	for (size_t i = 0; i < x->nout_fields; i++)
		if (strcasecmp(x->out_fields[i].name, name) == 0)
			return x->out_fields[i].value;
	return NULL;
}

void exchange_drop_field(struct exchange *x, const char *name)
{
	size_t k = 0;

	for (size_t i = 0; i < x->nout_fields; i++) {
		if (strcasecmp(x->out_fields[i].name, name) == 0) {
			free(x->out_fields[i].name);
			free(x->out_fields[i].value);
		} else {
			x->out_fields[k++] = x->out_fields[i];
		}
	}
	x->nout_fields = k;
}

void exchange_put_field(struct exchange *x, const char *name, const char *value, size_t len, bool add)
{
	struct out_field f = {xstrdup(name), xmemdupz(value, len)};

	for (size_t i = 0; i < len; i++)
		if (f.value[i] == '\r' || f.value[i] == '\n' || f.value[i] == '\0')
			f.value[i] = ' ';
	if (!add)
		exchange_drop_field(x, name);
	x->out_fields = xreallocarray(x->out_fields, x->nout_fields + 1, sizeof(*x->out_fields));
	x->out_fields[x->nout_fields++] = f;
}

static bool set(struct exchange *x, const char *name, const char *value, size_t len, bool add)
{
	if (x->committed || !is_token(name))
		return false;
	exchange_put_field(x, name, value, len == SIZE_MAX ? strlen(value) : len, add);
	return true;
}

bool exchange_set_header(struct exchange *x, const char *name, const char *value, size_t len)
{
	return set(x, name, value, len, false);
}

bool exchange_add_header(struct exchange *x, const char *name, const char *value, size_t len)
{
	return set(x, name, value, len, true);
}

void exchange_remove_header(struct exchange *x, const char *name)
{
	if (!x->committed)
		exchange_drop_field(x, name);
}

const char *exchange_response_header(const struct exchange *x, const char *name)
{
	return exchange_out_field(x, name);
}

/* -- writing ----------------------------------------------------------------------------------------- */

bool exchange_commit(struct exchange *x, unsigned status)
{
	if (x->committed || x->ended || status < 200 || status > 999)
		return false;
	x->committed = true;
	x->status = status;
	return true;
}

bool exchange_is_committed(const struct exchange *x)
{
	return x->committed;
}

unsigned exchange_status(const struct exchange *x)
{
	return x->status;
}

bool exchange_head_left(const struct exchange *x)
{
	return x->head_left;
}

static bool has_no_body(const struct exchange *x)
{
	return x->status == 204 || x->status == 304;
}

void response_push(struct exchange *x)
{
	if (x->raw) {
		raw_push(x);
		return;
	}
	/* A body nobody will read any more is thrown away as it comes, unless that would take long. */
	if (!x->body_complete && !x->discarding) {
		x->discarding = true;
		buf_clear(&x->body);
		if (!x->in_handler && !x->at_head && x->conn && x->length > 0 &&
			(uint64_t)x->length - x->body_received > EXCHANGE_DISCARD_MAX) {
			raw_begin(x);
			return;
		}
	}
	exchange_resume(x);
}

bool exchange_write(struct exchange *x, const void *data, size_t len)
{
	if (x->ended || x->gone)
		return false;
	exchange_commit(x, 200);
	if (has_no_body(x))
		return len == 0;
	if (x->is_head && x->head_left)
		return true;
	if (x->filter && x->heads_ran)
		x->filter(x->filter_state, data, len, MIDDLEWARE_FILTER_WRITE, &x->out);
	else
		buf_add(&x->out, data, len);
	if (!x->leave && buf_len(&x->out) >= x->hold)
		x->leave = x->flushed = true;
	if (x->leave && buf_len(&x->out) > 0)
		response_push(x);
	return true;
}

size_t exchange_pending(const struct exchange *x)
{
	return x->gone ? 0 : buf_len(&x->out);
}

void exchange_on_drain(struct exchange *x, void (*fn)(void *arg), void *arg)
{
	x->drain_fn = fn;
	x->drain_arg = arg;
	if (fn && (x->gone || buf_len(&x->out) <= EXCHANGE_PENDING_LOW))
		exchange_notify(x, EVENT_DRAIN);
}

void exchange_flush(struct exchange *x)
{
	if (x->ended || x->gone)
		return;
	exchange_commit(x, 200);
	if (x->filter && x->heads_ran)
		x->filter(x->filter_state, NULL, 0, MIDDLEWARE_FILTER_FLUSH, &x->out);
	/* A middleware that holds the head back has nothing to decide on yet. */
	if (x->hold > EXCHANGE_HOLD_BYTES && buf_len(&x->out) == 0 && !x->leave)
		return;
	if (!x->leave)
		x->leave = x->flushed = true;
	response_push(x);
}

static void finish_filter(struct exchange *x)
{
	if (x->filter && x->heads_ran && !x->filtered_end) {
		x->filtered_end = true;
		x->filter(x->filter_state, NULL, 0, MIDDLEWARE_FILTER_END, &x->out);
	}
}

void exchange_end(struct exchange *x)
{
	if (x->ended)
		return;
	exchange_commit(x, 200);
	x->ended = true;
	x->leave = true;
	x->body_fn = NULL;
	x->drain_fn = NULL;
	x->gone_fn = NULL;
	finish_filter(x);
	if (!x->gone)
		response_push(x);
	exchange_maybe_over(x);
	exchange_unref(x); /* the handler's */
}

bool exchange_is_ended(const struct exchange *x)
{
	return x->ended;
}

void exchange_abort(struct exchange *x)
{
	if (x->ended)
		return;
	x->dead = true;
	exchange_end(x);
}

void exchange_answer_text(struct exchange *x, unsigned status, const char *text)
{
	if (x->ended)
		return;
	exchange_set_header(x, "Content-Type", "text/plain; charset=utf-8", SIZE_MAX);
	exchange_set_header(x, "X-Content-Type-Options", "nosniff", SIZE_MAX);
	exchange_commit(x, status);
	exchange_write(x, text, strlen(text));
	exchange_write(x, "\n", 1);
	exchange_end(x);
}

bool exchange_send_file(struct exchange *x, int fd, uint64_t offset, uint64_t size)
{
	if (x->ended || x->gone || x->wants_body || x->leave || !x->body_complete || buf_len(&x->out) > 0)
		return false;
	exchange_commit(x, 200);
	if (has_no_body(x))
		return false;
	x->file_fd = fd;
	x->file_offset = offset;
	x->file_size = size;
	exchange_end(x);
	return true;
}

bool exchange_upgrade(struct exchange *x, exchange_upgraded_fn *fn, void *arg)
{
	if (x->committed || x->ended || x->gone || x->is_1_0 || !x->body_complete)
		return false;
	x->committed = true;
	x->status = 101;
	x->upgrade_fn = fn;
	x->upgrade_arg = arg;
	exchange_end(x);
	return true;
}

/* -- to libmicrohttpd -------------------------------------------------------------------------------- */

void response_finish_head(struct exchange *x)
{
	struct buf plain;

	if (x->heads_ran)
		return;
	chain_heads(x);
	x->heads_ran = true;
	if (x->file_fd < 0 && buf_len(&x->out) > 0 && !exchange_out_field(x, "Content-Type") &&
		!exchange_out_field(x, "Content-Encoding") && !exchange_out_field(x, "Transfer-Encoding"))
		middleware_set_header(x, "Content-Type", http_sniff(buf_data(&x->out), buf_len(&x->out)));
	if (!x->filter)
		return;
	plain = x->out;
	x->out = BUF_INIT;
	x->filter(x->filter_state, buf_data(&plain), buf_len(&plain), MIDDLEWARE_FILTER_WRITE, &x->out);
	buf_done(&plain);
	if (x->ended)
		finish_filter(x);
	else
		x->filter(x->filter_state, NULL, 0, MIDDLEWARE_FILTER_FLUSH, &x->out);
}

static ssize_t pull(void *arg, uint64_t pos, char *dst, size_t max)
{
	struct exchange *x = arg;
	size_t n = buf_len(&x->out), before = n;

	(void)pos;
	if (x->dead)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (n == 0 && x->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n == 0) {
		exchange_suspend(x);
		return 0;
	}
	if (n > max)
		n = max;
	memcpy(dst, buf_data(&x->out), n);
	buf_consume(&x->out, n);
	x->sent += n;
	if (x->drain_fn && before - n <= EXCHANGE_PENDING_LOW)
		exchange_notify(x, EVENT_DRAIN);
	return (ssize_t)n;
}

static void pull_over(void *arg)
{
	exchange_unref(arg);
}

bool response_is_framing(const char *name)
{
	return strcasecmp(name, "Transfer-Encoding") == 0 || strcasecmp(name, "Content-Length") == 0 ||
	       strcasecmp(name, "Connection") == 0 || strcasecmp(name, "Keep-Alive") == 0;
}

/* The length the handler promised for a body that streams; -1: none. */
static int64_t promised_length(const struct exchange *x)
{
	const char *s = x->filter ? NULL : exchange_out_field(x, "Content-Length");

	if (!s || !*s || strlen(s) > 18 || strspn(s, "0123456789") != strlen(s))
		return -1;
	return (int64_t)strtoull(s, NULL, 10);
}

static void upgraded(void *arg, struct MHD_Connection *c, void *req, const char *extra, size_t nextra, MHD_socket sock,
	struct MHD_UpgradeResponseHandle *urh)
{
	struct exchange *x = arg;

	(void)c, (void)req;
	/* A descriptor of our own: then libmicrohttpd has nothing more to do with the connection, also when it stops. */
	x->upgraded_fd = fcntl(sock, F_DUPFD_CLOEXEC, 0);
	if (x->upgraded_fd >= 0)
		fcntl(x->upgraded_fd, F_SETFL, fcntl(x->upgraded_fd, F_GETFL) | O_NONBLOCK);
	if (nextra > 0)
		buf_add(&x->upgraded_early, extra, nextra);
	MHD_upgrade_action(urh, MHD_UPGRADE_ACTION_CLOSE);
	exchange_notify(x, EVENT_UPGRADED);
	exchange_unref(x);
}

static void free_block(void *mem)
{
	free(mem);
}

static struct MHD_Response *make(struct exchange *x)
{
	int64_t length = promised_length(x);
	struct MHD_Response *r;
	size_t n;

	if (x->upgrade_fn)
		return MHD_create_response_for_upgrade(upgraded, exchange_ref(x));
	if (x->file_fd >= 0) {
		r = MHD_create_response_from_fd_at_offset64(x->file_size, x->file_fd, x->file_offset);
		if (r) {
			x->file_fd = -1;
			x->sent += x->file_size;
		}
		return r;
	}
	if (x->ended && (!x->flushed || has_no_body(x))) {
		char *block = buf_detach(&x->out, &n);

		/* For HEAD the length of what GET would have sent, where the handler knows it. */
		if (x->is_head && n == 0 && length > 0) {
			free(block);
			return MHD_create_response_from_callback(
				(uint64_t)length, BLOCK_BYTES, pull, exchange_ref(x), pull_over);
		}
		x->sent += n;
		return MHD_create_response_from_buffer_with_free_callback(n, block, free_block);
	}
	return MHD_create_response_from_callback(
		length < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)length, BLOCK_BYTES, pull, exchange_ref(x), pull_over);
}

enum MHD_Result response_queue(struct exchange *x, struct MHD_Connection *c)
{
	struct MHD_Response *r;
	const char *connection;
	enum MHD_Result rc;

	response_finish_head(x);
	connection = exchange_out_field(x, "Connection");
	r = make(x);
	if (!r)
		return MHD_NO;
	for (size_t i = 0; i < x->nout_fields; i++)
		if (!response_is_framing(x->out_fields[i].name))
			MHD_add_response_header(r, x->out_fields[i].name, x->out_fields[i].value);
	if (!x->upgrade_fn &&
		(x->close_after || x->worker->stopping || (connection && strcasecmp(connection, "close") == 0)))
		MHD_add_response_header(r, "Connection", "close");
	x->head_left = true;
	rc = MHD_queue_response(c, x->status, r);
	MHD_destroy_response(r);
	return rc;
}
