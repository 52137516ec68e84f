/*
 * Metrics: numbers, names made fit, the text exposition format (version 0.0.4), limits, and many threads at once.
 */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/metrics.h"

static struct metrics *m;
static struct err e;
static int warnings;

static void count_warnings(void *arg, const struct log_record *r)
{
	(void)arg;
	warnings += r->level == LOG_WARN;
}

static int setup(void **state)
{
	(void)state;
	m = metrics_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	metrics_free(m);
	return 0;
}

static void check_text(const char *want)
{
	struct buf b = BUF_INIT;

	metrics_write(m, &b);
	assert_string_equal(buf_str(&b), want);
	buf_done(&b);
}

static void counters_and_gauges(void **state)
{
	const struct metric_label ab[] = {{"a", "1"}, {"b", "2"}}, ba[] = {{"b", "2"}, {"a", "1"}};

	(void)state;
	check_text("");
	assert_int_equal(metrics_count(m, "requests_total", NULL, 0, 1, &e), 0);
	assert_int_equal(metrics_count(m, "requests_total", ab, 2, 2.5, &e), 0);
	assert_int_equal(metrics_count(m, "requests_total", ba, 2, 1, &e), 0);
	assert_int_equal(metrics_gauge_set(m, "level", NULL, 0, 5, &e), 0);
	assert_int_equal(metrics_gauge_add(m, "level", NULL, 0, -7, &e), 0);
	assert_int_equal(metrics_gauge_set(m, "endless", NULL, 0, -INFINITY, &e), 0);
	check_text("# TYPE endless gauge\n"
		   "endless -Inf\n"
		   "# TYPE level gauge\n"
		   "level -2\n"
		   "# TYPE requests_total counter\n"
		   "requests_total 1\n"
		   "requests_total{a=\"1\",b=\"2\"} 3.5\n");
	assert_int_equal(metrics_series(m), 4);
}

static void histograms(void **state)
{
	const struct metric_label path[] = {{"path", "/"}, {"le", "mine"}};

	(void)state;
	metrics_observe(m, "seconds", path, 2, 0.005, &e);
	metrics_observe(m, "seconds", path, 2, 0.3, &e);
	metrics_observe(m, "seconds", path, 2, 100, &e);
#define LINE(le, n) "seconds_bucket{exported_le=\"mine\",path=\"/\",le=\"" le "\"} " n "\n"
	check_text("# TYPE seconds histogram\n" LINE("0.005", "1") LINE("0.01", "1") LINE("0.025", "1") LINE("0.05",
		"1") LINE("0.1", "1") LINE("0.25", "1") LINE("0.5", "2") LINE("1", "2") LINE("2.5", "2") LINE("5", "2")
			LINE("10", "2") LINE("+Inf", "3") "seconds_sum{exported_le=\"mine\",path=\"/\"} 100.305\n"
							  "seconds_count{exported_le=\"mine\",path=\"/\"} 3\n");
}

static void names_and_values_are_made_fit(void **state)
{
	const struct metric_label odd[] = {
		{"__name__", "x"}, {"a.b", "quote\" back\\ line\n bad\xff \xc3\xa9"}, {"9", "d"}, {"", "x"}};
	const struct metric_label same[] = {{"a-b", "1"}, {"a.b", "2"}};

	(void)state;
	metrics_count(m, "9 lives: of-a.cat", odd, 4, 1, &e);
	metrics_count(m, "twice", same, 2, 1, &e);
	check_text("# TYPE _9_lives:_of_a_cat counter\n"
		   "_9_lives:_of_a_cat{_9=\"d\",a_b=\"quote\\\" back\\\\ line\\n bad\xef\xbf\xbd \xc3\xa9\"} 1\n"
		   "# TYPE twice counter\n"
		   "twice{a_b=\"1\"} 1\n");
}

static void what_is_refused(void **state)
{
	struct metric_label many[METRICS_LABELS_MAX + 1];
	char name[METRICS_NAME_BYTES_MAX + 2], value[METRICS_LABEL_BYTES_MAX + 2];
	struct metric_label large[] = {{"a", value}};

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	memset(value, 'v', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	for (size_t i = 0; i <= METRICS_LABELS_MAX; i++)
		many[i] = (struct metric_label){"n", "v"};
	assert_int_equal(metrics_count(m, "", NULL, 0, 1, &e), -1);
	assert_int_equal(metrics_count(m, name, NULL, 0, 1, &e), -1);
	assert_int_equal(metrics_count(m, "c", many, METRICS_LABELS_MAX + 1, 1, &e), -1);
	assert_int_equal(metrics_count(m, "c", large, 1, 1, &e), -1);
	assert_int_equal(metrics_count(m, "c", NULL, 0, -1, &e), -1);
	assert_int_equal(metrics_count(m, "c", NULL, 0, NAN, &e), -1);
	assert_int_equal(metrics_count(m, "c", NULL, 0, INFINITY, &e), -1);
	assert_int_equal(metrics_gauge_set(m, "g", NULL, 0, NAN, &e), -1);
	assert_int_equal(metrics_observe(m, "h", NULL, 0, NAN, &e), -1);
	assert_int_equal(metrics_series(m), 0);
	metrics_count(m, "c", NULL, 0, 1, &e);
	assert_int_equal(metrics_gauge_set(m, "c", NULL, 0, 1, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_string_equal(e.text, "metric 'c' is a counter, not a gauge");
	assert_int_equal(metrics_observe(m, "c", many, 1, 1, &e), -1);
}

static void the_number_of_series_is_bounded(void **state)
{
	(void)state;
	log_set_sink(count_warnings, NULL, LOG_INFO);
	for (int i = 0; i < METRICS_SERIES_MAX + 500; i++) {
		char text[16];
		struct metric_label l = {"i", text};

		snprintf(text, sizeof(text), "%d", i);
		assert_int_equal(metrics_count(m, "c", &l, 1, 1, &e), 0);
	}
	assert_int_equal(metrics_series(m), METRICS_SERIES_MAX);
	assert_int_equal(warnings, 1);
	/* What is there goes on. */
	assert_int_equal(metrics_count(m, "c", &(struct metric_label){"i", "1"}, 1, 1, &e), 0);
	log_set_sink(NULL, NULL, LOG_INFO);
}

enum { THREADS = 4, ROUNDS = 5000, SERIES = 50 };

static void *work(void *arg)
{
	struct err mine;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		char text[16];
		struct metric_label l = {"i", text};

		snprintf(text, sizeof(text), "%d", i % SERIES);
		metrics_count(m, "shared", &l, 1, 1, &mine);
		metrics_gauge_add(m, "level", NULL, 0, i % 2 ? 1 : -1, &mine);
		metrics_observe(m, "h", NULL, 0, 0.5, &mine);
		if (i % 1000 == 0) {
			struct buf b = BUF_INIT;

			metrics_write(m, &b);
			buf_done(&b);
		}
	}
	return NULL;
}

static void many_threads(void **state)
{
	pthread_t threads[THREADS];
	struct buf b = BUF_INIT;
	char line[64];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	metrics_write(m, &b);
	assert_int_equal(metrics_series(m), SERIES + 2);
	for (int i = 0; i < SERIES; i++) {
		snprintf(line, sizeof(line), "shared{i=\"%d\"} %d\n", i, THREADS * ROUNDS / SERIES);
		assert_non_null(strstr(buf_str(&b), line));
	}
	assert_non_null(strstr(buf_str(&b), "level 0\n"));
	snprintf(line, sizeof(line), "h_sum %d\nh_count %d\n", THREADS * ROUNDS / 2, THREADS * ROUNDS);
	assert_non_null(strstr(buf_str(&b), line));
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counters_and_gauges, setup, teardown),
		cmocka_unit_test_setup_teardown(histograms, setup, teardown),
		cmocka_unit_test_setup_teardown(names_and_values_are_made_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(the_number_of_series_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(many_threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
