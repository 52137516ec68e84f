/*
 * alloc.c - see alloc.h
 */
#include "base/alloc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nothing here may allocate: there is no memory to format the message with. */
static void __attribute__((noreturn, cold)) out_of_memory(size_t bytes)
{
	fprintf(stderr, "wippy: out of memory (%zu bytes wanted); give the program more memory or lower its limits\n",
		bytes);
	abort();
}

/* malloc(0) may return NULL without being out of memory. */
static size_t at_least_one(size_t bytes)
{
	return bytes ? bytes : 1;
}

static size_t product(size_t n, size_t bytes)
{
	size_t total;

	if (__builtin_mul_overflow(n, bytes, &total))
		out_of_memory(SIZE_MAX);
	return total;
}

void *xmalloc(size_t bytes)
{
	void *p = malloc(at_least_one(bytes));

	if (!p)
		out_of_memory(bytes);
	return p;
}

void *xcalloc(size_t n, size_t bytes)
{
	size_t total = product(n, bytes);
	void *p = calloc(1, at_least_one(total));

	if (!p)
		out_of_memory(total);
	return p;
}

void *xrealloc(void *p, size_t bytes)
{
	void *moved = realloc(p, at_least_one(bytes));

	if (!moved)
		out_of_memory(bytes);
	return moved;
}

void *xreallocarray(void *p, size_t n, size_t bytes)
{
	return xrealloc(p, product(n, bytes));
}

char *xstrdup(const char *s)
{
	return s ? xmemdupz(s, strlen(s)) : NULL;
}

char *xmemdupz(const void *p, size_t len)
{
	char *copy;

	if (len == SIZE_MAX)
		out_of_memory(len);
	copy = xmalloc(len + 1);
	if (len)
		memcpy(copy, p, len);
	copy[len] = '\0';
	return copy;
}

static char *xvasprintf(const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		out_of_memory(strlen(fmt));
	return text;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	return text;
}
