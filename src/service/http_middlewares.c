#include "service/http_middlewares.h"

#include "http/builtin.h"

const struct middleware_type *const http_middlewares[] = {
	&http_compress_middleware,
	&http_cors_middleware,
	&http_endpoint_firewall_middleware,
	&http_metrics_middleware,
	&http_network_identity_middleware,
	&http_prometheus_middleware,
	&http_ratelimit_middleware,
	&http_real_ip_middleware,
	&http_request_id_middleware,
	&http_resource_firewall_middleware,
	&http_sendfile_middleware,
	&http_sse_relay_middleware,
	&http_token_auth_middleware,
	&http_websocket_relay_middleware,
	NULL,
};
