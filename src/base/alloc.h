/*
 * alloc.h - small allocations that cannot fail.
 *
 * Every function ends the program with a message when memory is out, so no
 * caller checks. Never use these for a size that a peer or a script chose:
 * bound the size first. Free with free(). Any thread.
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stdarg.h>
#include <stddef.h>

void *xmalloc(size_t bytes) __attribute__((malloc));
/* Zeroed; the product is checked for overflow. */
void *xcalloc(size_t n, size_t bytes) __attribute__((malloc));
void *xrealloc(void *p, size_t bytes);
/* Like xrealloc for n elements of `bytes` each, overflow checked. */
void *xreallocarray(void *p, size_t n, size_t bytes);
/* NULL gives NULL. */
char *xstrdup(const char *s);
/* Copy `len` bytes and append a NUL. */
char *xmemdupz(const void *p, size_t len);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The struct that embeds `member` at address `ptr`. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
