/*
 * config_merge.h - the layers of configuration laid over each other: files, profiles, --set; with `${env:NAME}` and `${name}` filled in.
 */
#ifndef APP_CONFIG_MERGE_H
#define APP_CONFIG_MERGE_H

#include "app/config.h"

#define CONFIG_DEFAULT_FILE ".wippy.yaml"

/* The merged tree, without `profiles` and `vars`. */
int config_merge(const struct config_sources *src, void (*warn)(const char *text), struct value **ret, struct err *e);

/* config.c: warn about the keys of one file that nobody reads. */
void config_check_keys(const char *file, const struct value *doc, void (*warn)(const char *));

#endif
