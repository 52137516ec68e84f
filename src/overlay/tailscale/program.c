/*
 * program.c - looking for the sidecar.
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
