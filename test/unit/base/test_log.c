/* Log records: what reaches the sink, and what is not even built. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"

static int records;
static int evaluated;

static void take(void *arg, const struct log_record *r)
{
	assert_ptr_equal(arg, &records);
	records++;
	if (records == 1) {
		assert_int_equal(r->level, LOG_WARN);
		assert_string_equal(r->name, "test");
		assert_string_equal(r->message, "hello");
		assert_int_equal(r->nfields, 4);
		assert_string_equal(r->fields[0].key, "s");
		assert_string_equal(r->fields[0].str, "text");
		assert_int_equal(r->fields[1].i, 42);
		assert_true(r->fields[2].f == 1.5);
		assert_true(r->fields[3].b);
	} else {
		assert_int_equal(r->nfields, 0);
	}
}

static int count_me(void)
{
	return ++evaluated;
}

static void passes_records(void **state)
{
	(void)state;
	log_error("test", "dropped: no sink", LOG_INT("n", count_me()));
	assert_false(log_enabled(LOG_ERROR));
	log_set_sink(take, &records, LOG_INFO);
	log_debug("test", "dropped: too low", LOG_INT("n", count_me()));
	assert_int_equal(evaluated, 0);
	log_warn("test", "hello", LOG_STR("s", "text"), LOG_INT("i", 42), LOG_FLOAT("f", 1.5), LOG_BOOL("b", true));
	log_info("test", "no fields");
	assert_int_equal(records, 2);
	log_write(&(struct log_record){.level = LOG_DEBUG, .name = "test", .message = "dropped"});
	assert_int_equal(records, 2);
	log_set_sink(NULL, NULL, LOG_INFO);
	log_error("test", "dropped again");
	assert_int_equal(records, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
