/*
 * TLS: what is verified, what name is asked for, whose connection is whose. Certificates are made here.
 */
#include "fixture.h"

#include "certificates.h"

static struct identity ca, other_ca, server_id, old_id, client_id;

static SSL_CTX *server_ctx(struct identity *id, int max_version, bool wants_client)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	SSL_CTX_use_certificate(ctx, id->cert);
	SSL_CTX_use_PrivateKey(ctx, id->key);
	if (max_version) {
		SSL_CTX_set_security_level(ctx, 0);
		SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
		SSL_CTX_set_max_proto_version(ctx, max_version);
	}
	if (wants_client) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca.cert);
	}
	return ctx;
}

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	identity_make(&ca, "Test CA", NULL, NULL, 30);
	identity_make(&other_ca, "Other CA", NULL, NULL, 30);
	identity_make(&server_id, "server", "DNS:site.test,IP:127.0.0.1", &ca, 30);
	identity_make(&old_id, "old", "DNS:site.test", &ca, -1);
	identity_make(&client_id, "client", NULL, &ca, 30);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	identity_done(&ca);
	identity_done(&other_ca);
	identity_done(&server_id);
	identity_done(&old_id);
	identity_done(&client_id);
	return 0;
}

static void fetch(
	struct fixture *f, const char *host, const char *path, const struct http_tls_options *tls, struct result *r)
{
	char url[200];

	snprintf(url, sizeof(url), "https://%s:%d%s", host, f->server.port, path);
	send_request(f, &(struct http_request){.method = "GET", .url = url, .tls = tls}, r);
}

static void verification(void **state)
{
	struct http_tls_options trusted = {.ca_pem = ca.cert_pem}, wrong = {.ca_pem = other_ca.cert_pem},
				blind = {.insecure_skip_verify = true};
	SSL_CTX *ctx = server_ctx(&server_id, 0, false);
	struct fixture f;
	struct result r = {0};

	(void)state;
	fixture_open(&f, NULL, ctx);
	fetch(&f, "site.test", "/hello", NULL, &r);
	check_fails(&r, "tls: failed to verify certificate: x509: certificate signed by unknown authority");
	assert_string_equal(r.err.code, "tls_verify");
	fetch(&f, "site.test", "/hello", &wrong, &r);
	check_fails(&r, "x509: certificate signed by unknown authority");
	fetch(&f, "site.test", "/hello", &trusted, &r);
	check_ok(&r, 200, "hello");
	assert_string_equal(f.server.sni, "site.test");
	fetch(&f, "127.0.0.1", "/hello", &trusted, &r);
	check_ok(&r, 200, "hello");
	assert_string_equal(f.server.sni, "");
	fetch(&f, "other.test", "/hello", &trusted, &r);
	check_fails(&r, "tls: failed to verify certificate: x509: certificate is not valid for other.test");
	fetch(&f, "other.test", "/hello", &blind, &r);
	check_ok(&r, 200, "hello");
	assert_int_equal(f.server.nrequests, 3);
	result_done(&r);
	fixture_close(&f);
	SSL_CTX_free(ctx);

	ctx = server_ctx(&old_id, 0, false);
	fixture_open(&f, NULL, ctx);
	fetch(&f, "site.test", "/hello", &trusted, &r);
	check_fails(&r, "x509: certificate has expired or is not yet valid");
	result_done(&r);
	fixture_close(&f);
	SSL_CTX_free(ctx);
}

static void server_name(void **state)
{
	struct http_tls_options named = {.ca_pem = ca.cert_pem, .server_name = "site.test"};
	SSL_CTX *ctx = server_ctx(&server_id, 0, false);
	struct fixture f;
	struct result r = {0};

	(void)state;
	fixture_open(&f, NULL, ctx);
	fetch(&f, "elsewhere.test", "/echo", &named, &r);
	assert_false(r.failed);
	assert_string_equal(f.server.sni, "site.test");
	check_has(r.body, "\r\nHost: elsewhere.test:");
	check_has(r.url, "https://elsewhere.test:");
	named.server_name = "third.test";
	fetch(&f, "site.test", "/echo", &named, &r);
	check_fails(&r, "x509: certificate is not valid for third.test");
	result_done(&r);
	fixture_close(&f);
	SSL_CTX_free(ctx);
}

static void connections_stay_apart(void **state)
{
	struct http_tls_options trusted = {.ca_pem = ca.cert_pem}, blind = {.insecure_skip_verify = true},
				with_cert = {.ca_pem = ca.cert_pem,
					.cert_pem = client_id.cert_pem,
					.key_pem = client_id.key_pem};
	SSL_CTX *ctx = server_ctx(&server_id, 0, false);
	struct fixture f;
	struct result r = {0};

	(void)state;
	fixture_open(&f, NULL, ctx);
	fetch(&f, "site.test", "/hello", &blind, &r);
	assert_int_equal(f.server.nconns, 1);
	/* An unverified connection serves nobody who wants it verified. */
	fetch(&f, "site.test", "/hello", NULL, &r);
	check_fails(&r, "x509");
	fetch(&f, "site.test", "/hello", &trusted, &r);
	check_ok(&r, 200, "hello");
	assert_false(r.reused);
	fetch(&f, "site.test", "/hello", &with_cert, &r);
	check_ok(&r, 200, "hello");
	assert_false(r.reused);
	assert_int_equal(f.server.nconns, 4);
	fetch(&f, "site.test", "/hello", &trusted, &r);
	assert_true(r.reused);
	fetch(&f, "site.test", "/hello", &with_cert, &r);
	assert_true(r.reused);
	fetch(&f, "site.test", "/hello", &blind, &r);
	assert_true(r.reused);
	assert_int_equal(f.server.nconns, 4);
	result_done(&r);
	fixture_close(&f);
	SSL_CTX_free(ctx);
}

static void client_certificate(void **state)
{
	struct http_tls_options without = {.ca_pem = ca.cert_pem}, with = {.ca_pem = ca.cert_pem,
									   .cert_pem = client_id.cert_pem,
									   .key_pem = client_id.key_pem};
	SSL_CTX *ctx = server_ctx(&server_id, 0, true);
	struct fixture f;
	struct result r = {0};

	(void)state;
	fixture_open(&f, NULL, ctx);
	fetch(&f, "site.test", "/hello", &with, &r);
	check_ok(&r, 200, "hello");
	fetch(&f, "site.test", "/hello", &without, &r);
	assert_true(r.failed);
	result_done(&r);
	fixture_close(&f);
	SSL_CTX_free(ctx);
}

static void bad_options(void **state)
{
	struct fixture f;
	struct result r = {0};
	struct http_tls_options half = {.cert_pem = client_id.cert_pem}, junk = {.cert_pem = "junk", .key_pem = "junk"},
				bad_ca = {.ca_pem = "junk"},
				mixed = {.cert_pem = client_id.cert_pem, .key_pem = server_id.key_pem};

	(void)state;
	fixture_open(&f, NULL, NULL);
	fetch(&f, "site.test", "/hello", &half, &r);
	check_fails(&r, "both cert and key must be provided together");
	fetch(&f, "site.test", "/hello", &junk, &r);
	check_fails(&r, "parse client certificate: ");
	fetch(&f, "site.test", "/hello", &mixed, &r);
	check_fails(&r, "parse client certificate: ");
	check_lacks(r.err.text, "PRIVATE KEY");
	fetch(&f, "site.test", "/hello", &bad_ca, &r);
	check_fails(&r, "parse CA certificate: no valid certificates found");
	assert_int_equal(f.server.nconns, 0);
	result_done(&r);
	fixture_close(&f);
}

static void old_versions_are_refused(void **state)
{
	struct http_tls_options trusted = {.ca_pem = ca.cert_pem};
	SSL_CTX *ctx = server_ctx(&server_id, TLS1_1_VERSION, false);
	struct fixture f;
	struct result r = {0};

	(void)state;
	fixture_open(&f, NULL, ctx);
	fetch(&f, "site.test", "/hello", &trusted, &r);
	check_fails(&r, "tls: handshake failed");
	result_done(&r);
	fixture_close(&f);
	SSL_CTX_free(ctx);
	/* and 1.2 is not */
	ctx = server_ctx(&server_id, TLS1_2_VERSION, false);
	fixture_open(&f, NULL, ctx);
	fetch(&f, "site.test", "/hello", &trusted, &r);
	check_ok(&r, 200, "hello");
	fetch(&f, "site.test", "/hello", &trusted, &r);
	assert_true(r.reused);
	result_done(&r);
	fixture_close(&f);
	SSL_CTX_free(ctx);
}

static void plain_server(void **state)
{
	struct fixture f;
	struct result r = {0};
	char url[100];

	(void)state;
	fixture_open(&f, NULL, NULL);
	snprintf(url, sizeof(url), "https://site.test:%d/", f.server.port);
	/* The server takes the greeting for a request line that never ends, so end it for both. */
	send_request(&f, &(struct http_request){.method = "GET", .url = url, .timeout_ns = 200000000}, &r);
	check_fails(&r, "context deadline exceeded");
	assert_string_equal(r.err.code, "timeout_tls");
	result_done(&r);
	fixture_close(&f);
}

static void no_downgrade_referer(void **state)
{
	struct http_tls_options trusted = {.ca_pem = ca.cert_pem};
	SSL_CTX *ctx = server_ctx(&server_id, 0, false);
	struct fixture f;
	struct server plain;
	struct result r = {0};
	char path[200];

	(void)state;
	fixture_open(&f, NULL, ctx);
	server_start(&plain, NULL);
	snprintf(path, sizeof(path), "/redirect?code=302&to=http://site.test:%d/echo", plain.port);
	fetch(&f, "site.test", path, &trusted, &r);
	assert_false(r.failed);
	check_has(r.body, "GET /echo");
	check_lacks(r.body, "Referer");
	result_done(&r);
	fixture_close(&f);
	server_stop(&plain);
	SSL_CTX_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verification),
		cmocka_unit_test(server_name),
		cmocka_unit_test(connections_stay_apart),
		cmocka_unit_test(client_certificate),
		cmocka_unit_test(bad_options),
		cmocka_unit_test(old_versions_are_refused),
		cmocka_unit_test(plain_server),
		cmocka_unit_test(no_downgrade_referer),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
