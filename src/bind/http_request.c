#include "bind/http_request.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/duration.h"
#include "base/secret.h"
#include "bind/denial.h"
#include "bind/http_text.h"
#include "engine/lua_api.h"
#include "http/canonical.h"
#include "http/url.h"
#include "net/addr.h"

static const char build_type[] = "http.build";

enum { PAIRS_MAX = 10000 };

void http_build_done(struct http_build *b)
{
	for (size_t i = 0; i < b->req.nheaders; i++) {
		free(b->headers[i].name);
		free(b->headers[i].value);
	}
	free(b->headers);
	buf_done(&b->url);
	buf_done(&b->body);
	overlay_unref(b->overlay);
	secret_free(b->userinfo);
	secret_free(b->password);
	*b = (struct http_build){0};
}

static int build_gc(lua_State *L)
{
	http_build_done(lua_touserdata(L, 1));
	return 0;
}

void http_build_register(lua_State *L)
{
	static const luaL_Reg none[] = {{NULL, NULL}};

	handle_register(L, build_type, none, build_gc);
}

struct http_build *http_build_push(lua_State *L)
{
	return handle_new(L, build_type, sizeof(struct http_build));
}

static void add_header(struct http_build *b, const char *name, size_t name_len, const char *value, size_t value_len)
{
	if (b->req.nheaders == b->headers_cap) {
		b->headers_cap = b->headers_cap ? 2 * b->headers_cap : 8;
		b->headers = xreallocarray(b->headers, b->headers_cap, sizeof(*b->headers));
	}
	b->headers[b->req.nheaders++] = (struct http_header){xmemdupz(name, name_len), xmemdupz(value, value_len)};
	b->req.headers = b->headers;
}

static struct http_header *find_header(struct http_build *b, const char *name)
{
	for (size_t i = 0; i < b->req.nheaders; i++) {
		if (strcmp(b->headers[i].name, name) == 0)
			return &b->headers[i];
	}
	return NULL;
}

static void set_header(struct http_build *b, const char *name, const char *value, size_t value_len)
{
	struct http_header *h = find_header(b, name);

	if (!h) {
		add_header(b, name, strlen(name), value, value_len);
		return;
	}
	free(h->value);
	h->value = xmemdupz(value, value_len);
}

/* Call `fn` for each pair of strings of the table field `name`. */
static void each_pair(
	lua_State *L, int options, const char *name, void (*fn)(void *arg, const struct http_pair *p), void *arg)
{
	size_t n = 0;

	lua_getfield(L, options, name);
	if (lua_istable(L, -1)) {
		for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
			struct http_pair p;

			if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING || n++ >= PAIRS_MAX)
				continue;
			p.key = lua_tolstring(L, -2, &p.key_len);
			p.value = lua_tolstring(L, -1, &p.value_len);
			fn(arg, &p);
		}
	}
	lua_pop(L, 1);
}

static void take_header(void *arg, const struct http_pair *p)
{
	static const char *const ignored[] = {"Host", "Content-Length", "Transfer-Encoding", "Trailer"};
	struct http_build *b = arg;
	struct http_header *h;

	add_header(b, p->key, p->key_len, p->value, p->value_len);
	h = &b->headers[b->req.nheaders - 1];
	http_canonical_name(h->name);
	/* A NUL inside would hide the rest from the check of names and values below us. */
	if (strlen(h->name) != p->key_len || strlen(h->value) != p->value_len) {
		free(h->value);
		h->value = xstrdup("\n");
	}
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++) {
		if (strcmp(h->name, ignored[i]) == 0) {
			free(h->name);
			free(h->value);
			b->req.nheaders--;
			return;
		}
	}
	if (strcmp(h->name, "Accept-Encoding") == 0 || strcmp(h->name, "Range") == 0)
		b->req.accept_gzip = false;
}

struct pairs {
	struct http_pair *items; /* a Lua userdata: freed by the collector */
	size_t count;
};

static void count_pair(void *arg, const struct http_pair *p)
{
	(void)p;
	((struct pairs *)arg)->count++;
}

static void take_pair(void *arg, const struct http_pair *p)
{
	struct pairs *ps = arg;

	ps->items[ps->count++] = *p;
}

/* The pairs of a table field, in a userdata left on the stack; their strings stay alive with the table. */
static struct pairs push_pairs(lua_State *L, int options, const char *name)
{
	struct pairs ps = {0};

	each_pair(L, options, name, count_pair, &ps);
	ps.items = lua_newuserdatauv(L, (ps.count + 1) * sizeof(*ps.items), 0);
	ps.count = 0;
	each_pair(L, options, name, take_pair, &ps);
	return ps;
}

static void read_timeout(lua_State *L, struct http_build *b, int options)
{
	const char *text;
	size_t len;
	double seconds;
	int64_t ns;

	if (field_number(L, options, "timeout", &seconds) && seconds > 0 && seconds < 9e9)
		b->req.timeout_ns = (uint64_t)(seconds * 1e9);
	else if (field_string(L, options, "timeout", &text, &len) && duration_parse(text, len, &ns, NULL) == 0 &&
		 ns > 0)
		b->req.timeout_ns = (uint64_t)ns;
}

static void read_tls(lua_State *L, struct http_build *b, int options)
{
	struct http_tls_options *t = &b->tls;
	bool any = false;

	lua_getfield(L, options, "tls");
	if (lua_istable(L, -1)) {
		int at = lua_gettop(L);

		any |= field_string(L, at, "cert", &t->cert_pem, NULL);
		any |= field_string(L, at, "key", &t->key_pem, NULL);
		any |= field_string(L, at, "ca", &t->ca_pem, NULL);
		any |= field_string(L, at, "server_name", &t->server_name, NULL);
		any |= field_bool(L, at, "insecure_skip_verify", &t->insecure_skip_verify);
	}
	lua_pop(L, 1);
	b->req.tls = any ? t : NULL;
}

static void read_cookies(lua_State *L, struct http_build *b, int options)
{
	struct pairs ps = push_pairs(L, options, "cookies");
	struct http_header *user = find_header(b, "Cookie");
	struct buf line = BUF_INIT;

	if (ps.count > 0) {
		if (user)
			buf_adds(&line, user->value);
		for (size_t i = 0; i < ps.count; i++) {
			if (buf_len(&line) > 0)
				buf_adds(&line, "; ");
			http_cookie_write(
				&line, ps.items[i].key, ps.items[i].key_len, ps.items[i].value, ps.items[i].value_len);
		}
		set_header(b, "Cookie", buf_str(&line), buf_len(&line));
		buf_done(&line);
	}
	lua_pop(L, 1);
}

static void read_auth(lua_State *L, struct http_build *b, int options)
{
	const char *user = "", *pass = "";
	size_t user_len = 0, pass_len = 0;

	lua_getfield(L, options, "auth");
	if (lua_istable(L, -1)) {
		int at = lua_gettop(L);

		field_string(L, at, "user", &user, &user_len);
		field_string(L, at, "pass", &pass, &pass_len);
	}
	if (user_len > 0) {
		struct buf plain = BUF_INIT, line = BUF_INIT;

		buf_add(&plain, user, user_len);
		buf_addc(&plain, ':');
		buf_add(&plain, pass, pass_len);
		buf_adds(&line, "Basic ");
		base64_encode(&line, buf_data(&plain), buf_len(&plain));
		set_header(b, "Authorization", buf_str(&line), buf_len(&line));
		explicit_bzero(plain.mem, plain.cap);
		explicit_bzero(line.mem, line.cap);
		buf_done(&plain);
		buf_done(&line);
	}
	lua_pop(L, 1);
}

/* -- bodies -- */

static void new_boundary(char out[static 33])
{
	unsigned char random[16];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		abort(); /* cannot fail for so few bytes once the system is up */
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(out + 2 * i, 3, "%02x", random[i]);
}

static void write_file_part(lua_State *L, struct http_build *b, const char *boundary, int item)
{
	const char *name = "", *filename = "", *content = "";
	size_t name_len = 0, filename_len = 0, content_len = 0;

	field_string(L, item, "name", &name, &name_len);
	field_string(L, item, "filename", &filename, &filename_len);
	field_string(L, item, "content", &content, &content_len);
	if (name_len > 0 && content_len > 0)
		http_write_part(&b->body, boundary, name, name_len, filename, filename_len, content, content_len);
}

/* True when there were files. */
static bool read_files(lua_State *L, struct http_build *b, int options, struct pairs *form)
{
	char boundary[33], line[80];
	lua_Integer n;

	lua_getfield(L, options, "files");
	n = lua_istable(L, -1) ? (lua_Integer)lua_rawlen(L, -1) : 0;
	if (n > 0) {
		new_boundary(boundary);
		for (size_t i = 0; i < form->count; i++)
			http_write_part(&b->body, boundary, form->items[i].key, form->items[i].key_len, NULL, 0,
				form->items[i].value, form->items[i].value_len);
		for (lua_Integer i = 1; i <= n; i++) {
			lua_rawgeti(L, -1, i);
			if (lua_istable(L, -1))
				write_file_part(L, b, boundary, lua_gettop(L));
			lua_pop(L, 1);
		}
		buf_addf(&b->body, "--%s--\r\n", boundary);
		snprintf(line, sizeof(line), "multipart/form-data; boundary=%s", boundary);
		/* A Content-Type of the program's own could not name our boundary. */
		set_header(b, "Content-Type", line, strlen(line));
	}
	lua_pop(L, 1);
	return n > 0;
}

static void read_body(lua_State *L, struct http_build *b, int options)
{
	static const char form_type[] = "application/x-www-form-urlencoded";
	struct pairs form = push_pairs(L, options, "form");
	const char *body;
	size_t len;

	if (read_files(L, b, options, &form) || form.count > 0) {
		if (buf_len(&b->body) == 0) {
			http_write_form(&b->body, form.items, form.count);
			if (!find_header(b, "Content-Type"))
				add_header(b, "Content-Type", strlen("Content-Type"), form_type, strlen(form_type));
		}
		b->req.body = buf_data(&b->body);
		b->req.body_len = buf_len(&b->body);
		b->req.has_body = true;
	} else if (field_string(L, options, "body", &body, &len) && len > 0) {
		b->req.body = body;
		b->req.body_len = len;
		b->req.has_body = true;
	}
	lua_pop(L, 1);
}

/* Whatever may be credentials in a text that need not even be a URL. */
static void keep_credentials(struct http_build *b, const char *url)
{
	const char *begin = strstr(url, "//"), *at, *colon;
	struct http_url u;

	if (!begin || !strchr(begin, '@'))
		return;
	begin += 2;
	at = memrchr(begin, '@', strcspn(begin, "/?#"));
	/* A password with a bare slash in it ends the host too early, and the text is no URL. */
	if (!at && http_url_parse(url, &u, NULL) < 0)
		at = strrchr(begin, '@');
	else if (!at)
		http_url_done(&u);
	if (!at)
		return;
	colon = memchr(begin, ':', (size_t)(at - begin));
	if (!colon)
		return;
	b->userinfo = secret_new(begin, (size_t)(at + 1 - begin));
	b->password = secret_new(colon + 1, (size_t)(at - colon - 1));
}

const char *http_push_method(lua_State *L, const char *method, size_t len)
{
	luaL_Buffer buf;

	luaL_buffinit(L, &buf);
	for (size_t i = 0; i < len; i++)
		luaL_addchar(&buf, (char)toupper((unsigned char)method[i]));
	luaL_pushresult(&buf);
	return lua_tostring(L, -1);
}

void http_build_read(lua_State *L, struct http_build *b, const char *method, const char *url, int options)
{
	struct pairs query;
	double max_body;

	b->req.method = method;
	b->req.url = b->raw_url = url;
	keep_credentials(b, url);
	b->req.accept_gzip = strcmp(method, "HEAD") != 0;
	if (!options)
		return;
	luaL_checkstack(L, 20, "http_client");
	each_pair(L, options, "headers", take_header, b);
	read_timeout(L, b, options);
	read_tls(L, b, options);
	read_body(L, b, options);
	read_cookies(L, b, options);
	read_auth(L, b, options);
	field_bool(L, options, "stream", &b->req.stream);
	field_bool(L, options, "route", &b->wants_route);
	if (field_number(L, options, "max_response_body", &max_body) && max_body > 0 && max_body < 1e15)
		b->req.max_body = (uint64_t)max_body;
	if (field_string(L, options, "overlay_network", &b->overlay_id, NULL) && !b->overlay_id[0])
		b->overlay_id = NULL;
	if (field_string(L, options, "unix_socket", &b->req.unix_socket, NULL) && !b->req.unix_socket[0])
		b->req.unix_socket = NULL;
	query = push_pairs(L, options, "query");
	if (query.count > 0) {
		http_merge_query(&b->url, url, query.items, query.count);
		b->req.url = buf_str(&b->url);
	}
	lua_pop(L, 1);
}

/* -- permissions -- */

/* "not allowed: <what> <URL>", with the URL as people may see it. */
static int deny_url(const struct http_build *b, const char *what, struct err *e)
{
	struct buf shown = BUF_INIT;
	int rc;

	http_url_add_masked(b->raw_url, &shown);
	rc = err_set(e, ERR_PERMISSION_DENIED, "not allowed: %s%s", what, buf_str(&shown));
	buf_done(&shown);
	return rc;
}

int http_build_authorize_url(lua_State *L, const struct http_build *b, struct err *e)
{
	if (current_allows(L, "http_client.request", b->raw_url))
		return 0;
	return deny_url(b, "", e);
}

/* A private address written out is judged here, whatever way is taken; what a name stands for when it is dialled. */
static int authorize_literal(lua_State *L, const struct http_build *b, struct err *e)
{
	struct http_url u;
	struct addr a;
	int rc = 0;

	if (b->req.unix_socket || frame_is_free(current_node(L), current_frame(L)) ||
		http_url_parse(b->raw_url, &u, NULL) < 0)
		return 0; /* what cannot be parsed is refused by the client, with its own words */
	if (addr_from_literal(u.host, u.port, &a) && addr_is_private(&a) &&
		!current_allows(L, "http_client.private_ip", u.host))
		rc = err_set(e, ERR_PERMISSION_DENIED, "not allowed: private IP %.64s", u.host);
	http_url_done(&u);
	return rc;
}

int http_build_choose_overlay(lua_State *L, struct http_build *b, struct err *e)
{
	const struct node *n = current_node(L);
	int rc = b->overlay_id ? node_overlay(n, b->overlay_id, &b->overlay, e)
			       : frame_overlay(n, current_frame(L), &b->overlay, e);

	if (rc < 0)
		return -1;
	if (b->overlay && b->req.unix_socket)
		return err_set(e, ERR_INVALID,
			"unix_socket '%s' cannot be reached through overlay network \"%s\"; drop one of the two",
			b->req.unix_socket, overlay_id(b->overlay));
	b->req.overlay = b->overlay;
	return 0;
}

int http_build_authorize(lua_State *L, struct http_build *b, struct err *e)
{
	if (b->req.unix_socket && !current_allows(L, "http_client.unix_socket", b->req.unix_socket))
		return err_set(e, ERR_PERMISSION_DENIED, "not allowed: unix socket %s", b->req.unix_socket);
	if (b->tls.insecure_skip_verify && !current_allows(L, "http_client.insecure_tls", b->raw_url))
		return deny_url(b, "insecure TLS for ", e);
	if (b->overlay_id && !current_allows(L, "network.select", b->overlay_id)) {
		b->select_denied = true;
		return err_set(e, ERR_PERMISSION_DENIED, "not allowed: network %.256s", b->overlay_id);
	}
	if (http_build_authorize_url(L, b, e) < 0)
		return -1;
	return authorize_literal(L, b, e);
}

int http_build_push_refusal(lua_State *L, struct http_build *b, const struct err *e)
{
	int n = b->select_denied ? push_nil_and_denial(L, e, "network.select", b->overlay_id) : push_nil_and_err(L, e);

	http_build_done(b);
	return n;
}
