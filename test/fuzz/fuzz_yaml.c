/*
 * fuzz_yaml.c - any bytes through the YAML and JSON parsers.
 *
 * Beyond not crashing: what was parsed is written and must read back as an equal tree.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "value/json.h"
#include "value/yaml.h"

enum { ROUND_TRIP_NODES_MAX = 2000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Number of nodes, walking shared ones as often as they appear; stops counting above the maximum. ret_exact becomes
 * false if a writer cannot keep the tree as it is: NaN never equals itself, and JSON has neither infinities nor a way
 * to tell a float beyond 64 bits from an integer, which is clamped. */
static size_t survey(const struct value *v, size_t n, bool *ret_exact)
{
	double f;

	n++;
	if (n > ROUND_TRIP_NODES_MAX)
		return n;
	switch (value_type(v)) {
	case VALUE_FLOAT:
		f = value_get_float(v);
		if (isnan(f) || fabs(f) >= 0x1p63)
			*ret_exact = false;
		break;
	case VALUE_LIST:
		for (size_t i = 0; i < value_count(v) && n <= ROUND_TRIP_NODES_MAX; i++)
			n = survey(value_at(v, i), n, ret_exact);
		break;
	case VALUE_MAP:
		for (size_t i = 0; i < value_count(v) && n <= ROUND_TRIP_NODES_MAX; i++)
			n = survey(value_pair(v, i, NULL, NULL), n, ret_exact);
		break;
	default:
		break;
	}
	return n;
}

static void must_equal(const char *what, const struct value *v, int rc, struct value *again, const struct buf *text,
	const struct err *e)
{
	if (rc == 0 && value_equal(v, again)) {
		value_unref(again);
		return;
	}
	fprintf(stderr, "%s does not read back (%s):\n%s\n", what, rc < 0 ? e->text : "different", buf_str(text));
	abort();
}

static void round_trip(struct value *v)
{
	struct buf text = BUF_INIT;
	struct value *again = NULL;
	struct err e = {0};
	bool exact = true;
	int rc;

	if (survey(v, 0, &exact) > ROUND_TRIP_NODES_MAX || !exact)
		return;
	yaml_write(v, &text);
	rc = yaml_parse("again", buf_data(&text), buf_len(&text), &again, &e);
	must_equal("YAML", v, rc, again, &text, &e);
	buf_clear(&text);
	json_write(v, &text);
	rc = json_parse(buf_data(&text), buf_len(&text), &again, &e);
	must_equal("JSON", v, rc, again, &text, &e);
	buf_clear(&text);
	json_write_pretty(v, &text);
	rc = json_parse(buf_data(&text), buf_len(&text), &again, &e);
	must_equal("indented JSON", v, rc, again, &text, &e);
	buf_done(&text);
}

static void must_explain(int rc, const struct err *e)
{
	if (rc < 0 && e->text[0] == '\0')
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = {0};
	struct value *v = NULL;
	int rc;

	rc = yaml_parse("fuzz", (const char *)data, size, &v, &e);
	must_explain(rc, &e);
	if (rc == 0) {
		round_trip(v);
		value_unref(v);
	}
	e = (struct err){0};
	rc = json_parse((const char *)data, size, &v, &e);
	must_explain(rc, &e);
	if (rc == 0) {
		round_trip(v);
		value_unref(v);
	}
	return 0;
}
