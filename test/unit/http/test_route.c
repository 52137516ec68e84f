/* The route table: what matches, what comes first, what conflicts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "http/route.h"

enum { ROUTES_MAX = 8 };

/* "GET /a", "/a/" (any method). `data` is the text itself. */
static int add(struct route_table *t, const char *text, bool automatic, struct err *e)
{
	const char *path = strchr(text, '/');
	char *method = path > text ? xmemdupz(text, (size_t)(path - text) - 1) : NULL;
	struct route_spec s = {.method = method,
		.path = path,
		.colons = true,
		.automatic = automatic,
		.data = (void *)(uintptr_t)text};
	int rc = route_add(t, &s, e);

	free(method);
	return rc;
}

static struct route_table *build(const char *const *routes)
{
	struct route_table *t = route_table_new();
	struct err e;

	for (; *routes; routes++)
		if (add(t, *routes, false, &e) < 0)
			fail_msg("%s", e.text);
	if (route_table_build(t, &e) < 0)
		fail_msg("%s", e.text);
	return t;
}

static void matches(void **state)
{
	static const struct {
		const char *routes[ROUTES_MAX];
		const char *method, *path;
		const char *expected; /* the route; "404"; "> /location"; "! Allow" */
		const char *params;   /* "id=5 b=x" */
	} cases[] = {
		{{"GET /a"}, "GET", "/a", "GET /a", ""},
		{{"GET /a"}, "HEAD", "/a", "GET /a", ""},
		{{"GET /a", "HEAD /a"}, "HEAD", "/a", "HEAD /a", ""},
		{{"GET /a"}, "GET", "/a/", "404", NULL},
		{{"GET /a"}, "GET", "/A", "404", NULL},
		{{"GET /a"}, "GET", "/%61", "GET /a", ""},
		{{"GET /a"}, "POST", "/a", "! GET, HEAD", NULL},
		{{"GET /a", "POST /a", "DELETE /a"}, "PUT", "/a", "! DELETE, GET, HEAD, POST", NULL},
		{{"GET /a", "/"}, "POST", "/a", "/", ""},
		{{"GET /{id}"}, "GET", "/5", "GET /{id}", "id=5"},
		{{"GET /:id"}, "GET", "/5", "GET /:id", "id=5"},
		{{"GET /{id}"}, "GET", "/", "404", NULL},
		{{"GET /{id}"}, "GET", "/5/6", "404", NULL},
		{{"GET /{id}"}, "GET", "/a%2Fb", "GET /{id}", "id=a%2Fb"},
		{{"GET /{a}/x/{b}"}, "GET", "/1/x/2", "GET /{a}/x/{b}", "a=1 b=2"},
		/* text before {name} before rest, with backtracking */
		{{"GET /{id}", "GET /me"}, "GET", "/me", "GET /me", ""},
		{{"GET /{id}", "GET /me"}, "GET", "/you", "GET /{id}", "id=you"},
		{{"GET /a/b/c", "GET /{x}/b/d"}, "GET", "/a/b/d", "GET /{x}/b/d", "x=a"},
		{{"GET /a/{x}/c", "GET /a/{rest...}"}, "GET", "/a/b/d", "GET /a/{rest...}", ""},
		{{"GET /a/{x}", "GET /a/{rest...}"}, "GET", "/a/b", "GET /a/{x}", "x=b"},
		/* subtrees */
		{{"GET /a/"}, "GET", "/a/", "GET /a/", ""},
		{{"GET /a/"}, "GET", "/a/b/c", "GET /a/", ""},
		{{"GET /a/"}, "GET", "/a", "> /a/", NULL},
		{{"GET /a/{rest...}"}, "GET", "/a", "> /a/", NULL},
		{{"GET /a/{rest...}"}, "GET", "/a/", "GET /a/{rest...}", ""},
		{{"GET /a/", "GET /a/{id}"}, "GET", "/a/5", "GET /a/{id}", "id=5"},
		{{"GET /a/{$}"}, "GET", "/a/", "GET /a/{$}", ""},
		{{"GET /a/{$}"}, "GET", "/a/b", "404", NULL},
		{{"GET /{$}", "GET /a"}, "GET", "/", "GET /{$}", ""},
		{{"/assets/", "/"}, "GET", "/assets/x", "/assets/", ""},
		{{"/assets/", "/"}, "GET", "/other", "/", ""},
		{{"/assets/"}, "BREW", "/assets/x", "/assets/", ""},
		/* unclean paths */
		{{"GET /a"}, "GET", "//a", "> /a", NULL},
		{{"GET /a"}, "GET", "/x/../a", "> /a", NULL},
		{{"GET /a"}, "GET", "/./a", "> /a", NULL},
		{{"GET /a"}, "GET", "/../../a", "> /a", NULL},
		{{"GET /a"}, "GET", "/a//", "> /a/", NULL},
		{{"GET /a"}, "GET", "/..", "> /", NULL},
		{{"GET /a"}, "GET", "//evil.example/%2e%2e", "> /evil.example/%2e%2e", NULL},
		{{"GET /a"}, "GET", "*", "404", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct route_table *t = build(cases[i].routes);
		struct buf text = BUF_INIT, got = BUF_INIT, params = BUF_INIT;
		struct route_match m;

		switch (route_match(t, cases[i].method, "", cases[i].path, &m, &text)) {
		case ROUTE_FOUND:
			buf_adds(&got, m.data);
			for (size_t k = 0; k < m.nparams; k++)
				buf_addf(&params, "%s%s=%.*s", k ? " " : "", m.params[k].name, (int)m.params[k].len,
					m.params[k].text);
			break;
		case ROUTE_REDIRECT:
			buf_addf(&got, "> %s", buf_str(&text));
			break;
		case ROUTE_NO_METHOD:
			buf_addf(&got, "! %s", buf_str(&text));
			break;
		case ROUTE_NOT_FOUND:
			buf_adds(&got, "404");
			break;
		}
		if (strcmp(buf_str(&got), cases[i].expected) != 0)
			fail_msg("case %zu: %s %s: '%s' instead of '%s'", i, cases[i].method, cases[i].path,
				buf_str(&got), cases[i].expected);
		if (cases[i].params)
			assert_string_equal(buf_str(&params), cases[i].params);
		buf_done(&text);
		buf_done(&got);
		buf_done(&params);
		route_table_free(t);
	}
}

static void conflicts(void **state)
{
	static const struct {
		const char *a, *b;
		bool conflict;
	} cases[] = {
		{"GET /a", "GET /a", true},
		{"GET /a", "POST /a", false},
		{"GET /a", "GET /b", false},
		{"GET /{x}", "GET /{y}", true},
		{"GET /a/{x}", "GET /{y}/b", true},
		{"GET /a/{x}", "POST /{y}/b", false},
		{"GET /a", "GET /{x}", false},
		{"GET /a/", "GET /a/{x}", false},
		{"GET /a", "GET /a/", true},
		{"GET /{$}", "GET /{id}", true},
		{"GET /a/{$}", "GET /a/b", false},
		{"GET /", "GET /{$}", false},
		{"GET /{p...}", "GET /a", false},
		{"GET /{p...}", "GET /", true},
		{"GET /", "/assets/", true},
		{"GET /{p...}", "/assets/", true},
		{"GET /", "/", false},
		{"GET /assets/x", "/assets/", false},
		{"GET /a", "HEAD /{x}", true},
		{"GET /{x}", "HEAD /a", false},
		{"OPTIONS /a", "OPTIONS /a", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (int turned = 0; turned < 2; turned++) {
			struct route_table *t = route_table_new();
			const char *a = turned ? cases[i].b : cases[i].a, *b = turned ? cases[i].a : cases[i].b;
			struct err e;
			int rc;

			assert_int_equal(add(t, a, false, &e), 0);
			assert_int_equal(add(t, b, false, &e), 0);
			rc = route_table_build(t, &e);
			if ((rc < 0) != cases[i].conflict)
				fail_msg("%s and %s: %s", a, b, rc < 0 ? e.text : "no conflict");
			if (rc < 0) {
				char *expected =
					xasprintf("route pattern conflicts detected:\n  - %s conflicts with %s", a, b);

				assert_int_equal(e.kind, ERR_CONFLICT);
				assert_string_equal(e.text, expected);
				free(expected);
			}
			route_table_free(t);
		}
}

static void automatic_routes_give_way(void **state)
{
	struct route_table *t = route_table_new();
	struct buf text = BUF_INIT;
	struct route_match m;
	struct err e;

	(void)state;
	assert_int_equal(add(t, "GET /a/{id}", false, &e), 0);
	assert_int_equal(add(t, "PUT /a/{name}", false, &e), 0);
	assert_int_equal(add(t, "OPTIONS /a/{id}", true, &e), 0);
	assert_int_equal(add(t, "OPTIONS /a/{name}", true, &e), 0);
	assert_int_equal(add(t, "OPTIONS /{x}/b", true, &e), 0);
	assert_int_equal(route_table_build(t, &e), 0);
	assert_int_equal(route_match(t, "OPTIONS", "", "/a/5", &m, &text), ROUTE_FOUND);
	assert_string_equal(m.data, "OPTIONS /a/{id}");
	route_table_free(t);
	/* One that was written down conflicts with them. */
	t = route_table_new();
	assert_int_equal(add(t, "OPTIONS /a", false, &e), 0);
	assert_int_equal(add(t, "OPTIONS /a", true, &e), 0);
	assert_int_equal(route_table_build(t, &e), -1);
	route_table_free(t);
	buf_done(&text);
}

static void bad_patterns(void **state)
{
	static const char *const cases[] = {"GET /{id}.json", "GET /a{id}", "GET /{}", "GET /{user-id}", "GET /{a}/{a}",
		"GET /{x...}/a", "GET /{$}/a", "GET //a", "GET /a/./b", "GET /a/../b", "GET /{1}",
		"GET /:", "GET /:a-b", "GET /a}", "GET /{a", "GET /{...}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct route_table *t = route_table_new();
		struct err e;

		if (add(t, cases[i], false, &e) == 0)
			fail_msg("'%s' was taken", cases[i]);
		assert_int_equal(e.kind, ERR_INVALID);
		route_table_free(t);
	}
}

static void prefixes_and_hosts(void **state)
{
	static char one[] = "one", two[] = "two";
	struct route_table *t = route_table_new();
	struct buf text = BUF_INIT;
	struct route_match m;
	struct err e;

	(void)state;
	assert_int_equal(
		route_add(t,
			&(struct route_spec){.method = "GET", .prefix = "/v/{tenant}/", .path = "/x/{id}", .data = one},
			&e),
		0);
	assert_int_equal(
		route_add(t, &(struct route_spec){.method = "GET", .host = "Example.org", .path = "/v/", .data = two},
			&e),
		0);
	assert_int_equal(route_table_build(t, &e), 0);
	assert_int_equal(route_match(t, "GET", "other", "/v/t/x/5", &m, &text), ROUTE_FOUND);
	assert_ptr_equal(m.data, one);
	assert_int_equal(m.nparams, 1);
	assert_string_equal(m.params[0].name, "id");
	assert_string_equal(m.pattern, "/v/{tenant}/x/{id}");
	assert_int_equal(route_match(t, "GET", "example.ORG:8080", "/v/t/x/5", &m, &text), ROUTE_FOUND);
	assert_ptr_equal(m.data, two);
	route_table_free(t);
	buf_done(&text);
}

/* More segments than a pattern can have: only a subtree matches. */
static void long_paths(void **state)
{
	static const char *const routes[] = {"GET /a/", "GET /{x}", NULL};
	struct route_table *t = build(routes);
	struct buf path = BUF_INIT, text = BUF_INIT;
	struct route_match m;

	(void)state;
	buf_adds(&path, "/a");
	for (int i = 0; i < 5000; i++)
		buf_adds(&path, "/b");
	assert_int_equal(route_match(t, "GET", "", buf_str(&path), &m, &text), ROUTE_FOUND);
	assert_string_equal(m.data, "GET /a/");
	route_table_free(t);
	buf_done(&path);
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches),
		cmocka_unit_test(conflicts),
		cmocka_unit_test(automatic_routes_give_way),
		cmocka_unit_test(bad_patterns),
		cmocka_unit_test(prefixes_and_hosts),
		cmocka_unit_test(long_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
