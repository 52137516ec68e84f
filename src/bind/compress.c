/*
 * compress.c - the `compress` module: bytes packed and unpacked, on the thread pool when that may take long.
 */
#include "compress/compress.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/modules.h"
#include "bind/pool_job.h"
#include "engine/lua_api.h"

enum { QUICK_BYTES = 16 * 1024, DICT_BYTES_MAX = 1024 * 1024 };

static const size_t max_default = 128 * 1024 * 1024, max_most = 1024 * 1024 * 1024;

struct codec_job {
	struct pool_job job;
	enum compress_format format;
	bool encodes;
	struct compress_options opt;
	char *data, *dict; /* copies: a string may be collected while the pool works */
	size_t len;
	struct buf out;
	int rc;
	struct err err;
};

static void job_work(struct pool_job *j)
{
	struct codec_job *c = container_of(j, struct codec_job, job);

	c->rc = c->encodes ? compress_encode(c->format, &c->opt, c->data, c->len, &c->out, &c->err)
			   : compress_decode(c->format, &c->opt, c->data, c->len, &c->out, &c->err);
}

static void job_free(struct pool_job *j)
{
	struct codec_job *c = container_of(j, struct codec_job, job);

	free(c->data);
	free(c->dict);
	buf_done(&c->out);
	free(c);
}

static int job_finish(lua_State *L, struct pool_job *j)
{
	struct codec_job *c = container_of(j, struct codec_job, job);

	if (c->rc < 0)
		return push_nil_and_err(L, &c->err);
	lua_pushlstring(L, buf_data(&c->out), buf_len(&c->out));
	lua_pushnil(L);
	return 2;
}

static int push_invalid(lua_State *L, const char *text)
{
	struct err e = {0};

	err_set(&e, ERR_INVALID, "%s", text);
	return push_nil_and_err(L, &e);
}

static int run(lua_State *L, bool encodes)
{
	enum compress_format format = (enum compress_format)lua_tointeger(L, lua_upvalueindex(1));
	const char *data, *dict = NULL;
	size_t len, dict_len = 0;
	double level = format == COMPRESS_ZSTD ? 3 : 6, max = 0;
	struct codec_job *c;

	if (lua_type(L, 1) != LUA_TSTRING)
		return push_invalid(L, "string expected");
	data = lua_tolstring(L, 1, &len);
	if (len == 0)
		return push_invalid(L, "input data cannot be empty");
	if (!lua_isnoneornil(L, 2))
		luaL_checktype(L, 2, LUA_TTABLE);
	field_number(L, 2, "level", &level);
	field_number(L, 2, "max_size", &max);
	field_string(L, 2, "dict", &dict, &dict_len);
	if (!(level >= -1 && level <= 100) || level != (int)level)
		level = -1; /* refused below, with the words of its format */
	if (dict_len > DICT_BYTES_MAX)
		return push_invalid(L, "the dictionary is longer than a mebibyte");
	if (len > COMPRESS_INPUT_MAX)
		return push_invalid(L, "input data is longer than 1024 MiB");
	c = xcalloc(1, sizeof(*c));
	c->job.work = job_work;
	c->job.finish = job_finish;
	c->job.free = job_free;
	c->format = format;
	c->encodes = encodes;
	c->opt.level = (int)level;
	c->opt.max = max >= 1 && max <= (double)max_most ? (size_t)max : max_default;
	c->data = xmemdupz(data, len);
	c->len = len;
	if (dict_len > 0) {
		c->dict = xmemdupz(dict, dict_len);
		c->opt.dict = c->dict;
		c->opt.dict_len = dict_len;
	}
	/* Little data is packed sooner than a thread is asked; what comes out of little data may be much. */
	return encodes && len <= QUICK_BYTES ? pool_job_do(L, &c->job) : pool_job_run_here(L, &c->job);
}

static int l_encode(lua_State *L)
{
	return run(L, true);
}

static int l_decode(lua_State *L)
{
	return run(L, false);
}

int bind_compress_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"encode", l_encode}, {"decode", l_decode}, {NULL, NULL}};

	lua_newtable(L);
	for (int f = COMPRESS_GZIP; f <= COMPRESS_ZSTD; f++) {
		lua_newtable(L);
		lua_pushinteger(L, f);
		luaL_setfuncs(L, functions, 1);
		lua_setfield(L, -2, compress_format_name((enum compress_format)f));
	}
	return 1;
}
