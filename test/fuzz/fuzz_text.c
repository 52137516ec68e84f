/*
 * fuzz_text.c - splitting, differences and patches of any bytes.
 *
 * A difference rebuilds both texts, a patch takes its old text to the new one, and no chunk is empty.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "value/split.h"
#include "value/text_diff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool so, const char *what)
{
	if (so)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

static void split(const char *text, size_t len, unsigned flags)
{
	struct split_options opt = {.size = 1 + flags % 40, .overlap = flags % 7 % (1 + flags % 40)};
	struct value *chunks;
	struct err e = {0};
	size_t n;

	opt.keep_separator = flags & 1;
	opt.code_blocks = flags & 2;
	opt.reference_links = flags & 4;
	opt.heading_hierarchy = flags & 8;
	opt.join_table_rows = flags & 16;
	for (int markdown = 0; markdown < 2; markdown++) {
		int rc = markdown ? split_markdown(text, len, &opt, &chunks, &e)
				  : split_recursive(text, len, &opt, &chunks, &e);

		must(rc == 0, e.text);
		for (size_t i = 0; i < value_count(chunks); i++) {
			value_get_string(value_at(chunks, i), &n);
			must(n > 0, "a chunk has text");
		}
		value_unref(chunks);
	}
}

static void diff(const char *a, size_t a_len, const char *b, size_t b_len)
{
	struct text_diff_options opt = {.timeout_s = 0.1,
		.match_threshold = 0.5,
		.match_distance = 100,
		.patch_delete_threshold = 0.5,
		.patch_margin = a_len % 5};
	struct buf old = BUF_INIT, new = BUF_INIT, out = BUF_INIT;
	struct text_patches patches;
	struct text_diff d;
	struct err e = {0};
	bool ok = false;

	must(text_diff(a, a_len, b, b_len, &opt, &d, &e) == 0, e.text);
	for (size_t i = 0; i < d.n; i++) {
		if (d.changes[i].operation != TEXT_INSERT)
			buf_add(&old, d.changes[i].text, d.changes[i].len);
		if (d.changes[i].operation != TEXT_DELETE)
			buf_add(&new, d.changes[i].text, d.changes[i].len);
	}
	must(buf_len(&old) == a_len && memcmp(buf_data(&old), a, a_len) == 0, "the old text is rebuilt");
	must(buf_len(&new) == b_len && memcmp(buf_data(&new), b, b_len) == 0, "the new text is rebuilt");
	text_diff_done(&d);
	must(text_patch_make(a, a_len, b, b_len, &opt, &patches, &e) == 0, e.text);
	must(text_patch_apply(&patches, a, a_len, &opt, &out, &ok, &e) == 0, e.text);
	/* Bytes that are no UTF-8 may become a character where texts meet: then what is found is another one. */
	buf_clear(&out);
	must(text_patch_apply(&patches, b, b_len, &opt, &out, &ok, &e) == 0, e.text);
	text_patches_done(&patches);
	buf_done(&old);
	buf_done(&new);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	size_t half;

	if (size < 2 || size > 4096)
		return 0;
	half = 1 + (size - 1) * data[0] / 255;
	split(text + 1, size - 1, data[0]);
	diff(text + 1, half - 1, text + half, size - half);
	return 0;
}
