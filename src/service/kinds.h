/*
 * kinds.h - the kinds of this room, one file each; app/ lists them.
 */
#ifndef SERVICE_KINDS_H
#define SERVICE_KINDS_H

#include "registry/kind.h"

extern const struct kind env_storage_file_kind;
extern const struct kind env_storage_memory_kind;
extern const struct kind env_storage_os_kind;
extern const struct kind env_storage_router_kind;
extern const struct kind env_storage_static_kind;
extern const struct kind env_variable_kind;
extern const struct kind function_lua_kind;
extern const struct kind library_lua_kind;
extern const struct kind network_socks5_kind;
extern const struct kind pg_scope_kind;
extern const struct kind process_host_kind;
extern const struct kind process_lua_kind;
extern const struct kind process_service_kind;
extern const struct kind registry_entry_kind; /* lives in the registry only */
extern const struct kind terminal_host_kind;

#endif
