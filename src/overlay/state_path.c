/*
 * state_path.c - where a driver keeps what must survive: one directory of our own for each node.
 *
 * What lies there (node keys, destinations) is an identity, so nobody else may read it or lead us elsewhere. The state directory itself is the operator's choice and may
 * be reached in any way; below it each step is taken from the descriptor of the one before, without following links.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "overlay/driver.h"

enum { SEGMENT_BYTES_MAX = 200, HASH_BYTES = 16 };

static void add_hex(struct buf *out, const char *prefix, const unsigned char *bytes, size_t n)
{
	buf_adds(out, prefix);
	for (size_t i = 0; i < n; i++)
		buf_addf(out, "%02X", bytes[i]);
}

static bool stays(unsigned char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
	       (c == '.' && !first);
}

static void add_segment(struct buf *out, const char *text)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	size_t begin = buf_len(out);

	for (const char *c = text; *c; c++) {
		unsigned char byte = (unsigned char)*c;

		if (stays(byte, c == text))
			buf_addc(out, *c);
		else
			add_hex(out, "%", &byte, 1);
	}
	if (buf_len(out) - begin <= SEGMENT_BYTES_MAX)
		return;
	/* Too long for a name: its beginning for people, a hash for the rest. '~' keeps it apart from every short one. */
	SHA256((const unsigned char *)text, strlen(text), digest);
	buf_truncate(out, begin + SEGMENT_BYTES_MAX / 2);
	add_hex(out, "~", digest, HASH_BYTES);
}

int overlay_make_dir(const char *path, struct err *e)
{
	char *copy = xstrdup(path);
	int rc = 0;

	for (char *c = copy + 1; rc == 0; c++) {
		char was = *c;

		if (was && was != '/')
			continue;
		*c = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			rc = err_set_errno(e, ERR_INTERNAL, errno, "cannot make the state directory '%.256s'", copy);
		*c = was;
		if (!was)
			break;
	}
	free(copy);
	return rc;
}

/* Step into the directory `name` of `parent`, made when it is not there; -1 with errno. */
static int enter(int parent, const char *name)
{
	struct stat st;
	int fd;

	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return -1;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0) {
		if (st.st_uid != geteuid())
			errno = EPERM;
		else if ((st.st_mode & 07777) == 0700 || fchmod(fd, 0700) == 0)
			return fd;
	}
	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

int overlay_state_path(
	const struct overlay_env *env, const char *kind, const char *node, char **ret_path, struct err *e)
{
	struct buf kind_name = BUF_INIT, node_name = BUF_INIT;
	int base = -1, dir = -1, leaf = -1, rc = -1;

	if (!env->state_dir || env->state_dir[0] != '/') {
		err_set(e, ERR_INTERNAL, "there is no state directory: set network_service.state_dir");
		goto out;
	}
	if (!*kind || !*node) {
		err_set(e, ERR_INTERNAL, "a state directory needs a name");
		goto out;
	}
	if (overlay_make_dir(env->state_dir, e) < 0)
		goto out;
	add_segment(&kind_name, kind);
	add_segment(&node_name, node);
	base = open(env->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (base >= 0)
		dir = enter(base, buf_str(&kind_name));
	if (dir >= 0)
		leaf = enter(dir, buf_str(&node_name));
	if (leaf < 0) {
		err_set_errno(e, ERR_INTERNAL, errno, "cannot use the state directory '%s/%s/%s'", env->state_dir,
			buf_str(&kind_name), buf_str(&node_name));
		goto out;
	}
	*ret_path = xasprintf("%s/%s/%s", env->state_dir, buf_str(&kind_name), buf_str(&node_name));
	rc = 0;
out:
	if (leaf >= 0)
		close(leaf);
	if (dir >= 0)
		close(dir);
	if (base >= 0)
		close(base);
	buf_done(&kind_name);
	buf_done(&node_name);
	return rc;
}
