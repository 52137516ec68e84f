/*
 * Multipart bodies: whole, and a byte at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "http/media_type.h"
#include "http/multipart.h"

/* Written down as it comes: [name filename] data ; */
static int on_part(void *arg, const struct multipart_head *h, struct err *e)
{
	(void)e;
	buf_addf(arg, "[%s%s%s]", h->name, h->filename ? " " : "", h->filename ? h->filename : "");
	return 0;
}

static int on_data(void *arg, const char *data, size_t len, struct err *e)
{
	(void)e;
	assert_true(len > 0);
	buf_add(arg, data, len);
	return 0;
}

static int on_end(void *arg, struct err *e)
{
	(void)e;
	buf_addc(arg, ';');
	return 0;
}

static const struct multipart_ops ops = {on_part, on_data, on_end};

/* The boundary is B. `want` NULL: it fails with `error` in its text. */
static void run(const char *body, size_t len, size_t step, const char *want, const char *error)
{
	struct multipart m;
	struct buf got = BUF_INIT;
	struct err e = {0};
	int rc = 0;

	multipart_init(&m, "B", &ops, &got);
	for (size_t i = 0; rc == 0 && i < len; i += step) {
		/* Of its own size, so that reading beyond is seen. */
		char *portion = xmemdupz(body + i, len - i < step ? len - i : step);

		rc = multipart_feed(&m, portion, len - i < step ? len - i : step, &e);
		free(portion);
	}
	if (rc == 0)
		rc = multipart_end(&m, &e);
	if (want) {
		assert_int_equal(rc, 0);
		assert_string_equal(buf_str(&got), want);
	} else {
		assert_int_equal(rc, -1);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_non_null(strstr(e.text, error));
	}
	multipart_done(&m);
	buf_done(&got);
}

#define FIELD(name) "Content-Disposition: form-data; name=\"" name "\"\r\n\r\n"

static const struct {
	const char *body;
	const char *want;
	const char *error;
} rows[] = {
	{"--B\r\n" FIELD("a") "1\r\n--B--\r\n", "[a]1;", NULL},
	{"--B\r\n" FIELD("a") "1\r\n--B--", "[a]1;", NULL},
	{"--B\r\n" FIELD("a") "1\r\n--B\r\n" FIELD("b") "2\r\n--B--\r\n", "[a]1;[b]2;", NULL},
	{"pre\r\nam\r\n--B \t\r\n" FIELD("a") "1\r\n--B--\r\nepilogue\r\n--B\r\n", "[a]1;", NULL},
	{"--B\r\n" FIELD("a") "\r\n--B--\r\n", "[a];", NULL},
	/* A part without a body. */
	{"--B\r\n" FIELD("a") "--B--\r\n", "[a];", NULL},
	{"--B--\r\n", "", NULL},
	/* What only looks like a delimiter. */
	{"--B\r\n" FIELD("a") "x\r\n--C\r\ny\r\r\n-\r\n--Bx\r\n--B-x\r\nz\r\n--B--",
		"[a]x\r\n--C\r\ny\r\r\n-\r\n--Bx\r\n--B-x\r\nz;", NULL},
	{"--B\r\n" FIELD("a") "--Bx\r\n--B--", "[a]--Bx;", NULL},
	{"--B\r\n" FIELD("a") "\r\n--B\r\n" FIELD("b") "\r\r\n--B--", "[a];[b]\r;", NULL},
	{"--B\r\n" FIELD("a") "a\n--B\r\n--B--", "[a]a\n--B;", NULL},
	/* Header fields. */
	{"--B\r\ncontent-disposition: FORM-DATA;name=a; filename=\"x.txt\"\r\nContent-Type: "
	 "text/plain\r\n\r\n1\r\n--B--",
		"[a x.txt]1;", NULL},
	{"--B\r\nContent-Disposition: form-data;\r\n  name=\"a\"\r\nX: y\r\n\r\n1\r\n--B--", "[a]1;", NULL},
	{"--B\r\nContent-Disposition: form-data; name=\"a\"; filename=\"/etc/../passwd\"\r\n\r\n1\r\n--B--",
		"[a passwd]1;", NULL},
	{"--B\r\nContent-Disposition: form-data; name=\"a\"; filename=\"C:\\dir\\file.txt\"\r\n\r\n1\r\n--B--",
		"[a file.txt]1;", NULL},
	{"--B\r\nContent-Disposition: form-data; name=\"a\"; filename=\"\"\r\n\r\n1\r\n--B--", "[a]1;", NULL},
	{"--B\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n1\r\n--B--", "[]1;", NULL},
	{"--B\r\n\r\n1\r\n--B--", "[]1;", NULL},
	/* What is refused. */
	{"", NULL, "before the last boundary"},
	{"--B\r\n" FIELD("a") "1", NULL, "before the last boundary"},
	{"--B\r\n" FIELD("a") "1\r\n--B", NULL, "before the last boundary"},
	{"--B\r\n" FIELD("a") "1\r\n--B-", NULL, "before the last boundary"},
	{"--B\r\nContent-Disposition", NULL, "before the last boundary"},
	{"--B x\r\n", NULL, "follows a boundary"},
	{"--B\rx", NULL, "does not end in CR LF"},
	{"--B\r\nno colon\r\n\r\n", NULL, "without a name"},
	{"--B\r\n: x\r\n\r\n", NULL, "without a name"},
	{"--B\r\na b: x\r\n\r\n", NULL, "no token"},
	{"--B\r\n a: x\r\n\r\n", NULL, "no token"},
	{"--B\r\na: x\n\r\n", NULL, "does not end in CR LF"},
	{"--B\r\na: x\ry\r\n", NULL, "bare CR"},
};

static void bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].body);

		for (size_t step = 1; step <= len + 1; step++)
			run(rows[i].body, len, step, rows[i].want, rows[i].error);
	}
}

static void limits(void **state)
{
	struct buf body = BUF_INIT;

	(void)state;
	buf_adds(&body, "--B\r\nX: ");
	for (int i = 0; i < MULTIPART_HEADER_BYTES_MAX; i++)
		buf_addc(&body, 'x');
	buf_adds(&body, "\r\n\r\n\r\n--B--");
	run(buf_data(&body), buf_len(&body), 4096, NULL, "header is too large");
	buf_clear(&body);
	for (int i = 0; i <= MULTIPART_PARTS_MAX; i++)
		buf_adds(&body, "\r\n--B\r\n\r\n");
	buf_adds(&body, "\r\n--B--");
	run(buf_data(&body), buf_len(&body), 4096, NULL, "too many parts");
	buf_clear(&body);
	buf_add(&body, "--B\r\nX: a\0b\r\n\r\n\r\n--B--", 23);
	run(buf_data(&body), buf_len(&body), 4096, NULL, "NUL");
	buf_done(&body);
}

static int refuse(void *arg, const struct multipart_head *h, struct err *e)
{
	(void)arg, (void)h;
	return err_set(e, ERR_INTERNAL, "no");
}

static void a_callback_can_stop_it(void **state)
{
	static const struct multipart_ops stop = {refuse, on_data, on_end};
	static const char body[] = "--B\r\n\r\nx\r\n--B--";
	struct multipart m;
	struct err e;

	(void)state;
	multipart_init(&m, "B", &stop, NULL);
	assert_int_equal(multipart_feed(&m, body, strlen(body), &e), -1);
	assert_string_equal(e.text, "no");
	multipart_done(&m);
}

static void boundaries(void **state)
{
	static const char *const cases[][2] = {
		{"multipart/form-data; boundary=abc", "abc"},
		{"multipart/form-data;boundary=\"a b:c\"; charset=x", "a b:c"},
		{"multipart/form-data; charset=x; BOUNDARY=abc", "abc"},
		{"multipart/form-data", NULL},
		{"multipart/form-data; boundary=", NULL},
		{"multipart/form-data; boundary=\"\"", NULL},
		{"multipart/form-data; boundary=\"abc", NULL},
		{"multipart/form-data; boundary=\"a\tb\"", NULL},
		{"multipart/form-data; boundary=\"a \"", NULL},
		{"multipart/form-data; boundary=0123456789012345678901234567890123456789012345678901234567890123456789",
			"0123456789012345678901234567890123456789012345678901234567890123456789"},
		{"multipart/form-data; "
		 "boundary=01234567890123456789012345678901234567890123456789012345678901234567890",
			NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char got[MULTIPART_BOUNDARY_MAX + 1];

		assert_int_equal(multipart_boundary(cases[i][0], got), cases[i][1] != NULL);
		if (cases[i][1])
			assert_string_equal(got, cases[i][1]);
	}
}

static void params(void **state)
{
	static const char *const cases[][3] = {
		{"form-data; name=\"a\"", "name", "a"},
		{"form-data; name=\"a\\\"b\\\\c\\d\"", "name", "a\"b\\c\\d"},
		{"form-data; filename=\"x\"; filename*=UTF-8''%e2%82%ac.txt", "filename", "\xe2\x82\xac.txt"},
		{"form-data; filename*=utf-8'en'a%20b; filename=\"x\"", "filename", "a b"},
		{"form-data; filename=\"x\"; filename*=UTF-16''y", "filename", "x"},
		{"form-data; filename=\"x\"; filename*=UTF-8''%zz", "filename", "x"},
		{"form-data; filename*=UTF-8''%zz", "filename", NULL},
		{"form-data; name=a; name=b", "name", "a"},
		{"form-data; names=a", "name", NULL},
		{"form-data; nam=a", "name", NULL},
		{"form-data; x=\"; name=a\"", "name", NULL},
		{"form-data; x; name=a", "name", NULL},
		{"form-data", "name", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT;

		assert_int_equal(media_type_param(cases[i][0], cases[i][1], &b), cases[i][2] != NULL);
		assert_string_equal(buf_str(&b), cases[i][2] ? cases[i][2] : "");
		buf_done(&b);
	}
	assert_true(media_type_is(" Form-Data ; x=y", "form-data"));
	assert_false(media_type_is("form-database", "form-data"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies),
		cmocka_unit_test(limits),
		cmocka_unit_test(a_callback_can_stop_it),
		cmocka_unit_test(boundaries),
		cmocka_unit_test(params),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
