#include "http/exchange.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/block_cache.h"
#include "http/server_private.h"

/* -- life -------------------------------------------------------------------------------------------- */

static void run_events(struct loop_post *post);

/* The path of a target: all of it, or what follows the authority of an absolute form (RFC 9112 section 3.2.2). */
static const char *find_path(const char *target)
{
	const char *p = target, *slash;

	if (*p == '/')
		return p;
	p = strstr(p, "://") + 3;
	slash = p + strcspn(p, "/?#");
	return slash;
}

static size_t align(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

/* Cut the head into texts, in its copy: every one is followed by at least one byte of the line. */
static void cut_head(struct exchange *x, const struct request_parse *p, char *head)
{
	for (uint32_t i = 0; i < p->nfields; i++) {
		const struct request_field *f = &p->fields[i];

		head[f->name.at + f->name.len] = '\0';
		head[f->value.at + f->value.len] = '\0';
		x->fields[i] =
			(struct exchange_field){head + f->name.at, head + f->value.at, f->name.len, f->value.len};
	}
	x->nfields = p->nfields;
	head[p->method.at + p->method.len] = '\0';
	head[p->target.at + p->target.len] = '\0';
	x->method = head + p->method.at;
	x->target = head + p->target.at;
	x->host = p->host == UINT32_MAX ? "" : x->fields[p->host].value;
}

/* `spare` has room for the target twice. */
static void split_target(struct exchange *x, char *spare)
{
	const char *path = find_path(x->target);
	size_t len = strcspn(path, "?#");
	struct buf decoded = BUF_INIT;

	x->query = path[len] == '?' ? path + len + 1 : "";
	if (len == 0) {
		x->raw_path = x->path = "/";
		return;
	}
	x->raw_path = path;
	if (path[len] != '\0') {
		memcpy(spare, path, len);
		spare[len] = '\0';
		x->raw_path = spare;
		spare += len + 1;
	}
	x->path = x->raw_path;
	if (!memchr(path, '%', len))
		return;
	route_decode(&decoded, x->raw_path, len);
	memcpy(spare, buf_str(&decoded), buf_len(&decoded) + 1);
	buf_done(&decoded);
	x->path = spare;
}

struct exchange *exchange_new(struct server_worker *w, struct conn *c, const char *head)
{
	const struct request_parse *p = c->parse;
	size_t nfields = p->nfields * sizeof(struct exchange_field);
	size_t bytes = nfields + align(p->head_len) + 2 * ((size_t)p->target.len + 1);
	struct exchange *x = block_alloc(sizeof(*x));
	char *block = block_alloc(bytes);

	memset(x, 0, offsetof(struct exchange, few));
	x->texts_bytes = bytes;
	x->refs = 1;
	x->worker = w;
	x->conn = c;
	x->site = http_site_ref(w->site);
	x->peer = peer_ref(c->peer);
	x->fields = (struct exchange_field *)block;
	memcpy(block + nfields, head, p->head_len);
	cut_head(x, p, block + nfields);
	split_target(x, block + nfields + align(p->head_len));
	x->length = p->length;
	x->is_1_0 = p->is_1_0;
	x->is_head = strcmp(x->method, "HEAD") == 0;
	x->expects_continue = p->expects_continue;
	x->keep_alive = p->keep_alive;
	x->upgrades = p->upgrades;
	x->begun_ns = loop_now_ns(w->loop);
	x->body_max = UINT64_MAX;
	x->hold = EXCHANGE_HOLD_BYTES;
	x->file_fd = -1;
	x->out_fields = x->few;
	x->out_fields_cap = EXCHANGE_OUT_FIELDS;
	x->post.run = run_events;
	return x;
}

struct exchange *exchange_ref(struct exchange *x)
{
	if (x)
		x->refs++;
	return x;
}

void exchange_unref(struct exchange *x)
{
	if (!x || --x->refs > 0)
		return;
	for (unsigned i = 0; i < x->nattached; i++)
		if (x->attached[i].free_fn)
			x->attached[i].free_fn(x->attached[i].object);
	if (x->filter_free)
		x->filter_free(x->filter_state);
	exchange_free_fields(x);
	for (size_t i = 0; i < x->nparams; i++)
		free(x->params[i].value);
	if (x->file_fd >= 0)
		close(x->file_fd);
	transport_close(x->upgraded);
	buf_done(&x->upgraded_early);
	buf_done(&x->body);
	buf_done(&x->out);
	free(x->params);
	block_free(x->fields, x->texts_bytes);
	free(x->remote);
	peer_unref(x->peer);
	http_site_unref(x->site);
	block_free(x, sizeof(*x));
}

/* -- the request ------------------------------------------------------------------------------------- */

const char *exchange_method(const struct exchange *x)
{
	return x->method;
}

const char *exchange_path(const struct exchange *x)
{
	return x->path;
}

const char *exchange_query(const struct exchange *x)
{
	return x->query;
}

const char *exchange_host(const struct exchange *x)
{
	return x->host;
}

bool exchange_is_http_1_0(const struct exchange *x)
{
	return x->is_1_0;
}

bool exchange_is_tls(const struct exchange *x)
{
	return x->peer->is_tls;
}

bool exchange_is_head(const struct exchange *x)
{
	return x->is_head;
}

const char *exchange_remote(const struct exchange *x)
{
	return x->remote ? x->remote : x->peer->address;
}

void exchange_set_remote(struct exchange *x, const char *remote)
{
	char *copy = xstrdup(remote);

	free(x->remote);
	x->remote = copy;
}

const struct value *exchange_identity(const struct exchange *x)
{
	return x->peer->identity;
}

const char *exchange_client_subject(const struct exchange *x, bool *ret_verified)
{
	if (ret_verified)
		*ret_verified = x->peer->is_verified;
	return x->peer->subject ? x->peer->subject : "";
}

size_t exchange_nheaders(const struct exchange *x)
{
	return x->nfields;
}

const struct exchange_field *exchange_header_at(const struct exchange *x, size_t i)
{
	return &x->fields[i];
}

const char *exchange_header(const struct exchange *x, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < x->nfields; i++)
		if (x->fields[i].name_len == len && strcasecmp(x->fields[i].name, name) == 0)
			return x->fields[i].value;
	return NULL;
}

bool exchange_header_joined(const struct exchange *x, const char *name, struct buf *out)
{
	bool found = false;

	for (size_t i = 0; i < x->nfields; i++) {
		if (strcasecmp(x->fields[i].name, name) != 0)
			continue;
		if (found)
			buf_adds(out, ", ");
		buf_add(out, x->fields[i].value, x->fields[i].value_len);
		found = true;
	}
	return found;
}

/* -- its body ---------------------------------------------------------------------------------------- */

int64_t exchange_content_length(const struct exchange *x)
{
	return x->length;
}

static bool is_too_large(const struct exchange *x)
{
	if (x->length > 0 && (uint64_t)x->length > x->body_max)
		return true;
	return x->body_taken >= x->body_max && buf_len(&x->body) > 0;
}

static enum exchange_body look(const struct exchange *x)
{
	if (is_too_large(x))
		return EXCHANGE_BODY_TOO_LARGE;
	if (buf_len(&x->body) > 0)
		return EXCHANGE_BODY_DATA;
	if (x->discarding)
		return EXCHANGE_BODY_GONE;
	if (x->body_complete)
		return EXCHANGE_BODY_END;
	return x->gone || x->ended ? EXCHANGE_BODY_GONE : EXCHANGE_BODY_WAIT;
}

/* A client that expects 100-continue is told to go on, unless it did not wait for that. */
static void want_body(struct exchange *x)
{
	if (x->body_wanted)
		return;
	x->body_wanted = true;
	if (x->expects_continue && !x->body_complete && !x->head_left && buf_len(&x->body) == 0 && x->conn)
		conn_continue(x->conn);
}

enum exchange_body exchange_body_read(struct exchange *x, struct buf *into, size_t max)
{
	enum exchange_body state = look(x);
	size_t n = buf_len(&x->body);

	if (state == EXCHANGE_BODY_TOO_LARGE)
		return state;
	want_body(x);
	if (state != EXCHANGE_BODY_DATA || max == 0)
		return state;
	if (n > max)
		n = max;
	if (n > x->body_max - x->body_taken)
		n = (size_t)(x->body_max - x->body_taken);
	buf_add(into, buf_data(&x->body), n);
	buf_consume(&x->body, n);
	x->body_taken += n;
	if (!x->body_complete && x->conn && buf_len(&x->body) < EXCHANGE_BODY_BUFFER_BYTES / 2)
		conn_read_on(x->conn);
	return EXCHANGE_BODY_DATA;
}

void exchange_body_wait(struct exchange *x, void (*fn)(void *arg), void *arg)
{
	x->body_fn = fn;
	x->body_arg = arg;
	if (!fn)
		return;
	want_body(x);
	if (look(x) != EXCHANGE_BODY_WAIT)
		exchange_notify(x, EVENT_BODY);
}

void exchange_body_limit(struct exchange *x, uint64_t max)
{
	x->body_max = max;
}

uint64_t exchange_body_taken(const struct exchange *x)
{
	return x->body_taken;
}

/* -- events ------------------------------------------------------------------------------------------ */

static void call_once(void (**fn)(void *arg), void *arg)
{
	void (*f)(void *arg) = *fn;

	*fn = NULL;
	if (f)
		f(arg);
}

static void run_events(struct loop_post *post)
{
	struct exchange *x = container_of(post, struct exchange, post);
	unsigned events = x->events;

	x->posted = false;
	x->events = 0;
	if (events & EVENT_UPGRADED) {
		exchange_upgraded_fn *fn = x->upgrade_fn;
		struct transport *t = x->upgraded;

		x->upgrade_fn = NULL;
		x->upgraded = NULL;
		if (fn)
			fn(x->upgrade_arg, t, buf_data(&x->upgraded_early), buf_len(&x->upgraded_early));
		else
			transport_close(t);
	}
	if (!x->ended && (events & EVENT_BODY) && look(x) != EXCHANGE_BODY_WAIT)
		call_once(&x->body_fn, x->body_arg);
	if (!x->ended && (events & EVENT_DRAIN))
		call_once(&x->drain_fn, x->drain_arg);
	if (!x->ended && (events & EVENT_GONE))
		call_once(&x->gone_fn, x->gone_arg);
	exchange_unref(x);
}

void exchange_notify(struct exchange *x, unsigned events)
{
	x->events |= events;
	if (x->posted)
		return;
	x->posted = true;
	exchange_ref(x);
	loop_post(x->worker->loop, &x->post);
}

/* Whoever serves a lost exchange may end it after its server went, so then it is over with its connection. */
static void tell_over(struct exchange *x)
{
	const struct http_server_config *cfg;

	if (x->over_told)
		return;
	x->over_told = true;
	cfg = &x->worker->server->config;
	if (cfg->on_over)
		cfg->on_over(cfg->owner, x);
}

void exchange_lost(struct exchange *x)
{
	if (x->gone)
		return;
	x->gone = true;
	tell_over(x);
	/* Nobody who waits for the chain's turn could end it. */
	if (x->waits_for_middleware && !x->ended)
		exchange_end(x);
	if (x->upgrade_fn)
		exchange_notify(x, EVENT_UPGRADED);
	if (!x->ended)
		exchange_notify(x, EVENT_BODY | EVENT_DRAIN | EVENT_GONE);
}

void exchange_on_gone(struct exchange *x, void (*fn)(void *arg), void *arg)
{
	x->gone_fn = fn;
	x->gone_arg = arg;
	if (fn && x->gone)
		exchange_notify(x, EVENT_GONE);
}

bool exchange_is_gone(const struct exchange *x)
{
	return x->gone;
}

void exchange_leave_at_eof(struct exchange *x)
{
	x->leaves_at_eof = true;
	if (x->conn && x->conn->eof)
		conn_cut(x->conn);
}

void exchange_maybe_over(struct exchange *x)
{
	if (x->over || !x->ended || x->conn)
		return;
	x->over = true;
	chain_ends(x);
	tell_over(x);
}

/* -- where it belongs -------------------------------------------------------------------------------- */

struct loop *exchange_loop(const struct exchange *x)
{
	return x->worker->loop;
}

void *exchange_owner(const struct exchange *x)
{
	return x->worker->server->config.owner;
}

uint64_t exchange_begun_ns(const struct exchange *x)
{
	return x->begun_ns;
}

uint64_t exchange_bytes_sent(const struct exchange *x)
{
	return x->sent;
}

int exchange_nparams(const struct exchange *x)
{
	return x->is_routed ? (int)x->nparams : -1;
}

const char *exchange_param_at(const struct exchange *x, int i, const char **ret_name)
{
	if (ret_name)
		*ret_name = x->params[i].name;
	return x->params[i].value;
}

const char *exchange_param(const struct exchange *x, const char *name)
{
	for (size_t i = 0; x->is_routed && i < x->nparams; i++)
		if (strcmp(x->params[i].name, name) == 0)
			return x->params[i].value;
	return NULL;
}

const char *exchange_route(const struct exchange *x)
{
	return x->is_routed ? x->route : NULL;
}

const char *exchange_endpoint(const struct exchange *x)
{
	return x->is_routed ? x->target_of->id : NULL;
}

/* -- attached things --------------------------------------------------------------------------------- */

void exchange_attach(struct exchange *x, const void *key, void *object, void (*free_fn)(void *object))
{
	for (unsigned i = 0; i < x->nattached; i++) {
		struct attached a = x->attached[i];

		if (a.key != key)
			continue;
		x->attached[i] = x->attached[--x->nattached];
		if (a.free_fn)
			a.free_fn(a.object);
		break;
	}
	if (!object)
		return;
	assert(x->nattached < EXCHANGE_ATTACHED_MAX);
	x->attached[x->nattached++] = (struct attached){key, object, free_fn};
}

void *exchange_attached(const struct exchange *x, const void *key)
{
	for (unsigned i = 0; i < x->nattached; i++)
		if (x->attached[i].key == key)
			return x->attached[i].object;
	return NULL;
}
