#include "service/http_sendfile.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "bind/fs.h"
#include "bind/node.h"
#include "files/path.h"
#include "http/builtin.h"
#include "http/content_type.h"
#include "http/sniff.h"
#include "service/http_file.h"
#include "service/http_middlewares.h"

struct sendfile {
	struct node *node;
	char *fs; /* "": the option is missing */
};

/* A file being opened; the pool's between loop_work() and its end. */
struct opening {
	struct exchange *x; /* a reference */
	struct files_root *root;
	char *path;  /* clean */
	char *shown; /* as the handler wrote it */
	int fd;
	struct files_stat stat;
	const char *type;
};

static const char key; /* its address; what is attached is the instance */

static void sendfile_free(void *self)
{
	struct sendfile *s = self;

	free(s->fs);
	free(s);
}

static int sendfile_create(void *env, const struct value *options, void **ret_self, struct err *e)
{
	struct sendfile *s = xcalloc(1, sizeof(*s));

	(void)e;
	s->node = env;
	s->fs = xstrdup(http_option(options, "sendfile.fs", "fs", ""));
	*ret_self = s;
	return 0;
}

static void keep(void *object)
{
	(void)object; /* the chain's, which lives longer */
}

static enum middleware_next sendfile_begin(void *self, struct exchange *x)
{
	exchange_attach(x, &key, self, keep);
	return MIDDLEWARE_NEXT;
}

const struct middleware_type http_sendfile_middleware = {
	.name = "sendfile",
	.create = sendfile_create,
	.free = sendfile_free,
	.begin = sendfile_begin,
};

/* -- serving ----------------------------------------------------------------------------------------- */

static void opening_free(struct opening *o)
{
	if (o->fd >= 0)
		close(o->fd);
	files_root_unref(o->root);
	exchange_unref(o->x);
	free(o->path);
	free(o->shown);
	free(o);
}

static void open_file(void *arg)
{
	struct opening *o = arg;
	char head[HTTP_SNIFF_BYTES];
	struct err e;
	ssize_t n;

	o->fd = files_open_fd(o->root, o->path, &o->stat, &e);
	if (o->fd >= 0 && o->stat.is_dir) {
		close(o->fd);
		o->fd = -1;
	}
	o->type = http_content_type(o->path);
	if (o->fd >= 0 && !o->type) {
		n = pread(o->fd, head, sizeof(head), 0);
		o->type = http_sniff(head, n > 0 ? (size_t)n : 0);
	}
}

static void answer(struct exchange *x, unsigned status, const char *before, const char *name, const char *after)
{
	char *text = xasprintf("sendfile middleware: %s%.512s%s", before, name, after);

	exchange_answer_text(x, status, text);
	free(text);
}

static void was_opened(void *arg)
{
	struct opening *o = arg;

	if (o->fd < 0) {
		answer(o->x, 404, "file not found: ", o->shown, "");
	} else {
		http_file_serve(o->x, &(struct http_file){.fd = o->fd,
					      .size = (uint64_t)o->stat.size,
					      .modified = o->stat.modified,
					      .type = o->type});
		o->fd = -1;
	}
	opening_free(o);
}

/* Content-Disposition (RFC 6266), from X-File-Name. */
static void put_name(struct exchange *x)
{
	const char *name = exchange_response_header(x, "X-File-Name");
	struct buf field = BUF_INIT;

	if (name && name[0]) {
		buf_adds(&field, "attachment; filename=\"");
		for (; *name; name++) {
			if (*name == '"' || *name == '\\')
				buf_addc(&field, '\\');
			buf_addc(&field, *name);
		}
		buf_addc(&field, '"');
		exchange_set_header(x, "Content-Disposition", buf_str(&field), SIZE_MAX);
	}
	buf_done(&field);
	exchange_remove_header(x, "X-File-Name");
}

static void start(const struct sendfile *s, struct exchange *x, const char *shown)
{
	struct files_root *root = NULL;
	char *path = NULL;
	struct opening *o;
	struct err e;

	if (!s->fs[0]) {
		answer(x, 500, "fs option not configured", "", "");
		return;
	}
	root = instances_get(s->node->instances, s->fs, &fs_instance_type, &e);
	if (!root) {
		answer(x, 500, "filesystem \"", s->fs, "\" not found");
		return;
	}
	if (files_path_clean(".", shown, strlen(shown), &path, &e) < 0 || strcmp(path, ".") == 0) {
		answer(x, 400, "invalid file path", "", "");
		files_root_unref(root);
		free(path);
		return;
	}
	o = xcalloc(1, sizeof(*o));
	o->x = exchange_ref(x);
	o->root = root;
	o->path = path;
	o->shown = xstrdup(shown);
	o->fd = -1;
	loop_work(exchange_loop(x), open_file, was_opened, o);
}

bool http_sendfile_serve(struct exchange *x)
{
	const struct sendfile *s = exchange_attached(x, &key);
	const char *named;
	char *shown;

	if (!s)
		return false;
	named = exchange_response_header(x, "X-Sendfile");
	if (!named)
		named = exchange_response_header(x, "X-File-Path");
	if (!named || !named[0])
		return false;
	shown = xstrdup(named);
	exchange_remove_header(x, "X-Sendfile");
	exchange_remove_header(x, "X-File-Path");
	put_name(x);
	start(s, x, shown);
	free(shown);
	return true;
}
