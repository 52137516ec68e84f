#include "registry/file.h"

#include <errno.h>
#include <unistd.h>

int file_write_all(int fd, const struct buf *text)
{
	const char *data = buf_data(text);
	size_t len = buf_len(text);

	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}
