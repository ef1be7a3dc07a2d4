/* SPDX-License-Identifier: Apache-2.0 */
/* receiver_state - struct receiver, for the files of the receiver only.
 *
 *     receiver.c       receives while the worker works
 *     receiver_rest.c  reads sockets empty: those of removed inputs, and its
 *                      own when the worker ends */
#ifndef INTAKE_RECEIVER_STATE_H
#define INTAKE_RECEIVER_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/log.h"
#include "intake/pace.h"
#include "intake/receiver.h"

/* RECEIVING -> FINISHING -> FINISHED, or RECEIVING -> LEAVING. */
enum receiver_phase {
	RECEIVER_RECEIVING,
	RECEIVER_FINISHING, /* senders are refused; the rest is read */
	RECEIVER_FINISHED,  /* the rest is in the journal, or was dropped */
	RECEIVER_LEAVING,   /* the next worker receives; datagrams without room
			     * in the journal are dropped and counted */
};

/* What happens to datagrams.  FLOWING -> PAUSED when the journal is full;
 * PAUSED -> FLOWING when it has room, or -> DROPPING when the output is
 * blocked; DROPPING -> FLOWING when the output works again. */
enum datagram_flow {
	DATAGRAMS_FLOWING,
	DATAGRAMS_PAUSED,   /* they wait in the kernel's queue */
	DATAGRAMS_DROPPING, /* the newest are dropped while the journal is full
			     */
};

struct datagram_input { /* one datagram socket */
	struct receiver *receiver;
	struct socket *socket;
	uint16_t number;
	bool keeps_peer_address;
	struct pace pace;
	bool is_calm;
	uint64_t rest_count; /* datagrams received by receiver_take_rest */
	uv_poll_t poll;
};

struct receiver {
	struct receiver_opts opts;
	struct datagram_input *inputs;
	uint32_t input_count;
	uint32_t retired_count; /* after those; they are not polled */
	struct connections *connections;
	struct sockaddr_storage *names; /* of senders; NULL: not needed */
	uv_timer_t wake_timer;
	uv_prepare_t before_poll; /* not started if a queue is too short */
	uint64_t sleep_us; /* the shortest sleep any input wants in this turn */
	uv_async_t progress;
	unsigned open_handles;
	enum receiver_phase phase;
	enum datagram_flow flow;
	/* Shared with the consumer's thread: */
	atomic_bool waits_for_room;
	atomic_bool is_output_blocked;
	uint64_t arrivals;
	void (*on_done)(void *);
	void *done_data;
	struct log_rate full_rate;
	struct log_rate pause_rate;
};

/* Whether the output is blocked. */
static inline bool receiver_is_blocked(struct receiver *r)
{
	return atomic_load(&r->is_output_blocked);
}

/* --- receiver.c */

/* Receive the waiting datagrams, as far as the journal has room.  Returns how
 * many were received. */
uint64_t receiver_receive(struct datagram_input *);

/* Do not look for datagrams any more. */
void receiver_stop_polls(struct receiver *);

/* Call on_progress when the journal has room, or the output is blocked. */
void receiver_wait_for_room(struct receiver *);

/* --- receiver_rest.c */

/* Read the retired sockets until they are empty or datagrams are PAUSED.
 * on_progress calls this again. */
void receiver_take_retired(struct receiver *);

/* Read everything that the kernel still holds, then call on_done.  If the
 * journal has no room, on_progress calls this again.  If the output is blocked,
 * datagrams are dropped and counted, and connections are closed, which their
 * senders notice. */
void receiver_take_rest(struct receiver *);

#endif
