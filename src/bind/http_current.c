#include "bind/http_current.h"

static const char handled_key;

void exchange_mark_handled(struct exchange *x)
{
	if (!exchange_is_handled(x))
		exchange_attach(x, &handled_key, x, NULL);
}

bool exchange_is_handled(const struct exchange *x)
{
	return exchange_attached(x, &handled_key) != NULL;
}
