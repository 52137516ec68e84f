/*
 * log_output.h - where log records go: lines on a stream, for people or as JSON.
 *
 *     default  stderr  2026-01-31 12:00:00<TAB>INFO<TAB>name<TAB>message<TAB>{"k":"v"}
 *     console  stdout    0.12s  INFO  name  message  k=v     (colours only on a terminal)
 *     json     stdout  {"ts":"…","level":"info","logger":"name","msg":"…","k":"v"}
 *
 * Each record is one write(), so lines of several threads never mix. Without -c, at info level, a message that repeats is sampled:
 * the first 100 a second, then every 100th.
 */
#ifndef APP_LOG_OUTPUT_H
#define APP_LOG_OUTPUT_H

#include "base/log.h"

enum log_format { LOG_FORMAT_NONE, LOG_FORMAT_DEFAULT, LOG_FORMAT_CONSOLE, LOG_FORMAT_JSON };

/* Installs the sink; before other threads exist. */
void log_output_start(enum log_format format, enum log_level min);

/* Also hand each record to `fn`, with or without a format and before any sampling. To begin before other threads exist; NULL ends it: after the return no thread is inside `fn`. */
void log_output_stream(log_sink_fn *fn, void *arg);

#endif
