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
	&env_storage_file_kind,
	&env_storage_memory_kind,
	&env_storage_os_kind,
	&env_storage_router_kind,
	&env_storage_static_kind,
	&env_variable_kind,
	&function_lua_kind,
	&library_lua_kind,
	&network_socks5_kind,
	&pg_scope_kind,
	&process_host_kind,
	&process_lua_kind,
	&process_service_kind,
	&registry_entry_kind,
	&terminal_host_kind,
};

const struct kind_list app_kinds = {kinds, ARRAY_LEN(kinds)};

static const struct module modules[] = {
	{"base64", bind_base64_open, false},
	{"channel", channel_open, true},
	{"crypto", bind_crypto_open, false},
	{"ctx", bind_ctx_open, false},
	{"env", bind_env_open, false},
	{"events", bind_events_open, false},
	{"funcs", bind_funcs_open, false},
	{"hash", bind_hash_open, false},
	{"http_client", bind_http_client_open, false},
	{"io", bind_io_open, false},
	{"json", bind_json_open, false},
	{"logger", bind_logger_open, false},
	{"payload", bind_payload_open, true},
	{"pg", bind_pg_open, false},
	{"process", bind_process_open, true},
	{"subscribe", bind_subscribe_open, true},
	{"system", bind_system_open, false},
	{"time", bind_time_open, false},
	{"unsubscribe", bind_unsubscribe_open, true},
	{"uuid", bind_uuid_open, false},
	{"yaml", bind_yaml_open, false},
};

const struct module_list app_modules = {modules, ARRAY_LEN(modules)};

static const struct overlay_driver *const drivers[] = {&socks5_driver};

const struct overlay_driver *const *const app_drivers = drivers;
const size_t app_ndrivers = ARRAY_LEN(drivers);
