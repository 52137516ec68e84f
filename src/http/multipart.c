#include "http/multipart.h"

#include <string.h>

#include "http/headers.h"
#include "http/media_type.h"

/*
 * A delimiter is CR LF "--" boundary, then blanks and CR LF, or "--" for the last one. CR stands only at its beginning (a boundary holds none), so after
 * a mismatch nothing but a CR can begin another.
 */
enum state {
	IN_BODY,      /* of a part, or before the first one */
	AT_DELIMITER, /* one was seen: what does the next byte make of it? */
	AT_DASH,      /* one and "-" */
	AFTER_BLANKS, /* blanks, then the line must end */
	AFTER_CR,     /* of the delimiter's line */
	IN_HEADER,    /* a line of it */
	HEADER_CR,    /* a line of it ended in CR */
	AFTER_LAST,
};

bool multipart_boundary(const char *content_type, char ret_boundary[MULTIPART_BOUNDARY_MAX + 1])
{
	struct buf b = BUF_INIT;
	bool good = media_type_param(content_type, "boundary", &b) && buf_len(&b) > 0 &&
		    buf_len(&b) <= MULTIPART_BOUNDARY_MAX && buf_data(&b)[buf_len(&b) - 1] != ' ';

	for (size_t i = 0; good && i < buf_len(&b); i++)
		good = buf_data(&b)[i] >= ' ' && buf_data(&b)[i] <= '~';
	if (good)
		memcpy(ret_boundary, buf_str(&b), buf_len(&b) + 1);
	buf_done(&b);
	return good;
}

/* The beginning of the body, and of each part's, counts as the beginning of a line. */
static void begin_body(struct multipart *m)
{
	m->state = IN_BODY;
	m->match = m->given = 2;
}

void multipart_init(struct multipart *m, const char *boundary, const struct multipart_ops *ops, void *arg)
{
	size_t n = strlen(boundary);

	memset(m, 0, sizeof(*m));
	m->ops = ops;
	m->arg = arg;
	memcpy(m->delimiter, "\r\n--", 4);
	memcpy(m->delimiter + 4, boundary, n + 1);
	m->delimiter_len = 4 + n;
	begin_body(m);
}

void multipart_done(struct multipart *m)
{
	buf_done(&m->line);
	buf_done(&m->fields);
}

static int malformed(struct err *e, const char *what)
{
	return err_set(e, ERR_INVALID, "malformed multipart body: %s", what);
}

static int put(struct multipart *m, const char *data, size_t len, struct err *e)
{
	return len > 0 && m->in_part ? m->ops->data(m->arg, data, len, e) : 0;
}

/* What looked like a delimiter was none: its bytes are the part's. */
static int put_match(struct multipart *m, struct err *e)
{
	size_t from = m->given, to = m->match;

	m->match = m->given = 0;
	return to > from ? put(m, m->delimiter + from, to - from, e) : 0;
}

/* Bytes of a part until a delimiter is complete; returns how many were used, -1 on failure. */
static ptrdiff_t feed_body(struct multipart *m, const char *data, size_t len, struct err *e)
{
	size_t i = 0;

	while (i < len) {
		if (m->match == 0) {
			const char *cr = memchr(data + i, '\r', len - i);
			size_t end = cr ? (size_t)(cr - data) : len;

			if (put(m, data + i, end - i, e) < 0)
				return -1;
			i = end;
			if (cr) {
				m->match = 1;
				i++;
			}
			continue;
		}
		if (data[i] != m->delimiter[m->match]) {
			if (put_match(m, e) < 0)
				return -1;
			continue;
		}
		i++;
		if (++m->match == m->delimiter_len) {
			m->state = AT_DELIMITER;
			break;
		}
	}
	return (ptrdiff_t)i;
}

static int end_part(struct multipart *m, struct err *e)
{
	bool was = m->in_part;

	m->in_part = false;
	return was ? m->ops->end(m->arg, e) : 0;
}

/* The byte after a delimiter; 1: used. */
static int at_delimiter(struct multipart *m, char c, struct err *e)
{
	switch (c) {
	case '-':
		m->state = AT_DASH;
		return 1;
	case ' ':
	case '\t':
	case '\r':
		if (end_part(m, e) < 0)
			return -1;
		m->state = AFTER_BLANKS;
		return 0;
	default: /* a longer line that begins like one */
		m->state = IN_BODY;
		return put_match(m, e);
	}
}

static int at_dash(struct multipart *m, char c, struct err *e)
{
	if (c == '-') {
		m->state = AFTER_LAST;
		return end_part(m, e) < 0 ? -1 : 1;
	}
	m->state = IN_BODY;
	if (put_match(m, e) < 0)
		return -1;
	return put(m, "-", 1, e);
}

static int after_blanks(struct multipart *m, char c, struct err *e)
{
	if (c == '\r')
		m->state = AFTER_CR;
	else if (c != ' ' && c != '\t')
		return malformed(e, "something follows a boundary on its line");
	return 1;
}

static int after_cr(struct multipart *m, char c, struct err *e)
{
	if (c != '\n')
		return malformed(e, "the line of a boundary does not end in CR LF");
	if (++m->nparts > MULTIPART_PARTS_MAX)
		return malformed(e, "too many parts");
	buf_clear(&m->line);
	buf_clear(&m->fields);
	m->state = IN_HEADER;
	return 1;
}

/* "Name: value" into the fields. */
static int add_field(struct multipart *m, struct err *e)
{
	const char *line = buf_str(&m->line), *colon = strchr(line, ':');
	char name[128];
	size_t len = buf_len(&m->line), n = colon ? (size_t)(colon - line) : 0;

	if (strlen(line) != len)
		return malformed(e, "a header field has a NUL byte");
	if (n == 0 || n >= sizeof(name))
		return malformed(e, "a header field without a name");
	memcpy(name, line, n);
	name[n] = '\0';
	if (!http_is_token(name))
		return malformed(e, "a header field's name is no token");
	http_canonical_name(name);
	buf_add(&m->fields, name, n + 1);
	for (colon++; *colon == ' ' || *colon == '\t'; colon++)
		;
	len -= (size_t)(colon - line);
	while (len > 0 && (colon[len - 1] == ' ' || colon[len - 1] == '\t'))
		len--;
	buf_add(&m->fields, colon, len);
	buf_addc(&m->fields, '\0');
	buf_clear(&m->line);
	return 0;
}

static const char *field(const struct multipart *m, const char *name)
{
	const char *at = buf_data(&m->fields), *end = at + buf_len(&m->fields);

	while (at < end) {
		const char *value = at + strlen(at) + 1;

		if (strcmp(at, name) == 0)
			return value;
		at = value + strlen(value) + 1;
	}
	return NULL;
}

/* Both kinds of slash: the name goes to programs that may make a path of it. */
static const char *base_name(const char *path)
{
	for (const char *s = path; *s; s++) {
		if (*s == '/' || *s == '\\')
			path = s + 1;
	}
	return path;
}

static int begin_part(struct multipart *m, struct err *e)
{
	const char *disposition = field(m, "Content-Disposition");
	struct buf name = BUF_INIT, filename = BUF_INIT;
	struct multipart_head head = {.name = "", .filename = NULL};
	int rc;

	head.fields = buf_data(&m->fields);
	head.fields_len = buf_len(&m->fields);
	if (disposition && media_type_is(disposition, "form-data")) {
		if (media_type_param(disposition, "name", &name))
			head.name = buf_str(&name);
		if (media_type_param(disposition, "filename", &filename))
			head.filename = base_name(buf_str(&filename));
	}
	/* A file control in which nothing was chosen sends an empty name: that is a field. */
	if (head.filename && !*head.filename)
		head.filename = NULL;
	m->in_part = true;
	begin_body(m);
	rc = m->ops->part(m->arg, &head, e);
	buf_done(&name);
	buf_done(&filename);
	return rc;
}

/* A line of the header ended. */
static int header_line(struct multipart *m, struct err *e)
{
	m->state = IN_HEADER;
	return buf_len(&m->line) > 0 ? 0 : begin_part(m, e);
}

static int in_header(struct multipart *m, char c, struct err *e)
{
	if (m->state == HEADER_CR) {
		if (c != '\n')
			return malformed(e, "a bare CR in a header");
		/* The next byte tells whether the line goes on (RFC 5322 section 2.2.3): it is added when that is known. */
		if (buf_len(&m->line) == 0)
			return header_line(m, e) < 0 ? -1 : 1;
		buf_addc(&m->line, '\n');
		m->state = IN_HEADER;
		return 1;
	}
	if (buf_len(&m->line) > 0 && buf_data(&m->line)[buf_len(&m->line) - 1] == '\n') {
		buf_truncate(&m->line, buf_len(&m->line) - 1);
		if (c != ' ' && c != '\t' && add_field(m, e) < 0)
			return -1;
	}
	if (c == '\r') {
		m->state = HEADER_CR;
		return 1;
	}
	if (c == '\n')
		return malformed(e, "a header line does not end in CR LF");
	if (buf_len(&m->line) + buf_len(&m->fields) >= MULTIPART_HEADER_BYTES_MAX)
		return malformed(e, "a part's header is too large");
	buf_addc(&m->line, c);
	return 1;
}

int multipart_feed(struct multipart *m, const char *data, size_t len, struct err *e)
{
	size_t i = 0;
	ptrdiff_t used = 0;

	while (i < len && m->state != AFTER_LAST) {
		switch ((enum state)m->state) {
		case IN_BODY:
			used = feed_body(m, data + i, len - i, e);
			break;
		case AT_DELIMITER:
			used = at_delimiter(m, data[i], e);
			break;
		case AT_DASH:
			used = at_dash(m, data[i], e);
			break;
		case AFTER_BLANKS:
			used = after_blanks(m, data[i], e);
			break;
		case AFTER_CR:
			used = after_cr(m, data[i], e);
			break;
		case IN_HEADER:
		case HEADER_CR:
			used = in_header(m, data[i], e);
			break;
		case AFTER_LAST:
			break;
		}
		if (used < 0)
			return -1;
		i += (size_t)used;
	}
	return 0;
}

int multipart_end(struct multipart *m, struct err *e)
{
	return m->state == AFTER_LAST ? 0 : malformed(e, "it ends before the last boundary");
}
