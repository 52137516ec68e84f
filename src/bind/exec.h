/*
 * exec.h - what the files of the `exec` module share.
 */
#ifndef BIND_EXEC_H
#define BIND_EXEC_H

#include "bind/stream.h"
#include "exec/command.h"
#include "registry/instances.h"

struct lua_State;
struct loop;

/* How the kind exec.native puts what an executor may do, a struct exec_native, among the live objects. */
extern const struct instance_type exec_instance_type;

/* -- one end of a pipe to a program (exec_pipe.c) ------------------------------------------------------- */

/* A source of streams that waits until the program is started. It reads only when somebody wants to read, so a
 * program that writes more waits. */
struct exec_pipe;

/* `holder` is set to NULL when the pipe goes. Never NULL. */
struct exec_pipe *exec_pipe_new(struct loop *l, bool writes, struct exec_pipe **holder);
struct stream_source *exec_pipe_source(struct exec_pipe *p);
/* The program runs: takes the descriptor, which does not block. */
void exec_pipe_open(struct exec_pipe *p, int fd);
/* Whoever held it goes first. */
void exec_pipe_let_go(struct exec_pipe *p);

/* -- a program (exec_process.c) ------------------------------------------------------------------------ */

void exec_process_register(struct lua_State *L);
/* Push one that is not started; takes argv, env and work_dir (may be NULL). */
void exec_process_push(
	struct lua_State *L, struct exec_words *argv, struct exec_words *env, char *work_dir, bool with_stdin);

#endif
