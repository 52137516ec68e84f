/*
 * private.h - what the files of exec/ share.
 */
#ifndef EXEC_PRIVATE_H
#define EXEC_PRIVATE_H

#include <stdatomic.h>

/* Programs that run, or are not reaped, in all of wippy. */
extern atomic_int exec_nchildren;

#endif
