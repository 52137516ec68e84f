/*
 * modules.h - the Lua modules of this room, one file each; app/ lists them.
 */
#ifndef BIND_MODULES_H
#define BIND_MODULES_H

struct lua_State;

int bind_base64_open(struct lua_State *L);
int bind_contract_open(struct lua_State *L);
int bind_compress_open(struct lua_State *L);
int bind_crypto_open(struct lua_State *L);
int bind_ctx_open(struct lua_State *L);
int bind_env_open(struct lua_State *L);
int bind_events_open(struct lua_State *L);
int bind_expr_open(struct lua_State *L);
int bind_exec_open(struct lua_State *L);
int bind_fs_open(struct lua_State *L);
int bind_funcs_open(struct lua_State *L);
int bind_hash_open(struct lua_State *L);
int bind_http_client_open(struct lua_State *L);
int bind_http_open(struct lua_State *L);
int bind_io_open(struct lua_State *L);
int bind_json_open(struct lua_State *L);
int bind_logger_open(struct lua_State *L);
/* Let print() write log records with pid and location. Once, before any heap runs. */
void bind_logger_install(void);
int bind_metrics_open(struct lua_State *L);
int bind_payload_open(struct lua_State *L);
int bind_pg_open(struct lua_State *L);
int bind_process_open(struct lua_State *L);
int bind_security_open(struct lua_State *L);
int bind_registry_open(struct lua_State *L);
int bind_stream_open(struct lua_State *L);
int bind_sql_open(struct lua_State *L);
int bind_store_open(struct lua_State *L);
/* The globals subscribe() and unsubscribe(). */
int bind_subscribe_open(struct lua_State *L);
int bind_unsubscribe_open(struct lua_State *L);
int bind_system_open(struct lua_State *L);
int bind_templates_open(struct lua_State *L);
int bind_text_open(struct lua_State *L);
int bind_time_open(struct lua_State *L);
int bind_uuid_open(struct lua_State *L);
int bind_websocket_open(struct lua_State *L);
int bind_yaml_open(struct lua_State *L);

#endif
