/*
 * fuzz_template.c - any bytes as a template, parsed and rendered within a set that it may extend, import and include.
 *
 * Whatever fails must say why.
 */
#include <stdint.h>
#include <stdlib.h>

#include "value/json.h"
#include "value/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_explain(int rc, const struct err *e)
{
	if (rc < 0 && e->text[0] == '\0')
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char environment[] =
		"{\"n\": 7, \"s\": \"<x>\", \"l\": [3, {\"a\": \"x\"}], \"m\": {\"k\": [1.5]}}";
	static const char layout[] = "<{{ block b(x=1) }}{{ yield content }}{{ x }}{{ end }}>{{ n }}";
	static struct value *env;
	static struct template *other;
	struct template_set *set;
	struct buf out = BUF_INIT;
	struct template *t;
	struct err e = {0};
	int rc;

	if (size > 4096)
		return 0;
	if (!env && (json_parse(environment, sizeof(environment) - 1, &env, &e) < 0 ||
			    template_parse("b", layout, sizeof(layout) - 1, &other, &e) < 0))
		abort();
	rc = template_parse("a", (const char *)data, size, &t, &e);
	must_explain(rc, &e);
	if (rc < 0)
		return 0;
	set = template_set_new();
	template_set_put(set, "a", t);
	template_set_put(set, "b", other);
	template_unref(t);
	rc = template_render(set, "a", env, &out, &e);
	must_explain(rc, &e);
	buf_done(&out);
	template_set_unref(set);
	return 0;
}
