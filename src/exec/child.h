/*
 * child.h - child programs: started without a shell, watched, never left behind.
 *
 * A program runs in a process group of its own, with no descriptor but its three standard ones, default signals, and
 * exactly the environment it is given. When it ends, what it left running in its group is killed. A child that nobody
 * owns any more is told to end (SIGTERM) and killed (SIGKILL) EXEC_KILL_AFTER_MS later; a program that made itself a
 * session of its own is out of reach.
 *
 * exec_spawn() blocks for as long as the system needs to start a program: call it on a pool thread. The rest belongs to
 * the worker whose struct exec_children watches the child.
 */
#ifndef EXEC_CHILD_H
#define EXEC_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "exec/command.h"
#include "loop/loop.h"

enum { EXEC_KILL_AFTER_MS = 5000, EXEC_KILL_AT_END_MS = 1000, EXEC_CHILDREN_MAX = 2048 };

struct exec_child;
struct exec_children;

/* -- starting ---------------------------------------------------------------------------------------- */

struct exec_spawn {
	struct exec_words argv, env;               /* the caller's */
	const char *work_dir;                      /* NULL: ours; relative to ours */
	bool with_stdin, with_stdout, with_stderr; /* false: /dev/null */
	/* Set by exec_spawn(): close-on-exec; ours of stdin, stdout and stderr non-blocking; -1 where there is none. */
	pid_t pid;
	int pidfd;
	int fds[3];
};

/* The program is looked for in the folders of our own PATH, unless its name has a slash. NOT_FOUND,
 * PERMISSION_DENIED, UNAVAILABLE (too many programs or descriptors; retryable), INTERNAL. */
int exec_spawn(struct exec_spawn *s, struct err *e);
/* Of one that was started and will not be watched: kill it and wait for it. Blocks shortly. */
void exec_spawn_undo(struct exec_spawn *s);

/* -- watching ---------------------------------------------------------------------------------------- */

/* The children of one worker. Never NULL. */
struct exec_children *exec_children_new(struct loop *l);
/* Every child left is told to end, and killed after EXEC_KILL_AT_END_MS: this blocks until all are gone. Before the
 * loop. */
void exec_children_free(struct exec_children *c);

typedef void exec_ended_fn(void *arg, int exit_code);

/* Takes pid and pidfd; the descriptors in `fds` stay the caller's. */
struct exec_child *exec_child_new(struct exec_children *c, const struct exec_spawn *s);
/* `fn` runs once, later, when the program has ended (at the next turn when it has already); NULL: nobody wants to
 * know any more. */
void exec_child_on_end(struct exec_child *ch, exec_ended_fn *fn, void *arg);
/* The exit code, 128 + the signal's number when one ended it; -1 while it runs. */
int exec_child_exit_code(const struct exec_child *ch);
/* Send a signal to the program's group; false when it has ended. */
bool exec_child_signal(struct exec_child *ch, int signum);
/* The owner lets go: `on_end` does not run any more, the program is told to end (killed at once when `kill`), the
 * memory is freed when it has ended. NULL is fine. */
void exec_child_drop(struct exec_child *ch, bool kill);

#endif
