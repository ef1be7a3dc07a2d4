/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/peer_address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "journal/journal.h"

static const char magic[] = {'\xF5', 's', 'r', 'c'};

static_assert((unsigned)PEER_ADDRESS_MARK == JOURNAL_INPUT_MARK,
	      "the journal keeps the mark");

enum { TAIL_BYTES = 1 + sizeof magic };

void peer_address_of_address(char text[static PEER_ADDRESS_TEXT_BYTES],
			     const char *scheme,
			     const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	char host[INET6_ADDRSTRLEN] = "unavailable";
	in_port_t port = 0;
	if (address->ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
		port = v4->sin_port;
	} else if (address->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
		port = v6->sin6_port;
	}
	snprintf(text, PEER_ADDRESS_TEXT_BYTES, "%s://%s:%u", scheme, host,
		 ntohs(port));
}

void peer_address_of_process(char text[static PEER_ADDRESS_TEXT_BYTES], int fd)
{
	struct ucred peer = {0};
	socklen_t length = sizeof peer;
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length);
	snprintf(text, PEER_ADDRESS_TEXT_BYTES, "unix://pid_%ld",
		 (long)peer.pid);
}

size_t peer_address_put(char *end, const char *text)
{
	size_t length = strlen(text);
	memcpy(end, text, length);
	end[length] = (char)length;
	memcpy(end + length + 1, magic, sizeof magic);
	return length + TAIL_BYTES;
}

struct span peer_address_take(struct journal_entry *entry)
{
	struct span none = span_make(NULL, 0);
	if ((entry->input & PEER_ADDRESS_MARK) == 0)
		return none;
	entry->input &= (uint16_t)~PEER_ADDRESS_MARK;
	struct span bytes = entry->bytes;
	if (bytes.len < TAIL_BYTES ||
	    memcmp(bytes.ptr + bytes.len - sizeof magic, magic, sizeof magic) !=
		    0)
		return none;
	bytes.len -= TAIL_BYTES;
	size_t length = (unsigned char)bytes.ptr[bytes.len];
	if (length >= PEER_ADDRESS_TEXT_BYTES || length > bytes.len)
		return none;
	bytes.len -= length;
	entry->bytes = bytes;
	return span_make(bytes.ptr + bytes.len, length);
}
