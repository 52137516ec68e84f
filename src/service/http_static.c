#include "service/http_static.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "bind/fs.h"
#include "files/path.h"
#include "http/accept.h"
#include "http/content_type.h"
#include "http/sniff.h"
#include "service/http_file.h"
#include "service/http_listing.h"

struct http_static {
	struct node *node;
	char *fs;
	char *path; /* without a slash at the end: "" for "/" */
	char *index;
	char *cache;
	bool spa;
	bool precompressed;
};

struct http_static *http_static_new(const struct http_static_config *cfg)
{
	struct http_static *s = xcalloc(1, sizeof(*s));
	size_t len = strlen(cfg->path);

	while (len > 0 && cfg->path[len - 1] == '/')
		len--;
	s->node = cfg->node;
	s->fs = xstrdup(cfg->fs);
	s->path = xmemdupz(cfg->path, len);
	s->index = xstrdup(cfg->index ? cfg->index : "");
	s->cache = xstrdup(cfg->cache ? cfg->cache : "");
	s->spa = cfg->spa;
	s->precompressed = cfg->precompressed;
	return s;
}

void http_static_free(struct http_static *s)
{
	if (!s)
		return;
	free(s->fs);
	free(s->path);
	free(s->index);
	free(s->cache);
	free(s);
}

enum { NOW_A_TURN = 256 };

enum outcome { FOUND_FILE, FOUND_LISTING, GO_ELSEWHERE, FAILED };

/* One request: where to look, then what was found. Looked up at once when the kernel has the answer in its memory, else by the pool, whose it is between loop_work()
 * and its end; the exchange is not touched there. */
struct lookup {
	const struct http_static *site;
	struct exchange *x; /* a reference */
	struct files_root *root;
	char *path; /* clean */
	bool has_slash;
	bool is_index; /* ends in /index.html */
	char *accept;  /* Accept-Encoding, NULL = none, or not wanted */
	bool now;      /* on the worker, which must not wait ... */
	bool later;    /* ... and would have to: what was found so far counts for nothing */

	enum outcome outcome;
	int fd;
	struct files_stat stat;
	const char *type; /* static; NULL: octets */
	const char *coding;
	struct buf text; /* a listing, a location */
	enum err_kind failure;
	bool no_index;
};

static void close_file(struct lookup *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

static void lookup_free(struct lookup *l)
{
	close_file(l);
	files_root_unref(l->root);
	exchange_unref(l->x);
	free(l->path);
	free(l->accept);
	buf_done(&l->text);
	free(l);
}

/* -- paths ------------------------------------------------------------------------------------------- */

/* "/a/./b/../c/" becomes "a/c", and nothing leads above the top. Malloc'd; "." for nothing. */
static char *clean(const char *path)
{
	char *out = xmalloc(strlen(path) + 2);
	size_t n = 0;

	for (const char *s = path; *s;) {
		size_t len;

		s += strspn(s, "/");
		len = strcspn(s, "/");
		if (len == 2 && s[0] == '.' && s[1] == '.') {
			while (n > 0 && out[n - 1] != '/')
				n--;
			n -= n > 0;
		} else if (len > 0 && !(len == 1 && s[0] == '.')) {
			if (n > 0)
				out[n++] = '/';
			memcpy(out + n, s, len);
			n += len;
		}
		s += len;
	}
	if (n == 0)
		out[n++] = '.';
	out[n] = '\0';
	return out;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

/* -- on the worker or the pool ------------------------------------------------------------------------ */

static void fail(struct lookup *l, enum err_kind kind)
{
	l->outcome = FAILED;
	l->failure = kind;
}

static void go(struct lookup *l, const char *before, const char *name, const char *after)
{
	l->outcome = GO_ELSEWHERE;
	buf_adds(&l->text, before);
	http_add_encoded_name(&l->text, name);
	buf_adds(&l->text, after);
}

/* Will wait only on the pool. */
static bool may_wait(struct lookup *l)
{
	l->later |= l->now;
	return !l->now;
}

/* A plain file or a folder, in place of what was open before; l->stat says which. */
static int open_path(struct lookup *l, const char *path, struct err *e)
{
	struct files_stat stat;
	int fd = (l->now ? files_open_fd_now : files_open_fd)(l->root, path, &stat, e);

	if (fd < 0) {
		l->later |= l->now && e->kind == ERR_UNAVAILABLE;
		return -1;
	}
	close_file(l);
	l->fd = fd;
	l->stat = stat;
	return 0;
}

static int open_file(struct lookup *l, const char *path, struct err *e)
{
	if (open_path(l, path, e) < 0)
		return -1;
	if (!l->stat.is_dir)
		return 0;
	close_file(l);
	return err_set(e, ERR_INVALID, "it is a folder");
}

/* The same content as "app.js", smaller. */
static bool open_precompressed(struct lookup *l, const char *path)
{
	static const char *const names[] = {"br", "gzip"};
	static const char *const extensions[] = {".br", ".gz"};
	int first = http_accept_encoding(l->accept, names, ARRAY_LEN(names));
	struct err e;

	for (int i = first; i >= 0 && i < (int)ARRAY_LEN(names); i++) {
		char *beside;
		bool ok;

		if (i != first && http_accept_encoding(l->accept, names + i, 1) < 0)
			continue;
		beside = xasprintf("%s%s", path, extensions[i]);
		ok = open_file(l, beside, &e) == 0;
		free(beside);
		if (ok) {
			l->coding = names[i];
			return true;
		}
	}
	return false;
}

static const char *sniff(struct lookup *l)
{
	char head[HTTP_SNIFF_BYTES];
	struct iovec iov = {.iov_base = head, .iov_len = sizeof(head)};
	ssize_t n = preadv2(l->fd, &iov, 1, 0, l->now ? RWF_NOWAIT : 0);

	if (n < 0 && !may_wait(l))
		return NULL;
	return http_sniff(head, n > 0 ? (size_t)n : 0);
}

/* What is open, if anything is, is the file `path`. */
static int find_file(struct lookup *l, const char *path, struct err *e)
{
	l->type = http_content_type(path);
	/* Without a known type it would be that of the compressed bytes. */
	if ((!l->type || !open_precompressed(l, path)) && l->fd < 0 && open_file(l, path, e) < 0)
		return -1;
	if (!l->type)
		l->type = sniff(l);
	l->outcome = FOUND_FILE;
	return 0;
}

static void find_directory(struct lookup *l)
{
	bool is_top = strcmp(l->path, ".") == 0;
	char *index;
	struct err e;
	int rc;

	close_file(l);
	if (!l->has_slash && !is_top) {
		go(l, "", files_path_name(l->path), "/");
		return;
	}
	index = xasprintf("%s%sindex.html", is_top ? "" : l->path, is_top ? "" : "/");
	rc = find_file(l, index, &e);
	free(index);
	if (rc == 0)
		return;
	l->outcome = FOUND_LISTING;
	if (may_wait(l) && http_listing_write(l->root, l->path, &l->text, &e) < 0)
		fail(l, e.kind);
}

/* Open what the path means. What may not be opened may still be a folder with an index, or belong elsewhere: then it is only looked at. */
static int find_path(struct lookup *l, struct err *e)
{
	if (open_path(l, l->path, e) == 0)
		return 0;
	if (e->kind == ERR_NOT_FOUND || !may_wait(l))
		return -1;
	return files_stat(l->root, l->path, &l->stat, e);
}

static void look_up(void *arg)
{
	struct lookup *l = arg;
	bool spa = l->site->spa;
	struct err e;
	int rc;

	if (l->is_index && !spa) {
		buf_adds(&l->text, "./");
		l->outcome = GO_ELSEWHERE;
		return;
	}
	rc = find_path(l, &e);
	if (rc < 0 && spa) {
		if (find_file(l, l->site->index, &e) < 0) {
			l->no_index = true;
			fail(l, e.kind);
		}
		l->type = "text/html; charset=utf-8";
	} else if (rc < 0) {
		fail(l, e.kind);
	} else if (l->is_index) {
		buf_adds(&l->text, "./");
		l->outcome = GO_ELSEWHERE;
	} else if (l->stat.is_dir) {
		find_directory(l);
	} else if (l->has_slash) {
		go(l, "../", files_path_name(l->path), "");
	} else if (find_file(l, l->path, &e) < 0) {
		fail(l, e.kind);
	}
}

/* So many in one turn of a worker's loop: who asks for a thousand files in one breath shall not hold up the others. */
static bool turn_has_room(const struct loop *l)
{
	static _Thread_local uint64_t turn_ns;
	static _Thread_local unsigned count;

	if (turn_ns != loop_now_ns(l)) {
		turn_ns = loop_now_ns(l);
		count = 0;
	}
	return count++ < NOW_A_TURN;
}

/* True: what the kernel has in its memory was enough. */
static bool look_up_now(struct lookup *l)
{
	l->now = true;
	look_up(l);
	l->now = false;
	if (!l->later)
		return true;
	close_file(l);
	buf_clear(&l->text);
	l->coding = NULL;
	l->no_index = false;
	return false;
}

/* -- on the worker ----------------------------------------------------------------------------------- */

static void answer_failure(struct exchange *x, enum err_kind kind)
{
	switch (kind) {
	case ERR_NOT_FOUND:
	case ERR_INVALID: /* a file in the way, too long a name, neither a file nor a folder */
		exchange_answer_text(x, 404, "404 page not found");
		break;
	case ERR_PERMISSION_DENIED:
		exchange_answer_text(x, 403, "403 Forbidden");
		break;
	default:
		exchange_answer_text(x, 500, "500 Internal Server Error");
		break;
	}
}

static void answer_redirect(struct exchange *x, struct buf *location)
{
	if (exchange_query(x)[0])
		buf_addf(location, "?%s", exchange_query(x));
	exchange_set_header(x, "Location", buf_str(location), SIZE_MAX);
	exchange_commit(x, 301);
	exchange_end(x);
}

static void looked_up(void *arg)
{
	struct lookup *l = arg;
	struct exchange *x = l->x;

	if (l->site->cache[0] && l->outcome != FAILED)
		exchange_set_header(x, "Cache-Control", l->site->cache, SIZE_MAX);
	switch (l->outcome) {
	case FOUND_FILE:
		if (l->site->precompressed)
			exchange_add_header(x, "Vary", "Accept-Encoding", SIZE_MAX);
		if (l->coding)
			exchange_set_header(x, "Content-Encoding", l->coding, SIZE_MAX);
		http_file_serve(x, &(struct http_file){.fd = l->fd,
					   .size = (uint64_t)l->stat.size,
					   .modified = l->stat.modified,
					   .type = l->type});
		l->fd = -1;
		break;
	case FOUND_LISTING:
		exchange_set_header(x, "Content-Type", "text/html; charset=utf-8", SIZE_MAX);
		exchange_commit(x, 200);
		exchange_write(x, buf_data(&l->text), buf_len(&l->text));
		exchange_end(x);
		break;
	case GO_ELSEWHERE:
		answer_redirect(x, &l->text);
		break;
	case FAILED:
		if (l->no_index)
			exchange_answer_text(x, 500, "index file not found");
		else
			answer_failure(x, l->failure);
		break;
	}
	lookup_free(l);
}

void http_static_serve(void *arg, struct exchange *x)
{
	struct http_static *s = arg;
	const char *path = exchange_path(x);
	size_t mount = strlen(s->path);
	struct files_root *root;
	struct buf accept = BUF_INIT;
	struct lookup *l;
	struct err e;

	root = instances_get(s->node->instances, s->fs, &fs_instance_type, &e);
	if (!root) {
		answer_failure(x, ERR_INTERNAL);
		return;
	}
	if (!s->spa && strncmp(path, s->path, mount) == 0)
		path += mount;
	l = xcalloc(1, sizeof(*l));
	l->site = s;
	l->x = exchange_ref(x);
	l->root = root;
	l->fd = -1;
	l->path = clean(path);
	l->has_slash = path[0] == '\0' || ends_with(path, "/");
	l->is_index = ends_with(path, "/index.html");
	if (s->precompressed && exchange_header_joined(x, "Accept-Encoding", &accept))
		l->accept = buf_detach(&accept, NULL);
	buf_done(&accept);
	if (strlen(l->path) > FILES_PATH_BYTES_MAX) {
		answer_failure(x, ERR_NOT_FOUND);
		lookup_free(l);
		return;
	}
	if (turn_has_room(exchange_loop(x)) && look_up_now(l))
		looked_up(l);
	else
		loop_work(exchange_loop(x), look_up, looked_up, l);
}
