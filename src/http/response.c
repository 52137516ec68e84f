/*
 * response.c - the answer of an exchange as handlers and middlewares say it.
 *
 * Until the head leaves everything is held in x->out. Then either all is known and goes in one piece with its length, or what is there goes as it comes:
 * at a flush at once, else at the end of the turn or when much has gathered.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "http/server_private.h"
#include "http/token.h"

enum { GATHER_BYTES = 64 * 1024 };

/* -- header fields ----------------------------------------------------------------------------------- */

const char *exchange_out_field(const struct exchange *x, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < x->nout_fields; i++)
		if (x->out_fields[i].name_len == len && strcasecmp(x->out_fields[i].name, name) == 0)
			return x->out_fields[i].value;
	return NULL;
}

void exchange_drop_field(struct exchange *x, const char *name)
{
	size_t k = 0, len = strlen(name);

	for (size_t i = 0; i < x->nout_fields; i++) {
		if (x->out_fields[i].name_len == len && strcasecmp(x->out_fields[i].name, name) == 0)
			free(x->out_fields[i].name);
		else
			x->out_fields[k++] = x->out_fields[i];
	}
	x->nout_fields = k;
}

void exchange_free_fields(struct exchange *x)
{
	for (size_t i = 0; i < x->nout_fields; i++)
		free(x->out_fields[i].name);
	if (x->out_fields != x->few)
		free(x->out_fields);
}

static void make_room(struct exchange *x)
{
	size_t cap = x->out_fields_cap * 2;

	if (x->nout_fields < x->out_fields_cap)
		return;
	if (x->out_fields == x->few) {
		x->out_fields = xreallocarray(NULL, cap, sizeof(*x->out_fields));
		memcpy(x->out_fields, x->few, sizeof(x->few));
	} else {
		x->out_fields = xreallocarray(x->out_fields, cap, sizeof(*x->out_fields));
	}
	x->out_fields_cap = cap;
}

void exchange_put_field(struct exchange *x, const char *name, const char *value, size_t len, bool add)
{
	size_t nlen = strlen(name);
	struct out_field f = {.name = xmalloc(nlen + len + 2), .name_len = (uint32_t)nlen, .value_len = (uint32_t)len};

	f.value = f.name + nlen + 1;
	memcpy(f.name, name, nlen + 1);
	memcpy(f.value, value, len);
	f.value[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if (f.value[i] == '\r' || f.value[i] == '\n' || f.value[i] == '\0')
			f.value[i] = ' ';
	if (!add)
		exchange_drop_field(x, name);
	make_room(x);
	x->out_fields[x->nout_fields++] = f;
}

static bool set(struct exchange *x, const char *name, const char *value, size_t len, bool add)
{
	if (x->committed || *name == '\0' || name[http_token_len(name, strlen(name))] != '\0')
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

bool response_has_no_body(const struct exchange *x)
{
	return x->status == 204 || x->status == 304;
}

/* Something is there to send, or the end. */
static void push(struct exchange *x, bool later)
{
	if (!x->conn)
		return;
	/* A body nobody will read any more is thrown away as it comes. */
	if (!x->body_complete && !x->discarding) {
		x->discarding = true;
		buf_done(&x->body);
		conn_read_on(x->conn);
	}
	conn_push(x->conn, later);
}

bool exchange_write(struct exchange *x, const void *data, size_t len)
{
	if (x->ended || x->gone)
		return false;
	exchange_commit(x, 200);
	if (response_has_no_body(x))
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
		push(x, buf_len(&x->out) < GATHER_BYTES);
	return true;
}

size_t exchange_pending(const struct exchange *x)
{
	if (x->gone || !x->conn)
		return 0;
	return buf_len(&x->out) + buf_len(&x->conn->out);
}

void exchange_on_drain(struct exchange *x, void (*fn)(void *arg), void *arg)
{
	x->drain_fn = fn;
	x->drain_arg = arg;
	if (fn && (exchange_pending(x) <= EXCHANGE_PENDING_LOW))
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
	push(x, false);
}

void response_finish_filter(struct exchange *x)
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
	response_finish_filter(x);
	if (!x->gone)
		push(x, false);
	exchange_maybe_over(x);
	exchange_unref(x); /* the handler's */
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
	if (response_has_no_body(x))
		return false;
	x->file_fd = fd;
	x->file_offset = offset;
	x->file_size = size;
	exchange_end(x);
	return true;
}

bool exchange_upgrade(struct exchange *x, exchange_upgraded_fn *fn, void *arg)
{
	if (x->committed || x->ended || x->gone || x->is_1_0 || !x->upgrades || !x->body_complete)
		return false;
	x->committed = true;
	x->status = 101;
	x->upgrade_fn = fn;
	x->upgrade_arg = arg;
	exchange_end(x);
	return true;
}
