/*
 * fuzz_multipart.c - a body of several parts, whole and a byte at a time: both say the same, and no part is larger than the body.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_part(void *arg, const struct multipart_head *h, struct err *e)
{
	(void)e;
	buf_addf(arg, "[%s|%s|", h->name, h->filename ? h->filename : "-");
	buf_add(arg, h->fields, h->fields_len);
	return 0;
}

static int on_data(void *arg, const char *data, size_t len, struct err *e)
{
	(void)e;
	buf_add(arg, data, len);
	return 0;
}

static int on_end(void *arg, struct err *e)
{
	(void)e;
	buf_addc(arg, ']');
	return 0;
}

static const struct multipart_ops ops = {on_part, on_data, on_end};

static int run(const char *boundary, const char *data, size_t len, size_t step, struct buf *out)
{
	struct multipart m;
	struct err e;
	int rc = 0;

	multipart_init(&m, boundary, &ops, out);
	for (size_t i = 0; rc == 0 && i < len; i += step)
		rc = multipart_feed(&m, data + i, len - i < step ? len - i : step, &e);
	if (rc == 0)
		rc = multipart_end(&m, &e);
	multipart_done(&m);
	return rc;
}

/* The first line is the Content-Type, the rest the body. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *nl = memchr(text, '\n', size);
	struct buf whole = BUF_INIT, bytes = BUF_INIT;
	char boundary[MULTIPART_BOUNDARY_MAX + 1];
	char type[256];
	size_t head = nl ? (size_t)(nl - text) : size;
	int a, b;

	if (!nl || head >= sizeof(type))
		return 0;
	memcpy(type, text, head);
	type[head] = '\0';
	if (!multipart_boundary(type, boundary))
		return 0;
	a = run(boundary, nl + 1, size - head - 1, size, &whole);
	b = run(boundary, nl + 1, size - head - 1, 1, &bytes);
	if (a != b || buf_len(&whole) != buf_len(&bytes) ||
		memcmp(buf_data(&whole), buf_data(&bytes), buf_len(&whole)) != 0) {
		fprintf(stderr, "the portions make a difference\n");
		abort();
	}
	buf_done(&whole);
	buf_done(&bytes);
	return 0;
}
