#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "http/internal.h"

struct http_gunzip {
	z_stream z;
	bool begun;    /* bytes have come */
	bool is_over;  /* the last member is whole */
	bool has_more; /* zlib may hold output that had no room */
};

struct http_gunzip *http_gunzip_new(void)
{
	struct http_gunzip *g = xcalloc(1, sizeof(*g));

	if (inflateInit2(&g->z, 16 + MAX_WBITS) != Z_OK)
		abort(); /* out of memory, as xcalloc() would */
	return g;
}

void http_gunzip_free(struct http_gunzip *g)
{
	if (!g)
		return;
	inflateEnd(&g->z);
	free(g);
}

bool http_gunzip_has_more(const struct http_gunzip *g)
{
	return g->has_more;
}

bool http_gunzip_is_whole(const struct http_gunzip *g)
{
	return !g->begun || g->is_over;
}

int http_gunzip_take(struct http_gunzip *g, struct buf *in, size_t max, struct buf *out)
{
	int rc = Z_OK;

	g->z.next_out = (unsigned char *)buf_reserve(out, max);
	g->z.avail_out = (unsigned)max;
	while (g->z.avail_out > 0 && rc == Z_OK && (buf_len(in) > 0 || g->has_more)) {
		size_t n = buf_len(in) < UINT32_MAX ? buf_len(in) : UINT32_MAX;

		/* Members may follow each other (RFC 1952 section 2.2). */
		if (g->is_over)
			inflateReset(&g->z);
		g->is_over = false;
		g->begun = true;
		g->z.next_in = (unsigned char *)buf_data(in);
		g->z.avail_in = (unsigned)n;
		rc = inflate(&g->z, Z_NO_FLUSH);
		buf_consume(in, n - g->z.avail_in);
		g->has_more = g->z.avail_out == 0 && rc == Z_OK;
		if (rc == Z_STREAM_END) {
			g->is_over = true;
			rc = Z_OK;
		} else if (rc == Z_BUF_ERROR) {
			/* Nothing was left inside after all. */
			rc = buf_len(in) > 0 ? Z_DATA_ERROR : Z_OK;
			break;
		}
	}
	buf_commit(out, max - g->z.avail_out);
	return rc == Z_OK ? 0 : -1;
}
