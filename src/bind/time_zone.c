#include "bind/time_zone.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "bind/time_zone_table.h"

static const char *const directories[] = {"/usr/share/zoneinfo", "/etc/zoneinfo", "/usr/lib/zoneinfo"};

const struct zone zone_utc = {.name = "UTC"};

/* Zones of the database that were asked for; never freed, since values of all threads point to them. */
struct loaded {
	struct loaded *next;
	struct zone zone;
	char name[];
};

static struct {
	pthread_mutex_t lock;
	struct loaded *first;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

static pthread_once_t local_once = PTHREAD_ONCE_INIT;
static struct zone local_zone = {.name = "Local"};

/* -- files --------------------------------------------------------------------------------------------- */

/* A regular file of a sensible size. Zone files are a few kilobytes on a local disk, and each is read once: the calling worker does it itself. */
static int read_file(const char *path, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int rc = -1;

	if (fd < 0)
		return err_set_errno(e, ERR_NOT_FOUND, errno, "open '%s'", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > ZONE_FILE_MAX) {
		err_set(e, ERR_INVALID, "'%s' is not a time zone file", path);
		goto out;
	}
	for (;;) {
		ssize_t n = read(fd, buf_reserve(out, 4096), 4096);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err_set_errno(e, ERR_INTERNAL, errno, "read '%s'", path);
			goto out;
		}
		if (n == 0)
			break;
		buf_commit(out, (size_t)n);
		if (buf_len(out) > ZONE_FILE_MAX) {
			err_set(e, ERR_INVALID, "'%s' is not a time zone file", path);
			goto out;
		}
	}
	rc = 0;
out:
	close(fd);
	return rc;
}

static int load_table(const char *path, struct zone_table **ret_table, struct err *e)
{
	struct buf b = BUF_INIT;
	int rc = read_file(path, &b, e);

	if (rc == 0)
		rc = zone_table_parse(buf_data(&b), buf_len(&b), ret_table, e);
	buf_done(&b);
	return rc;
}

/* Relative, no empty, "." or ".." part, and only what names in the database are made of. */
static bool name_is_safe(const char *name, size_t len)
{
	size_t part = 0;

	if (len == 0 || len > ZONE_NAME_MAX)
		return false;
	for (size_t i = 0; i <= len; i++) {
		char c = i < len ? name[i] : '/';

		if (c == '/') {
			if (part == 0 || (part == 1 && name[i - 1] == '.') ||
				(part == 2 && name[i - 1] == '.' && name[i - 2] == '.'))
				return false;
			part = 0;
			continue;
		}
		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
			    c == '-' || c == '+' || c == '.'))
			return false;
		part++;
	}
	return true;
}

static int load_named(const char *name, size_t len, struct zone_table **ret_table, struct err *e)
{
	int rc = err_set(e, ERR_NOT_FOUND, "not in the database");

	if (!name_is_safe(name, len))
		return rc;
	for (size_t i = 0; i < ARRAY_LEN(directories) && rc < 0; i++) {
		char *path = xasprintf("%s/%.*s", directories[i], (int)len, name);

		rc = load_table(path, ret_table, e);
		free(path);
	}
	return rc;
}

/* -- by name ------------------------------------------------------------------------------------------- */

static const struct zone *find(const char *name, size_t len)
{
	for (struct loaded *l = cache.first; l; l = l->next) {
		if (strlen(l->name) == len && memcmp(l->name, name, len) == 0)
			return &l->zone;
	}
	return NULL;
}

static int fail_unknown(const char *name, size_t len, struct err *e)
{
	struct buf b = BUF_INIT;

	buf_add_escaped(&b, name, len, ZONE_NAME_MAX);
	err_set(e, ERR_NOT_FOUND, "unknown time zone %s", buf_str(&b));
	buf_done(&b);
	return -1;
}

int zone_load(const char *name, size_t len, const struct zone **ret_zone, struct err *e)
{
	struct zone_table *table;
	struct loaded *l;

	if (len == 3 && memcmp(name, "UTC", 3) == 0) {
		*ret_zone = &zone_utc;
		return 0;
	}
	if (len == 5 && memcmp(name, "Local", 5) == 0) {
		*ret_zone = zone_local();
		return 0;
	}
	pthread_mutex_lock(&cache.lock);
	*ret_zone = find(name, len);
	if (*ret_zone) {
		pthread_mutex_unlock(&cache.lock);
		return 0;
	}
	if (load_named(name, len, &table, NULL) < 0) {
		pthread_mutex_unlock(&cache.lock);
		return fail_unknown(name, len, e);
	}
	l = xmalloc(sizeof(*l) + len + 1);
	memcpy(l->name, name, len);
	l->name[len] = '\0';
	l->zone = (struct zone){.name = l->name, .table = table};
	l->next = cache.first;
	cache.first = l;
	*ret_zone = &l->zone;
	pthread_mutex_unlock(&cache.lock);
	return 0;
}

/* -- the local zone ------------------------------------------------------------------------------------ */

/* local_zone stays at offset 0 when nothing else can be had. */
static void find_local(void)
{
	const char *tz = getenv("TZ");
	struct zone_table *table = NULL;
	struct err e;

	if (!tz) {
		load_table("/etc/localtime", &table, &e);
	} else if (tz[0]) {
		if (tz[0] == ':')
			tz++;
		if (tz[0] == '/')
			load_table(tz, &table, &e);
		else if (load_named(tz, strlen(tz), &table, &e) < 0)
			zone_table_from_posix(tz, strlen(tz), &table, &e);
	}
	/* A table also where nothing was found: only then is the abbreviation not the zone's own name. */
	if (!table && zone_table_from_posix("UTC0", 4, &table, &e) < 0)
		abort();
	local_zone.table = table;
}

const struct zone *zone_local(void)
{
	pthread_once(&local_once, find_local);
	return &local_zone;
}

/* -- looking up ---------------------------------------------------------------------------------------- */

struct zone_period zone_lookup(const struct zone *z, int64_t unix_seconds)
{
	struct zone_type t;

	if (!z->table)
		return (struct zone_period){.offset = z->offset, .abbreviation = z->name};
	t = zone_table_lookup(z->table, unix_seconds);
	return (struct zone_period){.offset = t.offset, .abbreviation = t.abbreviation};
}

bool zone_lookup_abbreviation(
	const struct zone *z, const char *abbreviation, int64_t clock_seconds, int32_t *ret_offset)
{
	if (!z->table) {
		if (strcmp(z->name, abbreviation) != 0)
			return false;
		*ret_offset = z->offset;
		return true;
	}
	/* Best is a meaning that holds at that time. */
	for (size_t i = 0; i < z->table->ntypes; i++) {
		const struct zone_type *t = &z->table->types[i];
		struct zone_type then;

		if (strcmp(t->abbreviation, abbreviation) != 0)
			continue;
		then = zone_table_lookup(z->table, clock_seconds - t->offset);
		if (strcmp(then.abbreviation, abbreviation) == 0) {
			*ret_offset = then.offset;
			return true;
		}
	}
	for (size_t i = 0; i < z->table->ntypes; i++) {
		if (strcmp(z->table->types[i].abbreviation, abbreviation) == 0) {
			*ret_offset = z->table->types[i].offset;
			return true;
		}
	}
	return false;
}

int64_t zone_to_unix(const struct zone *z, int64_t clock_seconds)
{
	int32_t offset = zone_lookup(z, clock_seconds).offset;

	/* The offset that holds at the clock's reading taken as UTC is a guess, right unless a transition lies between. */
	if (offset != 0)
		offset = zone_lookup(z, clock_seconds - offset).offset;
	return clock_seconds - offset;
}
