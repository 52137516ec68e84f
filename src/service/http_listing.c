#include "service/http_listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/html.h"

void http_add_encoded_name(struct buf *out, const char *name)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~$+,:=@!*()";

	if (strchr(name, ':'))
		buf_adds(out, "./");
	for (const char *s = name; *s; s++) {
		if (strchr(plain, *s))
			buf_addc(out, *s);
		else
			buf_addf(out, "%%%02X", (unsigned)(unsigned char)*s);
	}
}

static void add_escaped(struct buf *out, const char *s)
{
	for (; *s; s++) {
		const char *entity = html_entity(*s);

		if (entity)
			buf_adds(out, entity);
		else
			buf_addc(out, *s);
	}
}

/* The letter before the name says whether it is a folder; it does not count. */
static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a + 1, *(const char *const *)b + 1);
}

static void write_links(struct buf *names, struct buf *out)
{
	const char *s = buf_data(names), *end = s + buf_len(names);
	const char **sorted;
	size_t n = 0, i = 0;

	for (const char *p = s; p < end; p += strlen(p) + 1)
		n++;
	sorted = xreallocarray(NULL, n + 1, sizeof(*sorted));
	for (const char *p = s; p < end; p += strlen(p) + 1)
		sorted[i++] = p;
	qsort(sorted, n, sizeof(*sorted), compare);
	for (i = 0; i < n; i++) {
		const char *slash = sorted[i][0] == 'd' ? "/" : "";

		buf_adds(out, "<a href=\"");

		http_add_encoded_name(out, sorted[i] + 1);
		buf_addf(out, "%s\">", slash);
		add_escaped(out, sorted[i] + 1);
		buf_addf(out, "%s</a>\n", slash);
	}
	free(sorted);
}

int http_listing_write(struct files_root *root, const char *path, struct buf *out, struct err *e)
{
	struct files_list *list;
	struct buf names = BUF_INIT;
	int rc;

	if (files_list_open(root, path, &list, e) < 0)
		return -1;
	rc = files_list_next(list, HTTP_LISTING_MAX, &names, e);
	files_list_free(list);
	if (rc >= 0) {
		buf_adds(out, "<!doctype html>\n<meta charset=\"utf-8\">\n"
			      "<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n");
		write_links(&names, out);
		if (rc > 0)
			buf_adds(out, "... and more\n");
		buf_adds(out, "</pre>\n");
	}
	buf_done(&names);
	return rc < 0 ? -1 : 0;
}
