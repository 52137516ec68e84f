/* The block `tls` of a server: what is left of it once its variables have changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "service/http_server_tls.h"
#include "value/json.h"

/* It was complete when its entry was read; a start comes later, and a variable may be empty by then. */
static void a_block_that_became_empty(void **state)
{
	static const struct {
		const char *tls, *words;
	} cases[] = {
		{"{\"mode\":\"manual\",\"cert\":\"${env:GONE|}\",\"key\":\"${env:GONE|}\"}",
			"tls.mode=manual requires cert+key or cert_env+key_env"},
		{"{\"mode\":\"manual\",\"cert\":\"c\",\"key\":\"${env:GONE|}\"}",
			"tls.mode=manual: cert and key must both be set"},
		{"{\"mode\":\"manual\",\"cert\":\"c\",\"key\":\"k\",\"certificates\":[{\"hosts\":\"a.test\",\"cert\":"
		 "\"${env:GONE|"
		 "}\","
		 "\"key\":\"${env:GONE|}\"}]}",
			"tls.certificates[0] requires cert+key or cert_env+key_env"},
		{"{\"mode\":\"${env:GONE|}\"}", "tls.mode is not manual any more"},
	};
	struct env *env = env_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tls_server *server = NULL;
		struct value *tls;
		struct err e;

		assert_int_equal(json_parse(cases[i].tls, strlen(cases[i].tls), &tls, &e), 0);
		assert_int_equal(server_tls_load(env, "app", tls, &server, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
		if (!strstr(e.text, cases[i].words))
			fail_msg("\"%s\" has no \"%s\"", e.text, cases[i].words);
		assert_null(server);
		value_unref(tls);
	}
	env_free(env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_that_became_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
