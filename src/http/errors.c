#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "http/internal.h"

static void fail(struct err *e, const char *code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void fail(struct err *e, const char *code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(e, ERR_INTERNAL, fmt, ap);
	va_end(ap);
	err_code(e, code);
}

/* libcurl's words may quote the peer. */
static void fail_detail(struct err *e, const char *code, const char *what, const char *detail)
{
	struct buf shown = BUF_INIT;

	buf_add_escaped(&shown, detail, strlen(detail), 200);
	fail(e, code, buf_len(&shown) ? "%s: %s" : "%s%s", what, buf_str(&shown));
	buf_done(&shown);
}

static void handshake_text(const struct http_failure *f, struct err *e)
{
	if (strstr(f->detail, "wrong version number") || strstr(f->detail, "packet length too long") ||
		strstr(f->detail, "http request"))
		fail(e, "tls_handshake", "http: server gave HTTP response to HTTPS client");
	else if (f->os_errno == ECONNRESET)
		fail(e, "connection_reset", "read: connection reset by peer (during the TLS handshake)");
	else if (strstr(f->detail, "SSL_ERROR_SYSCALL") || strstr(f->detail, "unexpected eof"))
		fail(e, "eof", "EOF (during the TLS handshake)");
	else
		fail_detail(e, "tls_handshake", "tls: handshake failed", f->detail);
}

static void receive_text(const struct http_failure *f, struct err *e)
{
	if (f->os_errno == ECONNRESET)
		fail(e, "connection_reset", "read: connection reset by peer");
	else if (f->os_errno == EPIPE)
		fail(e, "connection_reset", "write: broken pipe");
	else if (strstr(f->detail, "unexpected eof") || strstr(f->detail, "SSL_ERROR_SYSCALL"))
		fail(e, "eof", f->phase == HTTP_PHASE_BODY ? "unexpected EOF" : "EOF");
	else if (f->os_errno != 0)
		fail(e, "connection_failed", "%s: %s", f->rc == CURLE_SEND_ERROR ? "write" : "read",
			strerror((int)f->os_errno));
	else
		fail_detail(e, "connection_failed", "connection failed", f->detail);
}

void http_failure_text(const struct http_failure *f, struct err *e)
{
	if (f->dead_reuse) {
		fail(e, "eof",
			"EOF (the server closed a kept-alive connection; the request may have reached it and is not "
			"repeated)");
		return;
	}
	switch (f->rc) {
	case CURLE_COULDNT_CONNECT:
		if (f->unix_socket) {
			err_set_errno(e, ERR_INTERNAL, (int)f->os_errno, "dial unix %.120s: connect", f->unix_socket);
			err_code(e, "connect_failed");
		} else {
			fail_detail(e, "connect_failed", "connect failed", f->detail);
		}
		return;
	case CURLE_GOT_NOTHING:
		fail(e, "eof", "EOF");
		return;
	case CURLE_PARTIAL_FILE:
		fail(e, "eof", "unexpected EOF");
		return;
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		receive_text(f, e);
		return;
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		fail_detail(e, "stream_error", "http2: stream error", f->detail);
		return;
	case CURLE_PEER_FAILED_VERIFICATION:
		http_tls_verify_text(f->verify_result, f->host, e);
		err_code(e, "tls_verify");
		return;
	case CURLE_SSL_CONNECT_ERROR:
		handshake_text(f, e);
		return;
	case CURLE_SSL_CERTPROBLEM:
		fail(e, "bad_tls_options", "parse client certificate: the certificate or its key was not accepted");
		return;
	case CURLE_SSL_CACERT_BADFILE:
		fail(e, "tls_verify",
			"tls: failed to verify certificate: x509: failed to load system roots and no roots provided");
		return;
	case CURLE_BAD_CONTENT_ENCODING:
		fail(e, "bad_encoding", "gzip: invalid data in the response body");
		return;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
		fail(e, "bad_response", "net/http: HTTP/1.x transport connection broken: malformed HTTP response");
		return;
	case CURLE_OUT_OF_MEMORY: /* what libcurl calls a header line it has no room for */
		fail(e, "headers_too_large", "net/http: server response headers exceeded %d bytes; aborted",
			HTTP_HEADER_BYTES_MAX);
		return;
	case CURLE_URL_MALFORMAT:
		fail(e, "bad_url", "invalid URL");
		return;
	default:
		fail_detail(e, "transfer_failed", curl_easy_strerror(f->rc), f->detail);
		return;
	}
}

void http_timeout_text(enum http_phase phase, struct err *e)
{
	static const char before[] = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";

	switch (phase) {
	case HTTP_PHASE_START:
	case HTTP_PHASE_DIAL:
		fail(e, "timeout_dial", "%s; phase: dial", before);
		return;
	case HTTP_PHASE_TLS:
		fail(e, "timeout_tls", "%s; phase: TLS handshake", before);
		return;
	case HTTP_PHASE_HEADERS:
		fail(e, "timeout_headers", "%s; phase: response headers", before);
		return;
	case HTTP_PHASE_BODY:
	case HTTP_PHASE_OVER:
		break;
	}
	fail(e, "timeout_body",
		"context deadline exceeded (Client.Timeout or context cancellation while reading body)");
}

void http_dial_timeout_text(const struct err *dial, struct err *e)
{
	fail(e, dial->code ? dial->code : "timeout_dial",
		"%s: context deadline exceeded (Client.Timeout exceeded while awaiting headers)", dial->text);
}

void http_error_name_request(struct err *e, const char *method, const char *url)
{
	char name[32];
	size_t n = strlen(method);
	struct buf shown = BUF_INIT;

	n = n < sizeof(name) ? n : sizeof(name) - 1;
	for (size_t i = 0; i < n; i++)
		name[i] = (char)(i == 0 ? toupper((unsigned char)method[i]) : tolower((unsigned char)method[i]));
	name[n] = '\0';
	http_url_add_masked(url, &shown);
	err_prefix(e, "%s \"%s\"", name, buf_str(&shown));
	buf_done(&shown);
	e->kind = ERR_INTERNAL;
	e->retry = ERR_RETRY_YES;
}
