/*
 * Guessing the type of content.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "http/sniff.h"

#define ROW(bytes, type)                       \
	{                                      \
		bytes, sizeof(bytes) - 1, type \
	}

static const struct {
	const char *data;
	size_t len;
	const char *type;
} rows[] = {
	ROW("", "text/plain; charset=utf-8"),
	ROW("{\"a\":1}", "text/plain; charset=utf-8"),
	ROW("hello\n\x1b[0m", "text/plain; charset=utf-8"),
	ROW("\t\n\f\r <!doctype html>", "text/html; charset=utf-8"),
	ROW("<!DOCTYPE HTML ", "text/html; charset=utf-8"),
	ROW("<html>", "text/html; charset=utf-8"),
	ROW("<p>x", "text/html; charset=utf-8"),
	ROW("<P x", "text/html; charset=utf-8"),
	ROW("<html", "text/plain; charset=utf-8"),
	ROW("<pre>", "text/plain; charset=utf-8"),
	ROW("<!-- x -->", "text/html; charset=utf-8"),
	ROW("<!--x", "text/plain; charset=utf-8"),
	ROW(" <?xml version=\"1.0\"?>", "text/xml; charset=utf-8"),
	ROW("<?XML ", "text/plain; charset=utf-8"),
	ROW("%PDF-1.7", "application/pdf"),
	ROW(" %PDF-1.7", "text/plain; charset=utf-8"),
	ROW("%!PS-Adobe-3.0", "application/postscript"),
	ROW("\xFE\xFF\x00\x41", "text/plain; charset=utf-16be"),
	ROW("\xFF\xFE\x41\x00", "text/plain; charset=utf-16le"),
	ROW("\xEF\xBB\xBFx", "text/plain; charset=utf-8"),
	ROW("\x00\x00\x01\x00", "image/x-icon"),
	ROW("\x00\x00\x02\x00", "image/x-icon"),
	ROW("BM..", "image/bmp"),
	ROW("GIF87a", "image/gif"),
	ROW("GIF89a", "image/gif"),
	ROW("RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"),
	ROW("\x89PNG\x0D\x0A\x1A\x0A", "image/png"),
	ROW("\xFF\xD8\xFF\xE0", "image/jpeg"),
	ROW("FORM\x00\x00\x00\x01\x41IFF", "audio/aiff"),
	ROW("ID3\x03", "audio/mpeg"),
	ROW("OggS\x00", "application/ogg"),
	ROW("MThd\x00\x00\x00\x06", "audio/midi"),
	ROW("RIFF\x00\x00\x00\x01\x41VI LIST", "video/avi"),
	ROW("RIFF\x00\x00\x00\x01WAVE", "audio/wave"),
	ROW("\x00\x00\x00\x14"
	    "ftypisom\x00\x00\x00\x00mp41",
		"video/mp4"),
	ROW("\x00\x00\x00\x18"
	    "ftypmp42\x00\x00\x00\x00mp42isom",
		"video/mp4"),
	ROW("\x00\x00\x00\x14"
	    "ftypisom"
	    "mp41"
	    "abcd",
		"application/octet-stream"),
	ROW("\x00\x00\x01\x14"
	    "ftypmp42\x00\x00\x00\x00",
		"application/octet-stream"),
	ROW("\x1A\x45\xDF\xA3", "video/webm"),
	ROW("\x00\x01\x00\x00", "font/ttf"),
	ROW("OTTO", "font/otf"),
	ROW("ttcf", "font/collection"),
	ROW("wOFF", "font/woff"),
	ROW("wOF2", "font/woff2"),
	ROW("\x1F\x8B\x08", "application/x-gzip"),
	ROW("PK\x03\x04", "application/zip"),
	ROW("Rar!\x1A\x07\x00", "application/x-rar-compressed"),
	ROW("Rar!\x1A\x07\x01\x00", "application/x-rar-compressed"),
	ROW("\x00\x61\x73\x6D", "application/wasm"),
	ROW("\x01\x02\x03", "application/octet-stream"),
	ROW("text\x00", "application/octet-stream"),
};

static void types(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(http_sniff(rows[i].data, rows[i].len), rows[i].type);
}

static void only_the_first_bytes_count(void **state)
{
	char data[HTTP_SNIFF_BYTES + 1];

	(void)state;
	memset(data, 'x', sizeof(data));
	data[HTTP_SNIFF_BYTES] = 0;
	assert_string_equal(http_sniff(data, sizeof(data)), "text/plain; charset=utf-8");
	data[HTTP_SNIFF_BYTES - 1] = 0;
	assert_string_equal(http_sniff(data, sizeof(data)), "application/octet-stream");
}

static void embedded_font(void **state)
{
	char data[36] = {1};

	(void)state;
	memcpy(data + 34, "LP", 2);
	assert_string_equal(http_sniff(data, sizeof(data)), "application/vnd.ms-fontobject");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types),
		cmocka_unit_test(only_the_first_bytes_count),
		cmocka_unit_test(embedded_font),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
