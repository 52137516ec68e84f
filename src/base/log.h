/*
 * log.h - structured log records.
 *
 * A record has a level, a dotted component name, a message and fields. This
 * room only passes records to the sink that app/ installed (none: dropped).
 * Strings are borrowed for the call; the sink may be called from any thread.
 * Never log a secret.
 *
 *     log_info("overlay", "dial failed", LOG_STR("overlay", id), LOG_INT("port", port));
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG = -1, LOG_INFO = 0, LOG_WARN = 1, LOG_ERROR = 2 };

enum log_type { LOG_TYPE_STR, LOG_TYPE_INT, LOG_TYPE_FLOAT, LOG_TYPE_BOOL, LOG_TYPE_JSON };

struct log_field {
	const char *key;
	enum log_type type;
	union {
		const char *str; /* LOG_TYPE_JSON: JSON text, put in as it is */
		int64_t i;
		double f;
		bool b;
	};
};

struct log_record {
	enum log_level level;
	const char *name;
	const char *message;
	const struct log_field *fields;
	size_t nfields;
};

typedef void log_sink_fn(void *arg, const struct log_record *r);

/* Before any other thread exists. Records below `min` are not even built. */
void log_set_sink(log_sink_fn *fn, void *arg, enum log_level min);
/* While more was added than taken away, sinks that write to the terminal are to keep quiet (log_is_muted()). Any thread. */
void log_mute(int by);
bool log_is_muted(void);
bool log_enabled(enum log_level level);
void log_write(const struct log_record *r);

#define LOG_STR(k, v) ((struct log_field){.key = (k), .type = LOG_TYPE_STR, .str = (v)})
#define LOG_INT(k, v) ((struct log_field){.key = (k), .type = LOG_TYPE_INT, .i = (int64_t)(v)})
#define LOG_FLOAT(k, v) ((struct log_field){.key = (k), .type = LOG_TYPE_FLOAT, .f = (v)})
#define LOG_BOOL(k, v) ((struct log_field){.key = (k), .type = LOG_TYPE_BOOL, .b = (v)})

/* The leading dummy field lets the list of fields be empty. */
#define LOG_AT(lvl, component, msg, ...)                                                             \
	do {                                                                                         \
		if (log_enabled(lvl)) {                                                              \
			const struct log_field log_fields_[] = {LOG_STR(NULL, NULL), ##__VA_ARGS__}; \
			log_write(&(struct log_record){.level = (lvl),                               \
				.name = (component),                                                 \
				.message = (msg),                                                    \
				.fields = log_fields_ + 1,                                           \
				.nfields = sizeof(log_fields_) / sizeof(log_fields_[0]) - 1});       \
		}                                                                                    \
	} while (0)

#define log_debug(name, msg, ...) LOG_AT(LOG_DEBUG, name, msg, ##__VA_ARGS__)
#define log_info(name, msg, ...) LOG_AT(LOG_INFO, name, msg, ##__VA_ARGS__)
#define log_warn(name, msg, ...) LOG_AT(LOG_WARN, name, msg, ##__VA_ARGS__)
#define log_error(name, msg, ...) LOG_AT(LOG_ERROR, name, msg, ##__VA_ARGS__)

#endif
