#include "app/log_output.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/number.h"
#include "base/secret.h"
#include "loop/loop.h"
#include "value/json.h"

enum { SAMPLE_SLOTS = 256, SAMPLE_FIRST = 100, SAMPLE_EVERY = 100 };

/* Counts per message text and second; a collision of two messages only makes sampling coarser. */
struct sample {
	uint64_t hash;
	time_t second;
	unsigned count;
};

static struct {
	enum log_format format;
	enum log_level min;
	bool colours;
	uint64_t started_ns;
	pthread_mutex_t lock; /* of samples */
	struct sample samples[SAMPLE_SLOTS];
} out = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Who hears the records besides. */
static struct {
	pthread_rwlock_t lock;
	log_sink_fn *fn;
	void *arg;
} stream = {.lock = PTHREAD_RWLOCK_INITIALIZER};

static const char *level_name(enum log_level l, bool upper)
{
	switch (l) {
	case LOG_DEBUG:
		return upper ? "DEBUG" : "debug";
	case LOG_INFO:
		return upper ? "INFO" : "info";
	case LOG_WARN:
		return upper ? "WARN" : "warn";
	case LOG_ERROR:
		return upper ? "ERROR" : "error";
	}
	return "?";
}

static void add_value(struct buf *b, const struct log_field *f)
{
	switch (f->type) {
	case LOG_TYPE_STR:
		json_write_string(f->str ? f->str : "", f->str ? strlen(f->str) : 0, b);
		break;
	case LOG_TYPE_INT:
		buf_addf(b, "%lld", (long long)f->i);
		break;
	case LOG_TYPE_FLOAT:
		json_write_float(f->f, b);
		break;
	case LOG_TYPE_BOOL:
		buf_adds(b, f->b ? "true" : "false");
		break;
	case LOG_TYPE_JSON:
		buf_adds(b, f->str);
		break;
	}
}

static void add_json_fields(struct buf *b, const struct log_record *r, bool first)
{
	for (size_t i = 0; i < r->nfields; i++) {
		if (!first || i > 0)
			buf_addc(b, ',');
		json_write_string(r->fields[i].key, strlen(r->fields[i].key), b);
		buf_addc(b, ':');
		add_value(b, &r->fields[i]);
	}
}

/* Tabs and newlines would break the line's shape. */
static void add_text(struct buf *b, const char *text)
{
	buf_add_line(b, text, strlen(text), 16384);
}

static void format_default(struct buf *b, const struct log_record *r)
{
	struct timespec ts;
	struct tm tm;
	char when[32];

	clock_gettime(CLOCK_REALTIME, &ts);
	localtime_r(&ts.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	buf_addf(b, "%s\t%s\t%s\t", when, level_name(r->level, true), r->name);
	add_text(b, r->message);
	if (r->nfields > 0) {
		buf_adds(b, "\t{");
		add_json_fields(b, r, true);
		buf_addc(b, '}');
	}
}

static void format_console(struct buf *b, const struct log_record *r)
{
	static const char *const colour[] = {"\033[35m", "\033[34m", "\033[33m", "\033[31m"};
	const char *on = out.colours ? colour[r->level - LOG_DEBUG] : "";
	const char *dim = out.colours ? "\033[2m" : "";
	const char *off = out.colours ? "\033[0m" : "";

	buf_addf(b, "%s%6.2fs%s  %s%-5s%s  %-16s  ", dim, (double)(loop_clock_ns() - out.started_ns) / 1e9, off, on,
		level_name(r->level, true), off, r->name);
	add_text(b, r->message);
	for (size_t i = 0; i < r->nfields; i++) {
		buf_addf(b, "  %s%s=%s", dim, r->fields[i].key, off);
		add_value(b, &r->fields[i]);
	}
}

static void format_json(struct buf *b, const struct log_record *r)
{
	struct timespec ts;
	struct tm tm;
	char when[32];

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_addf(b, "{\"ts\":\"%s.%03ldZ\",\"level\":\"%s\",\"logger\":", when, ts.tv_nsec / 1000000,
		level_name(r->level, false));
	json_write_string(r->name, strlen(r->name), b);
	buf_adds(b, ",\"msg\":");
	json_write_string(r->message, strlen(r->message), b);
	add_json_fields(b, r, false);
	buf_addc(b, '}');
}

static bool is_sampled_out(const struct log_record *r)
{
	uint64_t hash = 14695981039346656037u ^ (uint64_t)r->level;
	time_t now = time(NULL);
	struct sample *s;
	unsigned count;

	for (const char *p = r->message; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 1099511628211u;
	pthread_mutex_lock(&out.lock);
	s = &out.samples[hash % SAMPLE_SLOTS];
	if (s->hash != hash || s->second != now)
		*s = (struct sample){.hash = hash, .second = now};
	count = ++s->count;
	pthread_mutex_unlock(&out.lock);
	return count > SAMPLE_FIRST && (count - SAMPLE_FIRST) % SAMPLE_EVERY != 0;
}

static void stream_record(const struct log_record *r)
{
	pthread_rwlock_rdlock(&stream.lock);
	if (stream.fn)
		stream.fn(stream.arg, r);
	pthread_rwlock_unlock(&stream.lock);
}

/* -- secrets in records ----------------------------------------------------------------------------------- */

struct hidden {
	struct log_record record;
	struct log_field *fields;
	char **texts; /* of the message and of each field; NULL where there was no secret */
};

/* A copy of the record without the secrets in it; false when there are none. */
static bool hide_secrets(const struct log_record *r, struct hidden *h)
{
	bool found;

	*h = (struct hidden){.record = *r};
	if (!secret_any())
		return false;
	h->texts = xcalloc(r->nfields + 1, sizeof(*h->texts));
	h->texts[r->nfields] = secret_hide(r->message);
	found = h->texts[r->nfields] != NULL;
	for (size_t i = 0; i < r->nfields; i++) {
		enum log_type type = r->fields[i].type;

		if (type == LOG_TYPE_STR || type == LOG_TYPE_JSON)
			h->texts[i] = secret_hide(r->fields[i].str);
		found |= h->texts[i] != NULL;
	}
	if (!found) {
		free(h->texts);
		return false;
	}
	if (h->texts[r->nfields])
		h->record.message = h->texts[r->nfields];
	h->fields = xcalloc(r->nfields + 1, sizeof(*h->fields));
	for (size_t i = 0; i < r->nfields; i++)
		/* What was JSON may be none any more. */
		h->fields[i] = h->texts[i] ? LOG_STR(r->fields[i].key, h->texts[i]) : r->fields[i];
	h->record.fields = h->fields;
	return true;
}

static void hidden_done(struct hidden *h)
{
	for (size_t i = 0; i <= h->record.nfields; i++)
		free(h->texts[i]);
	free(h->texts);
	free(h->fields);
}

static void write_shown(const struct log_record *r)
{
	int fd = out.format == LOG_FORMAT_DEFAULT ? STDERR_FILENO : STDOUT_FILENO;
	struct buf b = BUF_INIT;
	const char *p;
	size_t left;

	stream_record(r);
	/* A command on a terminal with hide_logs owns the screen. */
	if (out.format == LOG_FORMAT_NONE || log_is_muted())
		return;
	if (out.format != LOG_FORMAT_CONSOLE && out.min >= LOG_INFO && is_sampled_out(r))
		return;
	if (out.format == LOG_FORMAT_CONSOLE)
		format_console(&b, r);
	else if (out.format == LOG_FORMAT_JSON)
		format_json(&b, r);
	else
		format_default(&b, r);
	buf_addc(&b, '\n');
	p = buf_data(&b);
	left = buf_len(&b);
	while (left > 0) {
		ssize_t n = write(fd, p, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break; /* nobody to tell */
		p += n;
		left -= (size_t)n;
	}
	buf_done(&b);
}

static void write_record(void *arg, const struct log_record *r)
{
	struct hidden h;

	(void)arg;
	if (!hide_secrets(r, &h)) {
		write_shown(r);
		return;
	}
	write_shown(&h.record);
	hidden_done(&h);
}

void log_output_start(enum log_format format, enum log_level min)
{
	out.format = format;
	out.min = min;
	out.started_ns = loop_clock_ns();
	out.colours = format == LOG_FORMAT_CONSOLE && isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	if (format != LOG_FORMAT_NONE)
		log_set_sink(write_record, NULL, min);
}

void log_output_stream(log_sink_fn *fn, void *arg)
{
	pthread_rwlock_wrlock(&stream.lock);
	stream.fn = fn;
	stream.arg = arg;
	pthread_rwlock_unlock(&stream.lock);
	if (fn && out.format == LOG_FORMAT_NONE)
		log_set_sink(write_record, NULL, out.min);
}
