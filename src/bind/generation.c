#include "bind/generation.h"

#include <stddef.h>

#include "base/alloc.h"
#include "bind/http_call.h"

/* Every module that keeps connections of overlays. */
static void (*const droppers[])(struct worker *w, uint64_t generation, bool all) = {
	http_exchange_drop_generation,
};

void bind_drop_generation(struct worker *w, uint64_t generation, bool all)
{
	for (size_t i = 0; i < ARRAY_LEN(droppers); i++)
		droppers[i](w, generation, all);
}
