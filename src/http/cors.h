/*
 * cors.h - which pages of other sites may read our answers (Fetch standard, section 3.2). Pure; any thread.
 */
#ifndef HTTP_CORS_H
#define HTTP_CORS_H

#include <stdbool.h>

/*
 * Is `origin` in a list such as "https://app.example.com, *.example.com, localhost"? Compared with case. An element
 * is `*` (any), a whole origin, `*.` and the end of one (with its port, if it has one; something must stand before
 * it), or `localhost`: http or https, any port or none.
 */
bool cors_allows(const char *list, const char *origin);

#endif
