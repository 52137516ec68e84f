/*
 * fuzz_expr.c - any bytes as an expression, compiled and run; and as a regular expression.
 *
 * Whatever fails must say why.
 */
#include <stdint.h>
#include <stdlib.h>

#include "value/expr.h"
#include "value/json.h"
#include "value/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_explain(int rc, const struct err *e)
{
	if (rc < 0 && e->text[0] == '\0')
		abort();
}

static void run(const char *text, size_t len)
{
	static const char environment[] =
		"{\"n\": 7, \"s\": \"hello\", \"l\": [3, 1, {\"a\": \"x\"}], \"m\": {\"k\": [1.5]}}";
	static struct value *env;
	struct err e = {0};
	struct value *v;
	struct expr *x;
	int rc;

	if (!env && json_parse(environment, sizeof(environment) - 1, &env, &e) < 0)
		abort();
	rc = expr_compile(text, len, &x, &e);
	must_explain(rc, &e);
	if (rc < 0)
		return;
	struct expr_name names[] = {{"n", value_get(env, "n")}, {"s", value_get(env, "s")}, {"l", value_get(env, "l")},
		{"m", value_get(env, "m")}};

	rc = expr_run(x, names, 4, &v, &e);
	must_explain(rc, &e);
	if (rc == 0)
		value_unref(v);
	expr_unref(x);
}

static void match(const char *text, size_t len)
{
	struct regex_span spans[4];
	struct regex *r;
	struct err e = {0};
	int rc = regex_compile(text, len, &r, &e);

	must_explain(rc, &e);
	if (rc < 0)
		return;
	rc = regex_search(r, text, len, 0, spans, 4, &e);
	must_explain(rc, &e);
	if (rc == 1 && (spans[0].start > spans[0].end || spans[0].end > len))
		abort();
	regex_unref(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 4096)
		return 0;
	run((const char *)data, size);
	match((const char *)data, size);
	return 0;
}
