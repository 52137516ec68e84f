/*
 * kinds.h - the kinds of this room, one file each; app/ lists them.
 */
#ifndef SERVICE_KINDS_H
#define SERVICE_KINDS_H

#include "registry/kind.h"

extern const struct kind contract_binding_kind;
extern const struct kind contract_definition_kind;
extern const struct kind db_sql_sqlite_kind;
extern const struct kind env_storage_file_kind;
extern const struct kind env_storage_memory_kind;
extern const struct kind env_storage_os_kind;
extern const struct kind env_storage_router_kind;
extern const struct kind env_storage_static_kind;
extern const struct kind env_variable_kind;
extern const struct kind exec_native_kind;
extern const struct kind fs_directory_kind;
extern const struct kind function_lua_kind;
extern const struct kind http_endpoint_kind;
extern const struct kind http_router_kind;
extern const struct kind http_service_kind;
extern const struct kind http_static_kind;
extern const struct kind library_lua_kind;
extern const struct kind network_kind;
extern const struct kind network_i2p_kind;
extern const struct kind network_socks5_kind;
extern const struct kind network_tailscale_kind;
extern const struct kind network_tor_kind;
extern const struct kind ns_definition_kind; /* these three live in the registry only */
extern const struct kind ns_dependency_kind;
extern const struct kind ns_requirement_kind;
extern const struct kind pg_scope_kind;
extern const struct kind process_host_kind;
extern const struct kind process_lua_kind;
extern const struct kind process_service_kind;
extern const struct kind registry_entry_kind; /* lives in the registry only */
extern const struct kind template_jet_kind;
extern const struct kind template_set_kind;
extern const struct kind security_policy_expr_kind;
extern const struct kind security_policy_kind;
extern const struct kind security_token_store_kind;
extern const struct kind store_memory_kind;
extern const struct kind store_sql_kind;
extern const struct kind terminal_host_kind;

/* The workers run: fill what waited for them (static pools). */
void kind_lua_started(struct runtime *rt);

#endif
