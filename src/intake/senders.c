/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/senders.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "intake/endpoints.h"
#include "intake/socket.h"

enum {
	ANSWER_BYTES_MAX = 32768, /* the kernel's own limit for one answer */
	OWN_REFERENCES = 2,	  /* of a bound socket in /proc/net/unix */
};

/* The inode of the socket's peer; 0 if it has none.  Netlink has 32 bits for an
 * inode; so has the kernel for the inodes of sockets. */
static uint32_t peer_of(const struct nlmsghdr *head)
{
	const char *at = (const char *)NLMSG_DATA(head) +
			 NLMSG_ALIGN(sizeof(struct unix_diag_msg));
	const char *end = (const char *)head + head->nlmsg_len;
	struct rtattr attribute;
	uint32_t peer = 0;
	while (end - at >= (ptrdiff_t)sizeof attribute) {
		memcpy(&attribute, at, sizeof attribute);
		if (attribute.rta_len < sizeof attribute ||
		    attribute.rta_len > end - at)
			break;
		if (attribute.rta_type == UNIX_DIAG_PEER &&
		    attribute.rta_len == RTA_LENGTH(sizeof peer))
			memcpy(&peer, at + RTA_LENGTH(0), sizeof peer);
		at += RTA_ALIGN(attribute.rta_len);
	}
	return peer;
}

/* Add to *count the sockets in one answer whose peer is `inode`.  Returns
 * whether more answers follow; *count is -1 after an error. */
static bool count_answer(const struct nlmsghdr *head, size_t len, ino_t inode,
			 int *count)
{
	while (len >= sizeof *head && head->nlmsg_len >= sizeof *head &&
	       head->nlmsg_len <= len) {
		if (head->nlmsg_type == NLMSG_DONE)
			return false;
		if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY) {
			*count = -1;
			return false;
		}
		if (peer_of(head) == (uint32_t)inode)
			(*count)++;
		size_t size = NLMSG_ALIGN((size_t)head->nlmsg_len);
		if (size >= len)
			break;
		head = (const struct nlmsghdr *)((const char *)head + size);
		len -= size;
	}
	return true;
}

static int count_by_netlink(ino_t inode)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req request;
	} ask = {
		.head = {.nlmsg_len = sizeof ask,
			 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.request = {.sdiag_family = AF_UNIX,
			    .udiag_states = UINT32_MAX,
			    .udiag_show = UDIAG_SHOW_PEER},
	};
	union {
		struct nlmsghdr head;
		char bytes[ANSWER_BYTES_MAX];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
			NETLINK_SOCK_DIAG);
	if (fd < 0)
		return -1;
	int count = send(fd, &ask, sizeof ask, 0) < 0 ? -1 : 0;
	bool has_more = count == 0;
	while (has_more) {
		ssize_t n = recv(fd, &answer, sizeof answer, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			count = -1;
		has_more = n > 0 &&
			   count_answer(&answer.head, (size_t)n, inode, &count);
	}
	close(fd);
	return count;
}

static int count_by_proc(ino_t inode)
{
	char line[512]; /* the path after the inode may be truncated */
	int count = -1;
	FILE *f = fopen("/proc/net/unix", "re");
	if (f == NULL)
		return -1;
	while (count < 0 && fgets(line, sizeof line, f) != NULL) {
		unsigned references;
		uintmax_t line_inode;
		if (sscanf(line, "%*s %x %*s %*s %*s %*s %ju", &references,
			   &line_inode) == 2 &&
		    line_inode == inode && references >= OWN_REFERENCES)
			count = (int)references - OWN_REFERENCES;
	}
	fclose(f);
	return count;
}

struct senders_of_socket senders_of_socket(ino_t inode)
{
	return (struct senders_of_socket){.by_netlink = count_by_netlink(inode),
					  .by_proc = count_by_proc(inode)};
}

static void add_socket(struct senders *all, struct socket *s)
{
	if (socket_kind_is_stream(socket_kind(s))) {
		all->connected += socket_stats(s)->connections;
	} else if (socket_kind(s) == SOCKET_UDP) {
		all->has_unseen = true;
	} else if (!socket_is_kept(s)) {
		struct senders_of_socket its =
			senders_of_socket(socket_inode(s));
		int count = its.by_netlink > its.by_proc ? its.by_netlink
							 : its.by_proc;
		all->connected += count > 0 ? (size_t)count : 0;
		all->has_netlink |= its.by_netlink >= 0;
		all->has_proc |= its.by_proc >= 0;
		all->has_no_source |= count < 0;
		all->has_unseen |= count < 0;
	}
}

struct senders senders_of(const struct endpoints *endpoints)
{
	struct senders all = {0};
	for (uint32_t i = 0; i < endpoints->specs.socket_count; i++)
		add_socket(&all, endpoints->sockets[i]);
	return all;
}

const char *senders_source(const struct senders *s)
{
	if (s->has_netlink)
		return s->has_proc ? "netlink and /proc/net/unix" : "netlink";
	if (s->has_proc)
		return "/proc/net/unix";
	return s->has_no_source ? "none" : "connections";
}
