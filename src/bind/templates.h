/*
 * templates.h - sets of templates as live objects by entry id, for the kinds that make them.
 */
#ifndef BIND_TEMPLATES_H
#define BIND_TEMPLATES_H

#include "registry/instances.h"

/* Objects are struct template_set (value/template.h). */
extern const struct instance_type template_set_instance_type;

#endif
