/*
 * lists.c - what this program is made of: every kind, every Lua module, every overlay driver.
 */
#include "app/lists.h"

#include "base/alloc.h"
#include "bind/modules.h"
#include "engine/channel.h"
#include "overlay/driver.h"
#include "service/kinds.h"

static const struct kind *const kinds[] = {
	&contract_binding_kind,
	&contract_definition_kind,
	&db_sql_sqlite_kind,
	&env_storage_file_kind,
	&env_storage_memory_kind,
	&env_storage_os_kind,
	&env_storage_router_kind,
	&env_storage_static_kind,
	&env_variable_kind,
	&exec_native_kind,
	&fs_directory_kind,
	&function_lua_kind,
	&http_endpoint_kind,
	&http_router_kind,
	&http_service_kind,
	&http_static_kind,
	&library_lua_kind,
	&network_kind,
	&network_i2p_kind,
	&network_socks5_kind,
	&network_tailscale_kind,
	&network_tor_kind,
	&ns_definition_kind,
	&ns_dependency_kind,
	&ns_requirement_kind,
	&pg_scope_kind,
	&process_host_kind,
	&process_lua_kind,
	&process_service_kind,
	&registry_entry_kind,
	&security_policy_expr_kind,
	&security_policy_kind,
	&security_token_store_kind,
	&store_memory_kind,
	&store_sql_kind,
	&template_jet_kind,
	&template_set_kind,
	&terminal_host_kind,
};

const struct kind_list app_kinds = {kinds, ARRAY_LEN(kinds)};

static const struct module modules[] = {
	{"base64", bind_base64_open, false},
	{"channel", channel_open, true},
	{"contract", bind_contract_open, false},
	{"compress", bind_compress_open, false},
	{"crypto", bind_crypto_open, false},
	{"ctx", bind_ctx_open, false},
	{"env", bind_env_open, false},
	{"events", bind_events_open, false},
	{"expr", bind_expr_open, false},
	{"exec", bind_exec_open, false},
	{"fs", bind_fs_open, false},
	{"funcs", bind_funcs_open, false},
	{"hash", bind_hash_open, false},
	{"http", bind_http_open, false},
	{"http_client", bind_http_client_open, false},
	{"io", bind_io_open, false},
	{"json", bind_json_open, false},
	{"logger", bind_logger_open, false},
	{"metrics", bind_metrics_open, false},
	{"payload", bind_payload_open, true},
	{"pg", bind_pg_open, false},
	{"process", bind_process_open, true},
	{"registry", bind_registry_open, false},
	{"sql", bind_sql_open, false},
	{"store", bind_store_open, false},
	{"stream", bind_stream_open, false},
	{"security", bind_security_open, false},
	{"subscribe", bind_subscribe_open, true},
	{"system", bind_system_open, false},
	{"templates", bind_templates_open, false},
	{"text", bind_text_open, false},
	{"time", bind_time_open, false},
	{"unsubscribe", bind_unsubscribe_open, true},
	{"uuid", bind_uuid_open, false},
	{"websocket", bind_websocket_open, false},
	{"yaml", bind_yaml_open, false},
};

const struct module_list app_modules = {modules, ARRAY_LEN(modules)};

static const struct overlay_driver *const drivers[] = {&i2p_driver, &socks5_driver, &tailscale_driver, &tor_driver};

const struct overlay_driver *const *const app_drivers = drivers;
const size_t app_ndrivers = ARRAY_LEN(drivers);
