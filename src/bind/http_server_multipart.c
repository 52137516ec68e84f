/*
 * http_server_multipart.c - parse_multipart() and the files it gives.
 *
 * Bytes are parsed on the worker as they arrive, unless they may have to be written to disk: then on the thread pool, a portion at a time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/http_server.h"
#include "bind/http_server_form.h"
#include "bind/stream.h"
#include "engine/lua_api.h"
#include "http/canonical.h"
#include "http/multipart.h"
#include "loop/loop.h"

enum { MAX_MEMORY = 32 * 1024 * 1024, PORTION = 64 * 1024, NAME_MAX_BYTES = 128 };

static const uint64_t max_memory_max = (uint64_t)1 << 31;

/* -- files ------------------------------------------------------------------------------------------------ */

static const char file_type[] = "http.MultipartFile";

struct file_object {
	uint64_t number; /* current_number() of its call */
	size_t index;
};

/* NULL: the call is over. */
static struct http_form *check_file(lua_State *L, size_t *ret_index, struct http_form_part *ret_part)
{
	struct file_object *o = handle_check(L, 1, file_type);
	struct exchange *x = http_exchange_of_call(L, o->number);
	struct http_form *f = x ? http_handler_of(x)->form : NULL;

	*ret_index = o->index;
	if (f)
		http_form_part(f, o->index, ret_part);
	return f;
}

static int l_name(lua_State *L)
{
	struct http_form_part part;
	size_t i;

	if (!check_file(L, &i, &part))
		return http_push_no_request(L);
	lua_pushstring(L, part.filename);
	lua_pushnil(L);
	return 2;
}

static int l_size(lua_State *L)
{
	struct http_form_part part;
	size_t i;

	if (!check_file(L, &i, &part))
		return http_push_no_request(L);
	lua_pushinteger(L, part.size);
	lua_pushnil(L);
	return 2;
}

static int l_header(lua_State *L)
{
	struct http_form_part part;
	char name[NAME_MAX_BYTES];
	const char *at, *end, *asked;
	size_t i, len;
	bool open;

	open = check_file(L, &i, &part) != NULL;
	luaL_checktype(L, 2, LUA_TSTRING);
	asked = lua_tolstring(L, 2, &len);
	if (!open)
		return http_push_no_request(L);
	lua_pushnil(L);
	if (len >= sizeof(name) || strlen(asked) != len)
		return 1;
	memcpy(name, asked, len + 1);
	http_canonical_name(name);
	for (at = part.fields, end = at + part.fields_len; at < end; at += strlen(at) + 1) {
		bool found = strcmp(at, name) == 0;

		at += strlen(at) + 1;
		if (found) {
			lua_pushstring(L, at);
			return 1;
		}
	}
	return 1;
}

static int l_tostring(lua_State *L)
{
	struct http_form_part part;
	size_t i;

	if (check_file(L, &i, &part))
		lua_pushfstring(L, "http.MultipartFile{name=%s, size=%I}", part.filename, (LUAI_UACINT)(part.size));
	else
		lua_pushliteral(L, "http.MultipartFile{over}");
	return 1;
}

/* -- their streams ------------------------------------------------------------------------------------------ */

struct file_source {
	struct stream_source base;
	struct http_form *form; /* a reference */
	size_t index;
	int64_t position;
	int64_t size;
	bool in_memory;
	struct loop *loop;
	struct file_read *reading;
};

/* On the pool. */
struct file_read {
	struct http_form *form; /* a reference */
	size_t index;
	int64_t offset;
	size_t max;
	struct buf bytes;
	struct file_source *source; /* NULL: nobody waits any more */
	struct stream_op *op;
	int rc;
	struct err err;
};

static struct file_source *source_of(struct stream_source *s)
{
	return container_of(s, struct file_source, base);
}

static void read_work(void *arg)
{
	struct file_read *r = arg;
	size_t n = 0;

	r->rc = http_form_read(r->form, r->index, r->offset, buf_reserve(&r->bytes, r->max), r->max, &n, &r->err);
	if (r->rc == 0)
		buf_commit(&r->bytes, n);
}

static void read_over(void *arg)
{
	struct file_read *r = arg;

	if (r->source) {
		r->source->reading = NULL;
		r->source->position += (int64_t)buf_len(&r->bytes);
		buf_done(&r->op->data);
		r->op->data = r->bytes;
		buf_init(&r->bytes);
		if (r->rc < 0)
			stream_op_fail(r->op, &r->err);
		else
			stream_op_done(r->op);
	}
	buf_done(&r->bytes);
	http_form_unref(r->form);
	free(r);
}

static void source_read(struct stream_source *s, struct stream_op *op)
{
	struct file_source *f = source_of(s);
	struct file_read *r = xcalloc(1, sizeof(*r));

	r->form = http_form_ref(f->form);
	r->index = f->index;
	r->offset = f->position;
	r->max = op->max < STREAM_READ_MAX ? op->max : STREAM_READ_MAX;
	r->source = f;
	r->op = op;
	f->reading = r;
	if (op->may_wait && !f->in_memory) {
		loop_work(f->loop, read_work, read_over, r);
	} else {
		read_work(r);
		read_over(r);
	}
}

static void source_seek(struct stream_source *s, struct stream_op *op)
{
	struct file_source *f = source_of(s);
	int64_t base = op->whence == SEEK_CUR ? f->position : op->whence == SEEK_END ? f->size : 0;
	int64_t to;
	struct err e;

	if (__builtin_add_overflow(base, op->n, &to) || to < 0) {
		err_set(&e, ERR_INTERNAL, "negative position");
		stream_op_fail(op, &e);
		return;
	}
	f->position = op->n = to;
	stream_op_done(op);
}

static void source_stat(struct stream_source *s, struct stream_op *op)
{
	struct file_source *f = source_of(s);

	op->n = f->size;
	op->position = f->position;
	stream_op_done(op);
}

static void source_cancel(struct stream_source *s, struct stream_op *op)
{
	struct file_source *f = source_of(s);

	(void)op;
	if (f->reading)
		f->reading->source = NULL;
	f->reading = NULL;
}

static void source_free(struct stream_source *s)
{
	struct file_source *f = source_of(s);

	http_form_unref(f->form);
	free(f);
}

static const struct stream_ops file_ops = {
	.read = source_read,
	.seek = source_seek,
	.stat = source_stat,
	.cancel = source_cancel,
	.free = source_free,
};

static int l_stream(lua_State *L)
{
	struct http_form_part part;
	size_t i;
	struct http_form *form = check_file(L, &i, &part);
	struct file_source *f;
	struct err e;

	if (!form) {
		err_set(&e, ERR_INTERNAL, "failed to open file");
		return push_nil_and_err(L, &e);
	}
	f = xcalloc(1, sizeof(*f));
	f->base.ops = &file_ops;
	f->base.readable = f->base.seekable = true;
	f->form = http_form_ref(form);
	f->index = i;
	f->size = part.size;
	f->in_memory = part.data != NULL;
	f->loop = current_loop(L);
	stream_push(L, &f->base);
	lua_pushnil(L);
	return 2;
}

void http_multipart_register(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"header", l_header},
		{"name", l_name},
		{"size", l_size},
		{"stream", l_stream},
		{NULL, NULL},
	};

	handle_register(L, file_type, methods, NULL);
	luaL_getmetatable(L, file_type);
	lua_pushcfunction(L, l_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pop(L, 1);
}

/* -- the form as tables ---------------------------------------------------------------------------------------- */

static void push_file(lua_State *L, int files, const struct http_form_part *part, size_t i)
{
	struct file_object *o;

	if (lua_getfield(L, files, part->name) == LUA_TNIL) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushvalue(L, -1);
		lua_setfield(L, files, part->name);
	}
	o = handle_new(L, file_type, sizeof(*o));
	o->number = current_number(L);
	o->index = i;
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	lua_pop(L, 1);
}

static int push_form(lua_State *L, const struct http_form *f)
{
	int top = lua_gettop(L);

	luaL_checkstack(L, 8, NULL);
	lua_createtable(L, 0, 2);
	lua_newtable(L);
	lua_newtable(L);
	for (size_t i = 0; i < http_form_count(f); i++) {
		struct http_form_part part;

		http_form_part(f, i, &part);
		if (part.filename) {
			push_file(L, top + 3, &part, i);
			continue;
		}
		lua_pushstring(L, part.name);
		lua_pushlstring(L, part.data, (size_t)part.size);
		http_gather(L, top + 2);
	}
	lua_setfield(L, top + 1, "files");
	lua_setfield(L, top + 1, "values");
	lua_pushnil(L);
	return 2;
}

/* -- taking it in ------------------------------------------------------------------------------------------------ */

struct parse {
	struct pending pending;
	struct exchange *exchange; /* a reference */
	struct loop *loop;
	struct http_form *form; /* a reference */
	struct buf portion;
	bool on_pool; /* then only the pool touches form, portion, rc and err */
	bool dropped; /* nobody waits any more */
	bool waits;   /* the coroutine does */
	bool over;
	int rc;
	struct err err;
};

static void parse_free(struct parse *p)
{
	exchange_body_wait(p->exchange, NULL, NULL);
	exchange_unref(p->exchange);
	http_form_unref(p->form);
	buf_done(&p->portion);
	free(p);
}

static void parse_pump(struct parse *p);

static void parse_cancel(struct pending *pending)
{
	struct parse *p = container_of(pending, struct parse, pending);

	if (p->on_pool)
		p->dropped = true;
	else
		parse_free(p);
}

static void parse_over(struct parse *p, int rc)
{
	p->rc = rc;
	p->over = true;
	if (p->waits)
		pending_ready(&p->pending);
}

static void feed(struct parse *p)
{
	p->rc = http_form_feed(p->form, buf_data(&p->portion), buf_len(&p->portion), &p->err);
	buf_clear(&p->portion);
}

static void pool_work(void *arg)
{
	feed(arg);
}

static void pool_over(void *arg)
{
	struct parse *p = arg;

	p->on_pool = false;
	if (p->dropped)
		parse_free(p);
	else if (p->rc < 0)
		parse_over(p, -1);
	else
		parse_pump(p);
}

static void on_more(void *arg)
{
	parse_pump(arg);
}

static void parse_pump(struct parse *p)
{
	for (;;) {
		switch (http_body_read(p->exchange, &p->portion, PORTION)) {
		case EXCHANGE_BODY_DATA:
			if (http_form_may_block(p->form, buf_len(&p->portion))) {
				p->on_pool = true;
				loop_work(p->loop, pool_work, pool_over, p);
				return;
			}
			feed(p);
			if (p->rc < 0) {
				parse_over(p, -1);
				return;
			}
			break;
		case EXCHANGE_BODY_WAIT:
			exchange_body_wait(p->exchange, on_more, p);
			return;
		case EXCHANGE_BODY_END:
			parse_over(p, http_form_end(p->form, &p->err));
			return;
		case EXCHANGE_BODY_TOO_LARGE:
			parse_over(p, err_set(&p->err, ERR_INVALID, "request body too large"));
			return;
		case EXCHANGE_BODY_GONE:
			parse_over(p, err_set(&p->err, ERR_INTERNAL, "the client left before the end of the body"));
			return;
		}
	}
}

static int push_failed(lua_State *L, const char *cause)
{
	return http_push_err_cause(L, ERR_INTERNAL, "failed to parse multipart form", cause);
}

static int parse_finish(lua_State *L, struct pending *pending)
{
	struct parse *p = container_of(pending, struct parse, pending);
	struct exchange *x = p->exchange; /* lives as long as the call */
	struct http_form *form;

	if (p->rc < 0) {
		struct err e = p->err;

		parse_free(p);
		return push_failed(L, e.text);
	}
	form = http_handler_of(x)->form = p->form;
	p->form = NULL;
	parse_free(p);
	return push_form(L, form);
}

int http_request_parse_multipart(lua_State *L)
{
	static const char form_data[] = "multipart/form-data";
	char boundary[MULTIPART_BOUNDARY_MAX + 1];
	lua_Number want = luaL_optnumber(L, 2, MAX_MEMORY);
	struct exchange *x;
	struct http_handler *h;
	const char *type;
	struct parse *p;
	struct err e;

	http_check_request(L, &x);
	if (!x)
		return http_push_no_request(L);
	h = http_handler_of(x);
	if (h->form)
		return push_form(L, h->form);
	type = exchange_header(x, "Content-Type");
	if (!type || strncmp(type, form_data, strlen(form_data)) != 0) {
		err_set(&e, ERR_INVALID, "content type is not multipart/form-data");
		return push_nil_and_err(L, &e);
	}
	if (h->body_taken)
		return push_failed(L, "the body was read already");
	if (!multipart_boundary(type, boundary))
		return push_failed(L, "the content type has no usable boundary");
	if (!wait_is_possible(L)) /* before anything was read */
		return raise_text(L, "parse_multipart() cannot wait here: call it from a function");
	h->body_taken = true;
	p = xcalloc(1, sizeof(*p));
	p->pending.cancel = parse_cancel;
	p->exchange = exchange_ref(x);
	p->loop = exchange_loop(x);
	p->form = http_form_new(boundary, !(want >= 0)                        ? MAX_MEMORY
					  : want < (lua_Number)max_memory_max ? (uint64_t)want
									      : max_memory_max);
	parse_pump(p);
	if (p->over)
		return parse_finish(L, &p->pending);
	p->waits = true;
	return wait_for(L, &p->pending, parse_finish);
}
