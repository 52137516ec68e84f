/*
 * secret.h - a text that must not be shown: passwords, keys, tokens.
 *
 * It has one owner, is wiped when freed, and secret_reveal() is the only way to read it: call that where the text goes to whoever needs it, and
 * keep no copy. As a net under all that, secret_hide() takes every secret alive out of a text on its way to people; it costs nothing while there is
 * none. What is written as JSON or with \xHH escapes is found, too.
 *
 * Not looked for: texts shorter than SECRET_SOUGHT_MIN bytes (they would hide ordinary words), and what comes after SECRET_SOUGHT_COUNT others.
 * Any thread.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#define SECRET_HIDDEN "[redacted]"

enum { SECRET_BYTES_MAX = 65536, SECRET_SOUGHT_MIN = 6, SECRET_SOUGHT_COUNT = 1024 };

struct secret;

/* Copies the text, which must not hold a NUL byte. Never NULL. */
struct secret *secret_new(const char *text, size_t len);
void secret_free(struct secret *s); /* NULL is fine */

/* NUL-terminated, as long as the secret lives; NULL gives NULL. */
const char *secret_reveal(const struct secret *s);
size_t secret_len(const struct secret *s); /* 0 for NULL */
bool secret_equals(const struct secret *s, const char *text);

/* Is there any to look for? */
bool secret_any(void);
/* `text` with every secret in it replaced by SECRET_HIDDEN, malloc'd; NULL when there is none in it. */
char *secret_hide(const char *text);

#endif
