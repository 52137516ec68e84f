/*
 * stream_scanner.c - a stream cut into lines, words, bytes or characters.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "bind/stream.h"
#include "engine/lua_api.h"

static const char scanner_type[] = "stream.Scanner";

/* Says where the next token of `s` lies: true with its place and what to drop behind it. False: more bytes are
 * needed, or at the `end` there is none. */
typedef bool split_fn(const char *s, size_t len, bool end, size_t *ret_start, size_t *ret_len, size_t *ret_drop);

struct scanner {
	struct stream *stream; /* kept alive by the user value */
	split_fn *split;
	struct buf buf;
	struct buf token;
	bool ended;
	bool failed;
	bool over;
	bool err_objects;
	struct err err;
};

static bool split_lines(const char *s, size_t len, bool end, size_t *ret_start, size_t *ret_len, size_t *ret_drop)
{
	const char *nl = memchr(s, '\n', len);
	size_t n = nl ? (size_t)(nl - s) : len;

	if (!nl && (!end || len == 0))
		return false;
	*ret_start = 0;
	*ret_drop = nl ? n + 1 : n;
	*ret_len = n > 0 && s[n - 1] == '\r' ? n - 1 : n;
	return true;
}

/* The length of the white space at `s`, 0 when there is none; Unicode's, as far as it matters for text. */
static size_t space_at(const char *s, size_t len)
{
	uint32_t c = 0;
	size_t n = utf8_sequence(s, len, &c);

	if (n == 0)
		return 0;
	if ((c >= '\t' && c <= '\r') || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
		(c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000)
		return n;
	return 0;
}

/* Might the bytes from `at` be the beginning of a character that is not there yet? */
static bool is_cut(const char *s, size_t at, size_t len)
{
	unsigned char c = (unsigned char)s[at];
	size_t want = c >= 0xf0 && c <= 0xf4 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1;

	if (c >= 0xf5 || len - at >= want)
		return false;
	for (size_t i = at + 1; i < len; i++)
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return false;
	return true;
}

static bool split_words(const char *s, size_t len, bool end, size_t *ret_start, size_t *ret_len, size_t *ret_drop)
{
	size_t start = 0, n;

	while (start < len && (n = space_at(s + start, len - start)) > 0)
		start += n;
	for (size_t i = start; i < len; i++) {
		n = space_at(s + i, len - i);
		if (n > 0) {
			*ret_start = start;
			*ret_len = i - start;
			*ret_drop = i + n;
			return true;
		}
	}
	*ret_start = start;
	*ret_len = len - start;
	*ret_drop = len;
	return end && start < len;
}

static bool split_bytes(const char *s, size_t len, bool end, size_t *ret_start, size_t *ret_len, size_t *ret_drop)
{
	(void)s;
	(void)end;
	*ret_start = 0;
	*ret_len = *ret_drop = 1;
	return len > 0;
}

/* What is no UTF-8 becomes U+FFFD, byte by byte: *ret_len is then 0. */
static bool split_runes(const char *s, size_t len, bool end, size_t *ret_start, size_t *ret_len, size_t *ret_drop)
{
	size_t n = utf8_sequence(s, len, NULL);

	if (len == 0 || (n == 0 && !end && is_cut(s, 0, len)))
		return false;
	*ret_start = 0;
	*ret_len = n;
	*ret_drop = n ? n : 1;
	return true;
}

static split_fn *split_of(const char *word)
{
	static const struct {
		const char *word;
		split_fn *split;
	} known[] = {{"lines", split_lines}, {"words", split_words}, {"bytes", split_bytes}, {"runes", split_runes}};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(known[i].word, word) == 0)
			return known[i].split;
	return NULL;
}

bool stream_split_is_known(const char *split)
{
	return split_of(split) != NULL;
}

static bool take_token(struct scanner *sc)
{
	size_t start, len, drop;

	if (!sc->split(buf_data(&sc->buf), buf_len(&sc->buf), sc->ended, &start, &len, &drop))
		return false;
	buf_clear(&sc->token);
	if (len > STREAM_TOKEN_MAX)
		return false;
	if (sc->split == split_runes && len == 0)
		buf_adds(&sc->token, "\xef\xbf\xbd");
	else
		buf_add(&sc->token, buf_data(&sc->buf) + start, len);
	buf_consume(&sc->buf, drop);
	return true;
}

/* White space between words is no part of a token, however long. */
static void drop_spaces(struct scanner *sc)
{
	const char *s = buf_data(&sc->buf);
	size_t len = buf_len(&sc->buf), start = 0, n;

	if (sc->split != split_words)
		return;
	while (start < len && (n = space_at(s + start, len - start)) > 0)
		start += n;
	buf_consume(&sc->buf, start);
}

static int push_end(lua_State *L, struct scanner *sc)
{
	sc->over = true;
	buf_clear(&sc->token);
	lua_pushboolean(L, false);
	if (sc->failed)
		push_err(L, &sc->err);
	else
		lua_pushnil(L);
	return 2;
}

static int scan_step(lua_State *L, struct scanner *sc);

static int scan_read(lua_State *L, struct pending *p)
{
	return scan_step(L, stream_of(p)->op.user);
}

/* Comes here with the stream busy when a read of ours has ended. */
static int scan_step(lua_State *L, struct scanner *sc)
{
	struct stream *s = sc->stream;

	for (;;) {
		if (s->busy) {
			if (stream_over(s, NULL, &sc->err) < 0) {
				sc->failed = true;
				return push_end(L, sc);
			}
			if (buf_len(&s->op.data) == 0)
				sc->ended = true;
			buf_add(&sc->buf, buf_data(&s->op.data), buf_len(&s->op.data));
			buf_done(&s->op.data);
		}
		if (take_token(sc)) {
			lua_pushboolean(L, true);
			lua_pushnil(L);
			return 2;
		}
		drop_spaces(sc);
		if (buf_len(&sc->buf) > STREAM_TOKEN_MAX + 1) {
			err_set(&sc->err, ERR_INTERNAL, "token too long");
			sc->failed = true;
			return push_end(L, sc);
		}
		if (sc->ended)
			return push_end(L, sc);
		if (stream_begin_read(L, s, STREAM_READ_DEFAULT, &sc->err) < 0) {
			sc->failed = true;
			return push_end(L, sc);
		}
		s->op.user = sc;
		if (!stream_is_over(s))
			return stream_wait(L, s, scan_read);
	}
}

static int l_scan(lua_State *L)
{
	struct scanner *sc = handle_check(L, 1, scanner_type);

	if (sc->over)
		return push_end(L, sc);
	if (sc->stream->busy) {
		struct err e = {0};

		err_set(&e, ERR_INTERNAL, "another coroutine is using this stream");
		lua_pushboolean(L, false);
		push_err(L, &e);
		return 2;
	}
	return scan_step(L, sc);
}

static int l_text(lua_State *L)
{
	struct scanner *sc = handle_check(L, 1, scanner_type);

	lua_pushlstring(L, buf_data(&sc->token), buf_len(&sc->token));
	return 1;
}

static int l_err(lua_State *L)
{
	struct scanner *sc = handle_check(L, 1, scanner_type);

	if (!sc->failed)
		lua_pushnil(L);
	else if (sc->err_objects)
		push_err(L, &sc->err);
	else
		lua_pushstring(L, sc->err.text);
	return 1;
}

static int scanner_gc(lua_State *L)
{
	struct scanner *sc = lua_touserdata(L, 1);

	buf_done(&sc->buf);
	buf_done(&sc->token);
	return 0;
}

void stream_push_scanner(lua_State *L, int idx, const char *split, bool err_objects)
{
	struct scanner *sc;

	idx = lua_absindex(L, idx);
	sc = handle_new(L, scanner_type, sizeof(*sc));
	sc->stream = stream_at(L, idx);
	sc->split = split_of(split);
	sc->err_objects = err_objects;
	lua_pushvalue(L, idx);
	lua_setiuservalue(L, -2, 1);
}

void stream_scanner_register(lua_State *L)
{
	static const luaL_Reg methods[] = {{"scan", l_scan}, {"text", l_text}, {"err", l_err}, {NULL, NULL}};

	handle_register(L, scanner_type, methods, scanner_gc);
}
