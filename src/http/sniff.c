#include "http/sniff.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

static const char html[] = "text/html; charset=utf-8";
static const char plain[] = "text/plain; charset=utf-8";

/* `skip` bytes count as a match whatever they are: "RIFF" length "WEBP". */
struct signature {
	const char *head;
	unsigned head_len;
	unsigned skip;
	const char *tail;
	unsigned tail_len;
	const char *type;
};

#define HEAD(bytes, type)                                \
	{                                                \
		bytes, sizeof(bytes) - 1, 0, "", 0, type \
	}
#define PARTS(bytes, skip, more, type)                                       \
	{                                                                    \
		bytes, sizeof(bytes) - 1, skip, more, sizeof(more) - 1, type \
	}

static const char *const tags[] = {
	"<!DOCTYPE HTML",
	"<HTML",
	"<HEAD",
	"<SCRIPT",
	"<IFRAME",
	"<H1",
	"<DIV",
	"<FONT",
	"<TABLE",
	"<A",
	"<STYLE",
	"<TITLE",
	"<B",
	"<BODY",
	"<BR",
	"<P",
	"<!--",
};

static const struct signature early[] = {
	HEAD("%PDF-", "application/pdf"),
	HEAD("%!PS-Adobe-", "application/postscript"),
	/* Byte order marks; the longer look-alikes are binary anyway. */
	PARTS("\xFE\xFF", 2, "", "text/plain; charset=utf-16be"),
	PARTS("\xFF\xFE", 2, "", "text/plain; charset=utf-16le"),
	PARTS("\xEF\xBB\xBF", 1, "", "text/plain; charset=utf-8"),
	HEAD("\x00\x00\x01\x00", "image/x-icon"),
	HEAD("\x00\x00\x02\x00", "image/x-icon"),
	HEAD("BM", "image/bmp"),
	HEAD("GIF87a", "image/gif"),
	HEAD("GIF89a", "image/gif"),
	PARTS("RIFF", 4, "WEBPVP", "image/webp"),
	HEAD("\x89PNG\x0D\x0A\x1A\x0A", "image/png"),
	HEAD("\xFF\xD8\xFF", "image/jpeg"),
	PARTS("FORM", 4, "AIFF", "audio/aiff"),
	HEAD("ID3", "audio/mpeg"),
	HEAD("OggS\x00", "application/ogg"),
	HEAD("MThd\x00\x00\x00\x06", "audio/midi"),
	PARTS("RIFF", 4, "AVI ", "video/avi"),
	PARTS("RIFF", 4, "WAVE", "audio/wave"),
};

static const struct signature late[] = {
	HEAD("\x1A\x45\xDF\xA3", "video/webm"),
	PARTS("", 34, "LP", "application/vnd.ms-fontobject"),
	HEAD("\x00\x01\x00\x00", "font/ttf"),
	HEAD("OTTO", "font/otf"),
	HEAD("ttcf", "font/collection"),
	HEAD("wOFF", "font/woff"),
	HEAD("wOF2", "font/woff2"),
	HEAD("\x1F\x8B\x08", "application/x-gzip"),
	HEAD("PK\x03\x04", "application/zip"),
	HEAD("Rar!\x1A\x07\x00", "application/x-rar-compressed"),
	HEAD("Rar!\x1A\x07\x01\x00", "application/x-rar-compressed"),
	HEAD("\x00\x61\x73\x6D", "application/wasm"),
};

static const char *find(const struct signature *list, size_t n, const char *data, size_t len)
{
	for (size_t i = 0; i < n; i++) {
		const struct signature *s = &list[i];

		if (len >= s->head_len + s->skip + s->tail_len && memcmp(data, s->head, s->head_len) == 0 &&
			memcmp(data + s->head_len + s->skip, s->tail, s->tail_len) == 0)
			return s->type;
	}
	return NULL;
}

static bool is_blank(char c)
{
	return c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == ' ';
}

/* `tag` is upper case; what follows must end it. */
static bool begins_with_tag(const char *data, size_t len, const char *tag)
{
	size_t n = strlen(tag);

	if (len < n + 1)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = data[i];

		if (tag[i] >= 'A' && tag[i] <= 'Z' && c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (c != tag[i])
			return false;
	}
	return data[n] == ' ' || data[n] == '>';
}

/* Section 6.2.1: an `ftyp` box with a brand that begins with "mp4". */
static bool is_mp4(const char *data, size_t len)
{
	const unsigned char *b = (const unsigned char *)data;
	size_t box;

	if (len < 12 || memcmp(data + 4, "ftyp", 4) != 0)
		return false;
	box = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
	if (len < box || box % 4 != 0)
		return false;
	for (size_t at = 8; at < box; at += 4) {
		if (at != 12 && memcmp(data + at, "mp4", 3) == 0) /* 12: the version */
			return true;
	}
	return false;
}

/* Section 3: a byte that text does not hold. */
static bool has_binary(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i];

		if (c <= 0x08 || c == 0x0B || (c >= 0x0E && c <= 0x1A) || (c >= 0x1C && c <= 0x1F))
			return true;
	}
	return false;
}

const char *http_sniff(const void *data, size_t len)
{
	const char *all = data, *text, *type;
	size_t text_len;

	if (len == 0)
		return plain;
	if (len > HTTP_SNIFF_BYTES)
		len = HTTP_SNIFF_BYTES;
	text = all;
	text_len = len;
	while (text_len > 0 && is_blank(*text)) {
		text++;
		text_len--;
	}
	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		if (begins_with_tag(text, text_len, tags[i]))
			return html;
	}
	if (text_len >= 5 && memcmp(text, "<?xml", 5) == 0)
		return "text/xml; charset=utf-8";
	type = find(early, ARRAY_LEN(early), all, len);
	if (!type && is_mp4(all, len))
		type = "video/mp4";
	if (!type)
		type = find(late, ARRAY_LEN(late), all, len);
	if (!type)
		type = has_binary(text, text_len) ? "application/octet-stream" : plain;
	return type;
}
