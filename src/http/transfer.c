#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http/internal.h"

/* What libcurl tells and asks while it has a request. Notes only: callers hear nothing in here. */

static bool is_unix(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

/* To the path that a request names. Where the listener has no room, connect() says EAGAIN, as it does to anybody. */
static int connect_unix(struct http_call *call, const struct curl_sockaddr *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address->addr, address->addrlen) == 0)
		return fd;
	err_set_errno(&call->err, ERR_INTERNAL, errno, "dial unix %.120s: connect", call->unix_socket);
	err_code(&call->err, "connect_failed");
	call->noted = true;
	if (fd >= 0)
		close(fd);
	return -1;
}

curl_socket_t http_call_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_handle *h = arg;
	struct http_call *call = h->call;
	struct http_conn *conn;
	int fd, real_fd = -1;

	(void)purpose;
	if (!call)
		return CURL_SOCKET_BAD;
	if (call->unix_socket) {
		if (address->family != AF_UNIX)
			return CURL_SOCKET_BAD;
		fd = connect_unix(call, address);
		if (fd < 0)
			return CURL_SOCKET_BAD;
		call->is_fresh = true;
	} else if (call->fd < 0) {
		call->wants_dial = true;
		return CURL_SOCKET_BAD;
	} else {
		fd = call->fd;
		call->fd = -1;
	}
	if (is_unix(fd)) {
		real_fd = fd;
		fd = http_handover_open(address);
		if (fd < 0) {
			err_set_errno(&call->err, ERR_INTERNAL, errno, "connect failed");
			err_code(&call->err, "connect_failed");
			call->noted = true;
			close(real_fd);
			return CURL_SOCKET_BAD;
		}
	}
	conn = http_conn_new(call->route, fd, real_fd);
	http_conn_attach(conn, call);
	if (conn->peer.sa.sa_family != 0) {
		/* libcurl will connect() once more: to where the socket is connected already. */
		address->family = conn->peer.sa.sa_family;
		address->addrlen = addr_len(&conn->peer);
		memcpy((char *)address + offsetof(struct curl_sockaddr, addr), &conn->peer, address->addrlen);
	}
	if (call->url.is_tls) {
		call->phase = HTTP_PHASE_TLS;
		call->tls_begun_ns = loop_clock_ns();
		call->tls_deadline_ns = call->tls_begun_ns + (uint64_t)HTTP_TLS_HANDSHAKE_MS * 1000000;
		http_call_arm_timer(call);
	}
	return fd;
}

CURLcode http_call_before_handshake(CURL *easy, void *ssl_ctx, void *arg)
{
	struct http_handle *h = arg;

	(void)easy;
	(void)ssl_ctx;
	return h->call && h->call->conn && http_handover_finish(h->call->conn) < 0 ? CURLE_SSL_CONNECT_ERROR : CURLE_OK;
}

int http_call_before_request(void *arg, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	struct http_handle *h = arg;
	struct http_call *call = h->call;

	(void)remote_ip;
	(void)local_ip;
	(void)remote_port;
	call->phase = HTTP_PHASE_HEADERS;
	call->request_ns = loop_clock_ns();
	if (call->tls_deadline_ns) {
		call->tls_deadline_ns = 0;
		http_call_arm_timer(call);
	}
	if (call->conn && http_handover_finish(call->conn) < 0)
		return CURL_PREREQFUNC_ABORT;
	call->attempts++;
	if (call->attempts > 1 && !http_call_may_repeat(call)) {
		call->dead_reuse = true;
		return CURL_PREREQFUNC_ABORT;
	}
	if (call->is_fresh || call->unix_socket)
		return CURL_PREREQFUNC_OK;
	/* The first kept-alive connection was dead: do not go through all of them. */
	if (call->attempts > 1) {
		call->wants_dial = true;
		return CURL_PREREQFUNC_ABORT;
	}
	switch (http_route_inspect(
		call, local_port, call->overlay || !call->judge ? NULL : http_call_judge, &call->err)) {
	case 0:
		return CURL_PREREQFUNC_OK;
	case 1:
		call->wants_dial = true;
		return CURL_PREREQFUNC_ABORT;
	default:
		call->noted = true;
		return CURL_PREREQFUNC_ABORT;
	}
}

/* The body will be as long as this says, unless it is coded. */
static bool announces_too_much(const struct http_call *call)
{
	const char *length = http_head_get(&call->head, "Content-Length");

	return length && strcmp(call->method, "HEAD") != 0 && call->head.status != 204 && call->head.status != 304 &&
	       !http_head_get(&call->head, "Content-Encoding") && strtoull(length, NULL, 10) > call->max_body;
}

static int note_too_large(struct http_call *call)
{
	err_set(&call->err, ERR_INTERNAL, "response body too large (max %llu bytes)",
		(unsigned long long)call->max_body);
	err_code(&call->err, "body_too_large");
	err_retryable(&call->err);
	call->noted = true;
	return -1;
}

static int take_head(struct http_call *call)
{
	const char *coding = http_head_get(&call->head, "Content-Encoding");

	call->route->is_http2 = call->head.is_http2;
	if (http_route_is_full(call->route))
		http_handle_forbid_reuse(call->handle, true);
	/* What its caller waits for is still to come. */
	if (http_redirect_is_wanted(&call->head)) {
		call->redirecting = true;
		return 0;
	}
	call->phase = HTTP_PHASE_BODY;
	if (call->handle->wants_gzip && coding) {
		if (strcasecmp(coding, "gzip") == 0) {
			http_head_drop(&call->head, "Content-Encoding");
			http_head_drop(&call->head, "Content-Length");
			if (call->is_stream) {
				http_handle_skip_decoding(call->handle, true);
				call->gunzip = http_gunzip_new();
			}
		} else {
			/* Not what was asked for: the program gets it as it came. */
			http_handle_skip_decoding(call->handle, true);
		}
	}
	if (call->is_stream)
		http_call_ready(call);
	else if (announces_too_much(call))
		return note_too_large(call);
	return 0;
}

size_t http_call_on_header(char *line, size_t size, size_t n, void *arg)
{
	struct http_handle *h = arg;
	struct http_call *call = h->call;
	int rc = http_head_line(&call->head, line, size * n, &call->err);

	if (!call->head_ns)
		call->head_ns = loop_clock_ns();
	if (rc < 0)
		call->noted = true;
	else if (rc > 0)
		rc = take_head(call);
	return rc < 0 ? 0 : size * n;
}

size_t http_call_on_body(char *data, size_t size, size_t n, void *arg)
{
	struct http_handle *h = arg;
	struct http_call *call = h->call;

	n *= size;
	if (call->redirecting) {
		call->discarded += n;
		call->hop_over = call->discarded > HTTP_DISCARD_BYTES_MAX;
		return call->hop_over ? 0 : n;
	}
	if (call->is_stream) {
		if (buf_len(&call->body_in) >= HTTP_STREAM_HIGH) {
			call->paused = true;
			return CURL_WRITEFUNC_PAUSE;
		}
		buf_add(&call->body_in, data, n);
		if (call->read_fn)
			http_call_ready(call);
		return n;
	}
	if (buf_len(&call->body_in) + n > call->max_body) {
		note_too_large(call);
		return 0;
	}
	buf_add(&call->body_in, data, n);
	return n;
}
