/*
 * secret.h - which fields of an entry hold secrets: the one list, for whoever shows entries to people or other programs.
 *
 * By name: password, auth_key, token_key, whatever begins with `secret`, and the like; a private key in PEM under whatever name. Fields that end in `_env` name a variable and are no secrets, nor is
 * a text that is nothing but a placeholder, ${env:NAME}; neither is expanded here. Of `env.storage.static` every value is one. Pure.
 */
#ifndef REGISTRY_SECRET_H
#define REGISTRY_SECRET_H

#include <stdbool.h>

#include "base/secret.h"
#include "value/value.h"

#define SECRET_SHOWN_AS SECRET_HIDDEN

/* Does a field of that name hold a secret? */
bool secret_field(const char *name);

/* A new reference to the data of an entry of that kind with every secret replaced by SECRET_SHOWN_AS; the same tree where there is none. `data` may be NULL. */
struct value *secret_redact(const char *kind, const struct value *data);

#endif
