/*
 * Bodies read bit by bit.
 */
#include "fixture.h"

struct reader {
	struct fixture *f;
	struct http_call *call;
	struct buf all;
	size_t max;
	size_t pieces;
	size_t biggest;
	int status;
	bool ended;
	bool reported;
	bool failed;
	bool once; /* stop the loop after each piece */
	struct err err;
};

static void read_more(struct reader *rd);

static void on_piece(void *arg, int n, struct buf *out, const struct err *e)
{
	struct reader *rd = arg;

	assert_true(!rd->ended);
	if (n <= 0) {
		rd->ended = true;
		rd->failed = n < 0;
		assert_true(!e == !rd->failed);
		if (e)
			rd->err = *e;
		loop_stop(rd->f->loop);
		return;
	}
	assert_int_equal(n, buf_len(out));
	rd->pieces++;
	if ((size_t)n > rd->biggest)
		rd->biggest = (size_t)n;
	buf_add(&rd->all, buf_data(out), (size_t)n);
	if (rd->once)
		loop_stop(rd->f->loop);
	else
		read_more(rd);
}

static void read_more(struct reader *rd)
{
	size_t had = rd->pieces;

	http_call_read(rd->call, rd->max, on_piece, rd);
	assert_int_equal(rd->pieces, had); /* always later */
}

static void on_response(void *arg, const struct http_response *r, const struct err *e)
{
	struct reader *rd = arg;

	rd->reported = true;
	if (e) {
		rd->failed = true;
		rd->err = *e;
		loop_stop(rd->f->loop);
		return;
	}
	rd->status = r->status;
	assert_null(r->body);
	if (rd->once)
		loop_stop(rd->f->loop);
	else
		read_more(rd);
}

static void open_stream(struct fixture *f, struct reader *rd, struct http_request req)
{
	*rd = (struct reader){.f = f, .max = rd->max, .once = rd->once};
	req.method = "GET";
	req.stream = true;
	rd->call = http_client_start(f->client, &req, on_response, rd);
	run_loop(f);
	assert_true(rd->reported);
}

static void whole_body(void **state)
{
	struct fixture f;
	struct reader rd = {.max = 1000};

	(void)state;
	fixture_open(&f, NULL, NULL);
	open_stream(&f, &rd, (struct http_request){.url = server_url(&f, "/big/300000")});
	assert_true(rd.ended && !rd.failed);
	assert_int_equal(rd.status, 200);
	assert_int_equal(buf_len(&rd.all), 300000);
	for (size_t i = 0; i < 300000; i++)
		assert_int_equal(buf_data(&rd.all)[i], 'a' + i % 26);
	assert_true(rd.biggest <= 1000);
	/* At the end, again and again. */
	rd.ended = false;
	read_more(&rd);
	run_loop(&f);
	assert_true(rd.ended && !rd.failed);
	http_call_cancel(rd.call);
	buf_done(&rd.all);
	/* The connection is there for the next. */
	rd.max = 32768;
	open_stream(&f, &rd, (struct http_request){.url = server_url(&f, "/status/204")});
	assert_true(rd.ended);
	assert_int_equal(rd.pieces, 0);
	assert_int_equal(f.server.nconns, 1);
	http_call_cancel(rd.call);
	buf_done(&rd.all);
	fixture_close(&f);
}

static void back_pressure(void **state)
{
	struct fixture f;
	struct reader rd = {.max = 1 << 20, .once = true};
	size_t total = 0;

	(void)state;
	fixture_open(&f, NULL, NULL);
	open_stream(&f, &rd, (struct http_request){.url = server_url(&f, "/big/20000000")});
	run_for_ms(&f, 100);
	/* Nobody read: no more than the high mark and one piece of libcurl's is here. */
	read_more(&rd);
	run_loop(&f);
	assert_in_range(buf_len(&rd.all), 1, 200 * 1024);
	total = buf_len(&rd.all);
	while (!rd.ended) {
		read_more(&rd);
		run_loop(&f);
		total = buf_len(&rd.all);
	}
	assert_false(rd.failed);
	assert_int_equal(total, 20000000);
	for (size_t i = 0; i < total; i += 997)
		assert_int_equal(buf_data(&rd.all)[i], 'a' + i % 26);
	assert_true(rd.biggest <= 200 * 1024);
	http_call_cancel(rd.call);
	buf_done(&rd.all);
	fixture_close(&f);
}

static void compressed(void **state)
{
	struct fixture f;
	struct reader rd = {.max = 5000};

	(void)state;
	fixture_open(&f, NULL, NULL);
	open_stream(&f, &rd, (struct http_request){.url = server_url(&f, "/bomb"), .accept_gzip = true});
	assert_true(rd.ended && !rd.failed);
	assert_int_equal(buf_len(&rd.all), 400000);
	http_call_cancel(rd.call);
	buf_done(&rd.all);
	fixture_close(&f);
}

static void broken_off(void **state)
{
	struct fixture f;
	struct reader rd = {.max = 5000};

	(void)state;
	fixture_open(&f, NULL, NULL);
	open_stream(&f, &rd, (struct http_request){.url = server_url(&f, "/short")});
	assert_true(rd.ended && rd.failed);
	assert_string_equal(rd.err.text, "unexpected EOF");
	assert_int_equal(buf_len(&rd.all), 10); /* what came is delivered first */
	http_call_cancel(rd.call);
	buf_done(&rd.all);
	open_stream(&f, &rd, (struct http_request){.url = server_url(&f, "/slowbody"), .timeout_ns = 60000000});
	assert_true(rd.ended && rd.failed);
	check_has(rd.err.text, "Client.Timeout or context cancellation while reading body");
	assert_int_equal(buf_len(&rd.all), 5);
	http_call_cancel(rd.call);
	buf_done(&rd.all);
	open_stream(&f, &rd, (struct http_request){.url = server_url(&f, "/noreply")});
	assert_true(rd.failed && !rd.ended);
	check_has(rd.err.text, "EOF");
	buf_done(&rd.all);
	fixture_close(&f);
}

static void cancelled(void **state)
{
	struct fixture f;
	struct reader rd = {.max = 5000, .once = true};

	(void)state;
	fixture_open(&f, NULL, NULL);
	/* While paused, while a read waits, and after a withdrawn read. */
	open_stream(&f, &rd, (struct http_request){.url = server_url(&f, "/big/5000000")});
	run_for_ms(&f, 20);
	http_call_cancel(rd.call);
	buf_done(&rd.all);
	open_stream(&f, &rd, (struct http_request){.url = server_url(&f, "/slowbody")});
	read_more(&rd);
	run_loop(&f);
	assert_int_equal(buf_len(&rd.all), 5);
	read_more(&rd);
	run_for_ms(&f, 10);
	http_call_cancel(rd.call);
	run_for_ms(&f, 20);
	assert_int_equal(f.server.nclosed, 2);
	buf_done(&rd.all);
	open_stream(&f, &rd, (struct http_request){.url = server_url(&f, "/hello")});
	read_more(&rd);
	http_call_read_cancel(rd.call);
	run_for_ms(&f, 10);
	assert_int_equal(buf_len(&rd.all), 0);
	read_more(&rd);
	run_loop(&f);
	assert_string_equal(buf_str(&rd.all), "hello");
	http_call_cancel(rd.call);
	buf_done(&rd.all);
	fixture_close(&f);
}

static void end_it(void *arg, const struct http_response *r, const struct err *e)
{
	struct reader *rd = arg;

	assert_non_null(r);
	assert_null(e);
	http_call_cancel(rd->call);
	loop_stop(rd->f->loop);
}

static void ended_in_its_own_report(void **state)
{
	struct fixture f;
	struct reader rd = {.f = &f};
	const char *paths[] = {"/hello", "/slowbody", "/big/1000000"};

	(void)state;
	fixture_open(&f, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		rd.call = http_client_start(f.client,
			&(struct http_request){.method = "GET", .url = server_url(&f, paths[i]), .stream = true},
			end_it, &rd);
		run_loop(&f);
	}
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_body),
		cmocka_unit_test(back_pressure),
		cmocka_unit_test(compressed),
		cmocka_unit_test(broken_off),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(ended_in_its_own_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
