#include "bind/http_server_form.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "http/multipart.h"

/* What a part costs besides its bytes; counted with the fields. */
enum { PART_OVERHEAD = 256 };

struct part {
	char *name;
	char *filename;
	struct buf fields;
	struct buf data;
	int64_t offset; /* in the file, when on_disk */
	int64_t size;
	bool on_disk;
};

struct http_form {
	unsigned refs;
	struct multipart parser;
	struct part *parts;
	size_t nparts;
	size_t cap;
	bool skipping;       /* a part without a name */
	uint64_t file_left;  /* memory that files may still take */
	uint64_t field_left; /* the same of fields */
	int fd;              /* -1: none yet */
	int64_t disk_used;
};

static struct part *newest(struct http_form *f)
{
	return &f->parts[f->nparts - 1];
}

/* -- the file -------------------------------------------------------------------------------------------- */

/* One that no other program can open by name. */
static int open_unnamed(struct err *e)
{
	const char *dir = getenv("TMPDIR");
	char *path;
	int fd;

	if (!dir || !*dir)
		dir = "/tmp";
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	/* A file system without unnamed files. */
	path = xasprintf("%s/upload-XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	else
		err_set_errno(e, ERR_INTERNAL, errno, "cannot make a temporary file for an upload");
	free(path);
	return fd;
}

static int write_disk(struct http_form *f, const char *data, size_t len, struct err *e)
{
	while (len > 0) {
		ssize_t n = pwrite(f->fd, data, len, f->disk_used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(e, ERR_INTERNAL, errno, "cannot write an upload to its temporary file");
		data += n;
		len -= (size_t)n;
		f->disk_used += n;
	}
	return 0;
}

/* What came of it so far goes to the file, and what comes. */
static int move_to_disk(struct http_form *f, struct part *p, struct err *e)
{
	if (f->fd < 0 && (f->fd = open_unnamed(e)) < 0)
		return -1;
	p->on_disk = true;
	p->offset = f->disk_used;
	if (write_disk(f, buf_data(&p->data), buf_len(&p->data), e) < 0)
		return -1;
	f->file_left += buf_len(&p->data);
	buf_done(&p->data);
	return 0;
}

/* -- parts ----------------------------------------------------------------------------------------------- */

static int charge_fields(struct http_form *f, size_t len, struct err *e)
{
	if (len > f->field_left)
		return err_set(e, ERR_INVALID, "the fields of the form are too large");
	f->field_left -= len;
	return 0;
}

static int on_part(void *arg, const struct multipart_head *head, struct err *e)
{
	struct http_form *f = arg;
	struct part *p;

	f->skipping = !*head->name;
	if (f->skipping)
		return 0;
	if (charge_fields(f, head->fields_len + strlen(head->name) + PART_OVERHEAD, e) < 0)
		return -1;
	if (f->nparts == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 8;
		f->parts = xreallocarray(f->parts, f->cap, sizeof(*f->parts));
	}
	p = &f->parts[f->nparts++];
	*p = (struct part){.name = xstrdup(head->name), .filename = head->filename ? xstrdup(head->filename) : NULL};
	buf_add(&p->fields, head->fields, head->fields_len);
	return 0;
}

static int on_data(void *arg, const char *data, size_t len, struct err *e)
{
	struct http_form *f = arg;
	struct part *p;

	if (f->skipping)
		return 0;
	p = newest(f);
	p->size += (int64_t)len;
	if (!p->filename) {
		if (charge_fields(f, len, e) < 0)
			return -1;
	} else if (p->on_disk) {
		return write_disk(f, data, len, e);
	} else if (len > f->file_left) {
		return move_to_disk(f, p, e) < 0 ? -1 : write_disk(f, data, len, e);
	} else {
		f->file_left -= len;
	}
	buf_add(&p->data, data, len);
	return 0;
}

static int on_end(void *arg, struct err *e)
{
	(void)arg, (void)e;
	return 0;
}

static const struct multipart_ops ops = {on_part, on_data, on_end};

struct http_form *http_form_new(const char *boundary, uint64_t max_memory)
{
	struct http_form *f = xcalloc(1, sizeof(*f));

	f->refs = 1;
	f->fd = -1;
	f->file_left = max_memory;
	f->field_left = max_memory + HTTP_FORM_VALUES_EXTRA;
	multipart_init(&f->parser, boundary, &ops, f);
	return f;
}

struct http_form *http_form_ref(struct http_form *f)
{
	f->refs++;
	return f;
}

void http_form_unref(struct http_form *f)
{
	if (!f || --f->refs > 0)
		return;
	for (size_t i = 0; i < f->nparts; i++) {
		free(f->parts[i].name);
		free(f->parts[i].filename);
		buf_done(&f->parts[i].fields);
		buf_done(&f->parts[i].data);
	}
	free(f->parts);
	multipart_done(&f->parser);
	if (f->fd >= 0)
		close(f->fd);
	free(f);
}

bool http_form_may_block(const struct http_form *f, size_t len)
{
	return len > f->file_left || (f->nparts > 0 && f->parts[f->nparts - 1].on_disk);
}

int http_form_feed(struct http_form *f, const char *data, size_t len, struct err *e)
{
	return multipart_feed(&f->parser, data, len, e);
}

int http_form_end(struct http_form *f, struct err *e)
{
	return multipart_end(&f->parser, e);
}

size_t http_form_count(const struct http_form *f)
{
	return f->nparts;
}

void http_form_part(const struct http_form *f, size_t i, struct http_form_part *ret)
{
	const struct part *p = &f->parts[i];

	*ret = (struct http_form_part){
		.name = p->name,
		.filename = p->filename,
		.fields = buf_data(&p->fields),
		.fields_len = buf_len(&p->fields),
		.data = p->on_disk ? NULL : buf_data(&p->data),
		.size = p->size,
	};
}

int http_form_read(
	const struct http_form *f, size_t i, int64_t offset, void *to, size_t max, size_t *ret_n, struct err *e)
{
	const struct part *p = &f->parts[i];
	size_t n = 0;

	if (offset >= p->size)
		max = 0;
	else if (max > (uint64_t)(p->size - offset))
		max = (size_t)(p->size - offset);
	if (!p->on_disk) {
		memcpy(to, buf_data(&p->data) + (max ? offset : 0), max);
		n = max;
	}
	while (n < max) {
		ssize_t got = pread(f->fd, (char *)to + n, max - n, p->offset + offset + (int64_t)n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return err_set_errno(
				e, ERR_INTERNAL, got < 0 ? errno : EIO, "cannot read an upload's temporary file");
		n += (size_t)got;
	}
	*ret_n = n;
	return 0;
}
