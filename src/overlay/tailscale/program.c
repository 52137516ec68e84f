/*
 * program.c - looking for the sidecar, making its directory.
 */
#include "overlay/tailscale/program.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

#define PROGRAM_NAME "wippy-tsnet"

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static int take(const char *path, const char *from, char **ret, struct err *e)
{
	if (!is_program(path))
		return err_set(e, ERR_UNAVAILABLE,
			"'%.256s' (%s) is no program: build " PROGRAM_NAME " with `make sidecar`, which needs Go, "
			"and name it there",
			path, from);
	*ret = xstrdup(path);
	return 0;
}

int sidecar_program_find(const char *configured, char **ret_path, struct err *e)
{
	const char *named = getenv("WIPPY_TSNET");
	char self[PATH_MAX];
	char *slash, *beside;
	ssize_t n;

	if (configured && *configured)
		return take(configured, "network_service.sidecar", ret_path, e);
	if (named && *named)
		return take(named, "WIPPY_TSNET", ret_path, e);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return err_set_errno(e, ERR_UNAVAILABLE, errno, "/proc/self/exe");
	self[n] = '\0';
	slash = strrchr(self, '/');
	beside = xasprintf("%.*s/" PROGRAM_NAME, slash ? (int)(slash - self) : 0, self);
	if (is_program(beside)) {
		*ret_path = beside;
		return 0;
	}
	err_set(e, ERR_UNAVAILABLE,
		"the program " PROGRAM_NAME
		" is missing: build it with `make sidecar`, which needs Go, or say where it is with "
		"network_service.sidecar or WIPPY_TSNET (looked for '%.256s')",
		beside);
	free(beside);
	return -1;
}

int sidecar_make_dir(const char *path, struct err *e)
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
	if (rc == 0 && access(path, R_OK | W_OK | X_OK) < 0)
		rc = err_set_errno(e, ERR_INTERNAL, errno, "cannot use the state directory '%.256s'", path);
	free(copy);
	return rc;
}
