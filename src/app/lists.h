/*
 * lists.h - what this program is made of.
 */
#ifndef APP_LISTS_H
#define APP_LISTS_H

#include <stddef.h>

#include "engine/module.h"
#include "registry/kind.h"

struct overlay_driver;

extern const struct kind_list app_kinds;
extern const struct module_list app_modules;
extern const struct overlay_driver *const *const app_drivers;
extern const size_t app_ndrivers;

#endif
