/*
 * keyfile.c - see keyfile.h
 */
#include "overlay/i2p/keyfile.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "overlay/destination.h"
#include "overlay/i2p/sam.h"
#include "overlay/key_file.h"

#define KEY_FILE "destination.key"

/* What goes into a command to the bridge. */
static bool is_key(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-~=", text[i]) || !text[i])
			return false;
	}
	return len >= DESTINATION_BYTES_MIN && len <= SAM_KEY_MAX;
}

static char *key_path(const char *dir)
{
	return xasprintf("%s/%s", dir, KEY_FILE);
}

int keyfile_read(const char *dir, struct secret **ret, struct err *e)
{
	char *path = key_path(dir);
	int rc = key_file_read(path, ret, e);

	if (rc == 0 && *ret && !is_key(secret_reveal(*ret), secret_len(*ret))) {
		secret_free(*ret);
		*ret = NULL;
		rc = err_set(e, ERR_INVALID,
			"'%s' holds no I2P private key: put it back, or move it away and get a new address", path);
	}
	free(path);
	return rc;
}

int keyfile_write(const char *dir, const struct secret *key, struct err *e)
{
	char *path = key_path(dir);
	int rc = key_file_write(path, key, e);

	free(path);
	return rc;
}
