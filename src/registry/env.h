/*
 * env.h - the environment of an application: storages that hold values by key, and variables that give a value a
 * public name.
 *
 * Code and entries see variables only; nothing reads the environment of the operating system unless a storage of
 * that type and a variable over it exist. Entries become storages and variables on the main thread; everything
 * else may be called from any thread. A lock is held for look-ups in memory only, never across a file operation:
 * entries come and go, and look-ups are answered, while a file is being written.
 *
 * A file storage reads its file for each look-up (at most ENV_FILE_BYTES_MAX, regular files only). Who must not
 * wait asks env_variable_waits() first and does the look-up on the thread pool.
 *
 * Values are text without NUL bytes, at most ENV_VALUE_BYTES_MAX. They are secrets more often than not: no error
 * and no log record shows one.
 */
#ifndef REGISTRY_ENV_H
#define REGISTRY_ENV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/map.h"
#include "registry/entry.h"
#include "value/value.h"

enum {
	ENV_FILE_BYTES_MAX = 1024 * 1024,
	ENV_VALUE_BYTES_MAX = 1024 * 1024,
	ENV_EXPANDED_BYTES_MAX = 16 * 1024 * 1024, /* of all placeholders of one tree together */
	ENV_ROUTER_DEPTH_MAX = 8,                  /* routers over routers */
};

enum env_storage_type {
	ENV_STORAGE_OS,     /* the process's own environment, read-only */
	ENV_STORAGE_MEMORY, /* starts empty */
	ENV_STORAGE_STATIC, /* `values`, read-only */
	ENV_STORAGE_FILE,   /* KEY=VALUE lines */
	ENV_STORAGE_ROUTER, /* asks other storages in turn */
};

struct env;
struct env_variable;

struct env *env_new(void);
/* No other thread uses it any more. NULL is fine. */
void env_free(struct env *env);

/* -- entries; main thread ------------------------------------------------------------------------------ */

/* Make the storage of an entry, or replace the one of the same id (a memory storage keeps what it holds). The data
 * is checked whole first. INVALID names the field; NOT_FOUND "environment storage backend not found" for a member
 * of a router. */
int env_storage_put(struct env *env, enum env_storage_type type, const struct entry *entry, struct err *e);
void env_storage_remove(struct env *env, const char *id);

/* The same for a variable. INVALID, ALREADY_EXISTS "variable name already exists: X", NOT_FOUND "referenced
 * storage not found". */
int env_variable_put(struct env *env, const struct entry *entry, struct err *e);
void env_variable_remove(struct env *env, const char *id);

/* -- values; any thread -------------------------------------------------------------------------------- */

/* The variable that `name` means for code of namespace `ns`: its public name, its entry's id, or a bare name of an
 * entry in `ns`. A reference. NOT_FOUND "environment variable not found". */
int env_variable_find(struct env *env, const char *ns, const char *name, struct env_variable **ret, struct err *e);
void env_variable_unref(struct env_variable *v);
/* Does env_variable_get() or _set() of it read a file? */
bool env_variable_waits(struct env *env, const struct env_variable *v);

/* What the storage holds if that is not empty, else the variable's default. malloc'd, wipe it with
 * env_text_free(). NOT_FOUND "environment variable not found", "environment storage backend not found"; INTERNAL
 * for a file that cannot be read. */
int env_variable_get(struct env *env, const struct env_variable *v, char **ret, struct err *e);
/* The same without the default: what the storage holds only. */
int env_variable_get_stored(struct env *env, const struct env_variable *v, char **ret, struct err *e);
/* "" makes it unset. PERMISSION_DENIED "environment variable is read-only", "storage is read-only"; INVALID for
 * text that the storage cannot hold. */
int env_variable_set(struct env *env, const struct env_variable *v, const char *text, struct err *e);

/* Find and get in one step. May read a file. */
int env_lookup(struct env *env, const char *ns, const char *name, char **ret, struct err *e);

/* Every key of every storage with its text (malloc'd, the map's values), of the first storage that has it. A
 * storage that cannot be read is left out. Free it with env_list_free(). */
struct map *env_list(struct env *env);
void env_list_free(struct map *list);
/* Does env_list() read a file? */
bool env_list_waits(struct env *env);

/* Wipe and free; NULL is fine. */
void env_text_free(char *text);

/* -- values in entries --------------------------------------------------------------------------------- */

enum env_field_rule {
	ENV_FIELD_INLINE_WINS,   /* the field itself, else the variable (with its default), which must be there */
	ENV_FIELD_VARIABLE_WINS, /* what the variable's storage holds (no default), else the field itself */
};

/* The text of `field` of an entry's data, which `<field>_env` may give by naming a variable; *ret is NULL when
 * there is neither. Wipe with env_text_free(). ENV_FIELD_INLINE_WINS: NOT_FOUND when the variable has no value;
 * ENV_FIELD_VARIABLE_WINS: a warning in the log then. INVALID for fields that are no strings (their value is not
 * shown). */
int env_field(struct env *env, const char *ns, const struct value *data, const char *field, enum env_field_rule rule,
	char **ret, struct err *e);

/* A new reference to `data` with every placeholder in its strings replaced (the same tree when there is none):
 *
 *     ${env:NAME}        variable NAME; NOT_FOUND when it has no value
 *     ${env:NAME|text}   with a fallback, after the variable's own default
 *     ${NAME|text}       the same for NAME of A-Z, 0-9 and _; without a fallback this is plain text
 *     $${                the two characters "${"
 *
 * A fallback ends at the first '}'. A string that is one placeholder and nothing else, whose fallback reads as a
 * boolean, an integer or a float, becomes a value of that type; INVALID when the variable's text does not read so.
 * Everything else stays a string, whatever it looks like: a password of digits is still a password. Keys of maps
 * are not looked at. */
int env_expand(struct env *env, const char *ns, const struct value *data, struct value **ret, struct err *e);
/* The same, but the field `verbatim` of the map `data` stays as it is. NULL: none does. */
int env_expand_except(struct env *env, const char *ns, const struct value *data, const char *verbatim,
	struct value **ret, struct err *e);

/* Call `fn` with each NAME that placeholders in `data` mention. */
void env_references(const struct value *data, void (*fn)(void *arg, const char *name), void *arg);

#endif
