/*
 * tidy_hints.h - what clang-tidy cannot see, since it looks at one file at a time. Included before each file by scripts/tidy_one.sh.
 *
 * Without it the analyzer supposes that a failing `return err_set(...)` may return 0, and then finds outputs that were never set.
 */
#include "base/err.h"

#define err_set(...) (err_set(__VA_ARGS__), -1)
#define err_vset(...) (err_vset(__VA_ARGS__), -1)
#define err_set_errno(...) (err_set_errno(__VA_ARGS__), -1)
#define err_prefix(...) (err_prefix(__VA_ARGS__), -1)
#define err_retryable(...) (err_retryable(__VA_ARGS__), -1)
#define err_code(...) (err_code(__VA_ARGS__), -1)
