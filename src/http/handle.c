#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "http/internal.h"

/*
 * Setting an option costs libcurl a copy or a parse, so a handle keeps what stays the same from one call to the next
 * and is told only of differences. A handle with TLS options or a Unix socket is not worth cleaning: it is thrown
 * away.
 */

static int close_socket(void *arg, curl_socket_t fd)
{
	struct http_conn *conn = http_conn_find(arg, fd);

	assert(conn);
	http_conn_free(conn);
	return 0;
}

/* The descriptor is connected: newer versions skip their connect() on this answer, 7.88 calls it once more, which Linux
 * grants for a socket in this state (net/connect.h), and for what stands in for a Unix socket (unix_handover.c). */
static int on_sockopt(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	(void)arg;
	(void)fd;
	(void)purpose;
	return CURL_SOCKOPT_ALREADY_CONNECTED;
}

struct http_handle *http_handle_new(struct http_client *c)
{
	struct http_handle *h = xcalloc(1, sizeof(*h));
	CURL *e = curl_easy_init();
	char *ca_file = NULL;

	if (!e)
		abort(); /* out of memory, as xmalloc() would */
	h->client = c;
	h->easy = e;
	list_init(&h->link);
	curl_easy_setopt(e, CURLOPT_PRIVATE, h);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, h->errbuf);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "wippy");
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 32L * 1024);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, 30L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, 30L);
	/* Nothing of the environment: an empty proxy switches the variables off. */
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	/* The made-up addresses are of no use to a later transfer. */
	curl_easy_setopt(e, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, http_call_open_socket);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, h);
	curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, on_sockopt);
	curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, c);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, http_call_before_handshake);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, h);
	curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, http_call_before_request);
	curl_easy_setopt(e, CURLOPT_PREREQDATA, h);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, http_call_on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, h);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, http_call_on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, h);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)(c->cfg.idle_ms / 1000 + 1));
	/* libcurl shares the parsed system certificates between connections only when there is no directory besides
	 * the file. */
	if (curl_easy_getinfo(e, CURLINFO_CAINFO, &ca_file) == CURLE_OK && ca_file && access(ca_file, R_OK) == 0)
		curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	return h;
}

void http_handle_free(struct http_handle *h)
{
	if (!h)
		return;
	assert(!h->in_multi);
	curl_easy_cleanup(h->easy);
	free(h);
}

struct http_handle *http_handle_take(struct http_client *c)
{
	struct list *l = list_pop_front(&c->handles);

	if (!l)
		return http_handle_new(c);
	c->nhandles--;
	return list_entry(l, struct http_handle, link);
}

void http_handle_give(struct http_handle *h)
{
	struct http_client *c = h->client;

	h->call = NULL;
	if (h->is_special || c->nhandles >= HTTP_HANDLES_KEPT) {
		http_handle_free(h);
		return;
	}
	/* The most recently used one first: its memory is warm. */
	list_push_front(&c->handles, &h->link);
	c->nhandles++;
}

void http_handle_forbid_reuse(struct http_handle *h, bool on)
{
	if (h->forbids_reuse != on)
		curl_easy_setopt(h->easy, CURLOPT_FORBID_REUSE, (long)on);
	h->forbids_reuse = on;
}

void http_handle_skip_decoding(struct http_handle *h, bool on)
{
	if (h->skips_decoding != on)
		curl_easy_setopt(h->easy, CURLOPT_HTTP_CONTENT_DECODING, (long)!on);
	h->skips_decoding = on;
}

static void set_method(struct http_handle *h, const struct http_call *call)
{
	bool is_head = strcmp(call->method, "HEAD") == 0;
	bool is_post = call->body != NULL;
	bool is_custom = is_post ? strcmp(call->method, "POST") != 0 : !is_head && strcmp(call->method, "GET") != 0;

	/* GET undoes everything about the method but its name. */
	if (h->is_post != is_post || h->is_bodyless != is_head)
		curl_easy_setopt(h->easy, CURLOPT_HTTPGET, 1L);
	if (is_head && !h->is_bodyless)
		curl_easy_setopt(h->easy, CURLOPT_NOBODY, 1L);
	if (is_post) {
		curl_easy_setopt(h->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_len);
		curl_easy_setopt(h->easy, CURLOPT_POSTFIELDS, call->body);
	}
	if (is_custom)
		curl_easy_setopt(h->easy, CURLOPT_CUSTOMREQUEST, call->method);
	else if (h->is_custom)
		curl_easy_setopt(h->easy, CURLOPT_CUSTOMREQUEST, NULL);
	h->is_post = is_post;
	h->is_bodyless = is_head;
	h->is_custom = is_custom;
}

static void set_url(struct http_handle *h, struct http_call *call, struct http_header_extra *x, struct buf *host)
{
	struct buf text = BUF_INIT;

	if (call->url.is_tls && call->tls && call->tls->server_name) {
		/* The name in libcurl's URL is what goes into SNI and what the certificate must show; where the
		 * connection leads was settled by the dial, and the request still names the real host. */
		bool ipv6 = strchr(call->tls->server_name, ':') != NULL;

		buf_addf(&text, ipv6 ? "https://[%s]:%u%s" : "https://%s:%u%s", call->tls->server_name, call->url.port,
			call->url.target);
		http_url_add_authority(&call->url, host);
		x->host = buf_str(host);
	} else {
		http_url_add_plain(&call->url, &text);
	}
	curl_easy_setopt(h->easy, CURLOPT_URL, buf_str(&text));
	buf_done(&text);
}

void http_handle_setup(struct http_handle *h, struct http_call *call)
{
	bool wants_gzip = call->accept_gzip && strcmp(call->method, "HEAD") != 0;
	bool wants_http2 = !call->overlay && !call->unix_socket && call->url.is_tls;
	struct http_header_extra x = {
		.authorization = secret_reveal(call->userinfo_auth),
		.referer = call->referer,
		.has_body = call->body != NULL,
		.empty_length = !call->body && (strcmp(call->method, "POST") == 0 || strcmp(call->method, "PUT") == 0 ||
						       strcmp(call->method, "PATCH") == 0),
	};
	struct buf host = BUF_INIT;
	CURL *e = h->easy;

	h->call = call;
	h->errbuf[0] = '\0';
	set_method(h, call);
	set_url(h, call, &x, &host);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, http_header_list_build(&call->list, &call->headers, &x));
	buf_done(&host);
	curl_easy_setopt(e, CURLOPT_CONNECT_TO, &call->route->connect_to);
	if (h->wants_gzip != wants_gzip)
		curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, wants_gzip ? "gzip" : NULL);
	h->wants_gzip = wants_gzip;
	if (h->wants_http2 != wants_http2)
		curl_easy_setopt(
			e, CURLOPT_HTTP_VERSION, (long)(wants_http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
	h->wants_http2 = wants_http2;
	/* To an overlay the connection leads to an endpoint that is near and knows its own ways. */
	if (h->keeps_alive != !call->overlay)
		curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, (long)!call->overlay);
	h->keeps_alive = !call->overlay;
	/* A connection dialled for this call is for this call. */
	if (h->is_fresh != call->is_fresh)
		curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, (long)call->is_fresh);
	h->is_fresh = call->is_fresh;
	http_handle_forbid_reuse(h, false);
	http_handle_skip_decoding(h, false);
	if (call->unix_socket)
		curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, call->unix_socket);
	if (call->tls)
		http_tls_apply(call->tls, e);
	h->is_special = call->unix_socket || call->tls;
}
