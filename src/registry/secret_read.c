#include "registry/secret_read.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"

/* Main thread's. */
static struct {
	bool inherited[SECRET_FD_MAX + 1];
	struct secret *read[SECRET_FD_MAX + 1]; /* what it gave; an entry that is updated asks again */
} fds;

void secret_fds_note(void)
{
	for (int fd = SECRET_FD_MIN; fd <= SECRET_FD_MAX; fd++)
		fds.inherited[fd] = fcntl(fd, F_GETFD) >= 0;
}

/* -- bytes ---------------------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Up to the end, at most `room` bytes. -1 with errno. */
static ssize_t read_all(int fd, char *to, size_t room)
{
	int64_t end = now_ms() + SECRET_FD_WAIT_MS;
	size_t have = 0;

	while (have < room) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = end - now_ms();
		int ready = poll(&p, 1, left > 0 ? (int)left : 0);
		ssize_t n;

		if (ready == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		n = ready < 0 ? -1 : read(fd, to + have, room - have);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

/* Without words about the content. */
static int check(const char *text, size_t len, struct err *e)
{
	if (len > SECRET_BYTES_MAX)
		return err_set(e, ERR_INVALID, "more than %d bytes", SECRET_BYTES_MAX);
	if (len == 0)
		return err_set(e, ERR_INVALID, "there is nothing in it");
	if (memchr(text, '\0', len))
		return err_set(e, ERR_INVALID, "there is a NUL byte in it");
	return 0;
}

static int read_secret(int fd, struct secret **ret, struct err *e)
{
	enum { ROOM = SECRET_BYTES_MAX + 3 }; /* a newline, and one byte that is too much */
	char *bytes = xcalloc(1, ROOM);
	ssize_t n = read_all(fd, bytes, ROOM);
	int rc = -1;

	if (n < 0) {
		err_set_errno(e, ERR_INVALID, errno, "cannot be read");
	} else {
		size_t len = (size_t)n;

		if (len > 0 && bytes[len - 1] == '\n')
			len -= len > 1 && bytes[len - 2] == '\r' ? 2 : 1;
		rc = check(bytes, len, e);
		if (rc == 0)
			*ret = secret_new(bytes, len);
	}
	explicit_bzero(bytes, ROOM);
	free(bytes);
	return rc;
}

/* -- files and descriptors ------------------------------------------------------------------------------ */

static int from_file(const struct entry *entry, const char *key, const char *path, struct secret **ret, struct err *e)
{
	/* Non-blocking: opening a pipe by that name must not hang. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int rc = -1;

	if (fd < 0)
		return err_set_errno(e, ERR_INVALID, errno, "the file it names cannot be opened");
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		err_set(e, ERR_INVALID, "what it names is no regular file");
	} else {
		if (st.st_mode & (S_IRWXG | S_IRWXO))
			log_warn("secret", "a file with a secret is open to others: chmod 600 it",
				LOG_STR("entry", entry->id), LOG_STR("field", key));
		rc = read_secret(fd, ret, e);
	}
	close(fd);
	return rc;
}

static int from_fd(int64_t n, struct secret **ret, struct err *e)
{
	struct secret *s = NULL;
	int rc;

	if (n < SECRET_FD_MIN || n > SECRET_FD_MAX)
		return err_set(
			e, ERR_INVALID, "a descriptor is a number between %d and %d", SECRET_FD_MIN, SECRET_FD_MAX);
	if (!fds.read[n]) {
		if (!fds.inherited[n])
			return err_set(e, ERR_INVALID, "the program was not started with descriptor %d open", (int)n);
		rc = read_secret((int)n, &s, e);
		/* Read or not: it is of no use any more, and nobody shall inherit it from us. */
		close((int)n);
		fds.inherited[n] = false;
		if (rc < 0)
			return -1;
		fds.read[n] = s;
	}
	*ret = secret_new(secret_reveal(fds.read[n]), secret_len(fds.read[n]));
	return 0;
}

/* -- fields --------------------------------------------------------------------------------------------- */

static bool given(const struct value *v)
{
	return value_type(v) != VALUE_NIL && !(value_type(v) == VALUE_STRING && !value_get_string(v, NULL)[0]);
}

static int read_file_field(
	const struct entry *entry, const struct value *v, const char *key, struct secret **ret, struct err *e)
{
	const char *path;
	size_t len;

	if (value_type(v) != VALUE_STRING)
		return err_set(e, ERR_INVALID, "expected a path, got %s", value_type_name(v));
	path = value_get_string(v, &len);
	if (strlen(path) != len)
		return err_set(e, ERR_INVALID, "there is a NUL byte in the path");
	return from_file(entry, key, path, ret, e);
}

static int read_fd_field(const struct value *v, struct secret **ret, struct err *e)
{
	if (value_type(v) != VALUE_INT)
		return err_set(e, ERR_INVALID, "expected a number, got %s", value_type_name(v));
	return from_fd(value_get_int(v), ret, e);
}

int secret_read(struct env *env, const struct entry *entry, const struct value *data, const char *field,
	enum env_field_rule rule, struct secret **ret, struct err *e)
{
	char *env_key = xasprintf("%s_env", field), *file_key = xasprintf("%s_file", field),
	     *fd_key = xasprintf("%s_fd", field), *text = NULL;
	const struct value *file = value_get(data, file_key), *fd = value_get(data, fd_key);
	int ways = (given(value_get(data, field)) || given(value_get(data, env_key))) + given(file) + given(fd);
	struct secret *s = NULL;
	int rc = 0;

	if (ways > 1) {
		rc = err_set(e, ERR_INVALID,
			"line %u: field '%s' is given in more than one way: leave one of %s, %s, %s, %s",
			value_line(data), field, field, env_key, file_key, fd_key);
	} else if (given(file)) {
		rc = read_file_field(entry, file, file_key, &s, e);
		if (rc < 0)
			err_prefix(e, "line %u: field '%s'", value_line(file), file_key);
	} else if (given(fd)) {
		rc = read_fd_field(fd, &s, e);
		if (rc < 0)
			err_prefix(e, "line %u: field '%s'", value_line(fd), fd_key);
	} else {
		rc = env_field(env, entry->ns, data, field, rule, &text, e);
		if (rc == 0 && text)
			s = secret_new(text, strlen(text));
	}
	if (rc == 0)
		*ret = s;
	env_text_free(text);
	free(env_key);
	free(file_key);
	free(fd_key);
	return rc;
}

int secret_fill(struct env *env, const struct entry *entry, struct value **data, const char *field, struct err *e)
{
	struct secret *s = NULL;
	struct value *filled, *text;

	if (secret_read(env, entry, *data, field, ENV_FIELD_INLINE_WINS, &s, e) < 0)
		return -1;
	if (s) {
		/* A string of our own, also in place of one that the entry shares: it is going to be wiped. */
		text = value_string(secret_reveal(s), secret_len(s));
		value_set_position(text, value_line(value_get(*data, field)), value_column(value_get(*data, field)));
		filled = value_with_path(*data, field, text);
		value_unref(*data);
		*data = filled;
	}
	secret_free(s);
	return 0;
}

void secret_unfill(struct value *data, const char *field)
{
	const struct value *v = value_get(data, field);
	const char *text;
	size_t len;

	if (value_type(v) == VALUE_STRING) {
		text = value_get_string(v, &len);
		explicit_bzero((char *)(uintptr_t)text, len);
	}
	value_unref(data);
}
