/*
 * socket_owner.c - see socket_owner.h
 */
#include "net/socket_owner.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

struct request {
	struct nlmsghdr head;
	struct inet_diag_req_v2 diag;
};

static void put_ip(const struct addr *a, __be32 out[static 4])
{
	if (a->sa.sa_family == AF_INET)
		memcpy(out, &a->in4.sin_addr, sizeof(a->in4.sin_addr));
	else
		memcpy(out, &a->in6.sin6_addr, sizeof(a->in6.sin6_addr));
}

static int ask(int fd, const struct request *r, uid_t *ret_uid, struct err *e)
{
	struct {
		struct nlmsghdr head;
		union {
			struct nlmsgerr refusal;
			struct inet_diag_msg diag;
		};
		char attributes[512];
	} answer = {0};
	ssize_t n;

	do
		n = send(fd, r, sizeof(*r), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*r))
		return err_set_errno(e, ERR_INTERNAL, errno, "cannot ask the kernel for a socket's owner");
	/* It was answered inside of send(). */
	do
		n = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set_errno(e, ERR_INTERNAL, errno, "cannot read a socket's owner from the kernel");
	if ((size_t)n >= NLMSG_LENGTH(sizeof(answer.refusal)) && answer.head.nlmsg_type == NLMSG_ERROR)
		return err_set_errno(e, answer.refusal.error == -ENOENT ? ERR_NOT_FOUND : ERR_INTERNAL,
			-answer.refusal.error, "the kernel does not tell a socket's owner");
	if ((size_t)n < NLMSG_LENGTH(sizeof(answer.diag)) || answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		memcmp(&answer.diag.id, &r->diag.id, offsetof(struct inet_diag_sockid, idiag_if)) != 0)
		return err_set(e, ERR_INTERNAL, "the kernel's answer about a socket's owner is not understood");
	*ret_uid = answer.diag.idiag_uid;
	return 0;
}

int socket_owner(const struct addr *local, const struct addr *peer, uid_t *ret_uid, struct err *e)
{
	struct request r = {
		.head = {.nlmsg_len = sizeof(r), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
		.diag = {.sdiag_family = (__u8)local->sa.sa_family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = ~0U,
			.id = {.idiag_sport = htons(addr_port(local)),
				.idiag_dport = htons(addr_port(peer)),
				.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}},
	};
	int fd, rc;

	if (local->sa.sa_family != peer->sa.sa_family)
		return err_set(e, ERR_INVALID, "the ends of a connection are of one address family");
	put_ip(local, r.diag.id.idiag_src);
	put_ip(peer, r.diag.id.idiag_dst);
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return err_set_errno(e, ERR_INTERNAL, errno, "cannot ask the kernel for a socket's owner");
	rc = ask(fd, &r, ret_uid, e);
	close(fd);
	return rc;
}
