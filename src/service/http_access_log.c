#include "service/http_access_log.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/log.h"
#include "http/builtin.h"
#include "service/http_app.h"

void http_access_log(void *owner, const struct exchange *x)
{
	const struct app_server *as = container_of((struct http_owner *)owner, struct app_server, owner);
	double ms = (double)(loop_clock_ns() - exchange_begun_ns(x)) / 1e6;
	const char *id = http_request_id(x);
	char path[ACCESS_LOG_PATH_MAX + 1];
	const struct log_field fields[] = {
		LOG_STR("server", as->id),
		LOG_STR("method", exchange_method(x)),
		LOG_STR("path", path),
		LOG_INT("status", http_status_seen(x)),
		LOG_INT("bytes", exchange_bytes_sent(x)),
		LOG_FLOAT("duration_ms", ms),
		LOG_STR("remote", exchange_remote(x)),
		LOG_STR("request_id", id),
	};

	if (!log_enabled(LOG_INFO))
		return;
	snprintf(path, sizeof(path), "%s", exchange_path(x));
	log_write(&(struct log_record){.level = LOG_INFO,
		.name = "http",
		.message = "request",
		.fields = fields,
		.nfields = id ? ARRAY_LEN(fields) : ARRAY_LEN(fields) - 1});
}
