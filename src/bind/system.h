/*
 * system.h - the files of the `system` module: system.c, system_hosts.c (hosts and who runs there), system_supervisor.c
 * (services), system_network.c (overlays).
 */
#ifndef BIND_SYSTEM_H
#define BIND_SYSTEM_H

struct lua_State;

/* 0 when the caller may do that; else what a function returns: nil and INVALID "permission denied: system.read on
 * hosts". */
int system_deny(struct lua_State *L, const char *action, const char *resource);

#define SYSTEM_REQUIRE(L, action, resource)                     \
	do {                                                    \
		int denied_ = system_deny(L, action, resource); \
		if (denied_)                                    \
			return denied_;                         \
	} while (0)

int system_hosts_list(struct lua_State *L);
int system_hosts_processes(struct lua_State *L);
int system_network_state(struct lua_State *L);
int system_network_states(struct lua_State *L);
int system_supervisor_state(struct lua_State *L);
int system_supervisor_states(struct lua_State *L);

#endif
