/* SPDX-License-Identifier: Apache-2.0 */
/* journal - the durable ring of raw messages between sockets and pipeline.
 *
 * Receiving must never wait for a slow disk or a slow script, and a killed
 * process must not lose messages that it accepted.  So datagrams go here first,
 * unparsed, into a mapped file: recvmmsg writes straight into it.
 *
 *          tail (commit)      read (take)        head (append)
 *     -------|------------------|-------------------|-------
 *      free  |  taken, not yet  |   not yet taken   |  free
 *            |  written         |                   |
 *
 *     file:  [ header | counters x 2 | slots: headers of recvmmsg | inputs
 *            | notes | slots: buffers | ring ]
 *     entry: u32 length | u16 input | u16 kind | u64 seq | i64 arrival ns
 *            | u64 xxh3 of all that and the bytes | bytes | padding to 8
 *
 * Positions only grow.  An entry never wraps: an entry of kind "skip" fills the
 * end of the ring.  When the ring is empty, the producer starts over at its
 * beginning, so a lightly loaded process touches only a few pages of it.
 *
 * What survives which failure:
 *  - SIGKILL at any instant, if the file is on a tmpfs (for a device, see
 *    below): every message that the kernel handed over, exactly once (journal.c
 *    lists the instants);
 *  - a power cut: the messages that the file system had written back;
 *  - a new version: the file of version 1 is read, and its messages move to a
 *    new file.  A file of another version, a truncated or a damaged file is
 *    renamed to PATH.damaged.N and reported; it is never trusted and never
 *    deleted.  A file that sluiced did not make is left alone, and opening
 *    fails, because the path may name a log file by mistake (but see
 *    is_known).  If a good file
 *    has other sizes than wanted, its messages move to a new file.  For a
 *    moment, they take twice the room.  So if more than
 *    JOURNAL_MOVE_BYTES_MAX wait, or if a new file cannot be made, the journal
 *    keeps the sizes of its file until it is opened again.  (A file on a disk
 *    still moves if the new file has room for longer messages.  A file on a
 *    tmpfs does not, because both files would take memory.)  A file of version
 *    1, or with too little room for the counters, always moves; if that fails,
 *    opening fails.
 * Without a path, the journal is anonymous memory: the code is the same, and
 * nothing survives.
 *
 * Inputs.  An entry does not hold the number of its input, which changes when
 * the configuration gains, loses or reorders inputs.  It holds the index of a
 * row in a table of the file, and the row describes the input.  An input is
 * identified by its address.  When the journal is opened, rows are mapped to
 * the numbers of the present inputs; new inputs get rows that no waiting
 * message uses.  Messages of a removed input are not lost: their row still
 * names the tag and the parser with which they are decoded
 * (journal_removed_input).  If all rows are in use by waiting messages, the
 * file is renamed to PATH.damaged.N and reported, and `sluiced replay` sends
 * its messages.  In a file of version 1, an entry holds the number of its
 * input; the reader keeps that number.
 *
 * The file is sparse.  Its used part is reserved beforehand; with the default
 * sizes, that is less than 1 MiB at first.  If the file system is full, the
 * ring is smaller and is full sooner, which is logged.  The file belongs on a
 * tmpfs; an emptyDir of medium Memory outlives the container.  On a device, the
 * kernel writes its pages back every few seconds.  A store to such a page waits
 * meanwhile, for tens of milliseconds on a busy disk, and so does receiving.  A
 * SIGKILL that strikes during that wait can cost one datagram (seen once in
 * 2,000 kills with 2,000 syncs a second).
 * One process owns the file at a time: it is locked with flock.
 *
 * The consumer stores in the file which message it works on, which costs one
 * store for each message.  So the next process knows which message a process
 * died of, and how often that has happened.
 *
 * Threads: one thread produces (journal_slots, journal_append, journal_offer,
 * journal_room, journal_stats) and one consumes (journal_take, journal_begin,
 * journal_rest, journal_has_suspects, journal_is_repeating, journal_note,
 * journal_note_failed, journal_noted, journal_claim, journal_unclaimed,
 * journal_commit, journal_counters).  Both may call journal_work,
 * journal_pending_bytes and journal_ring_bytes. */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"
#include "journal/append_note.h"

struct journal;

enum {
	JOURNAL_INPUTS_MAX = 64, /* rows in the table of inputs */
	/* A bit that the caller may set in an input's number: the journal
	 * returns it unchanged (journal/peer_address.h). */
	JOURNAL_INPUT_MARK = 0x8000,
	JOURNAL_NOTES_MAX = 8192,
	JOURNAL_MOVE_BYTES_MAX = 1 << 20, /* see above */
};

/* A row in the table of inputs.  Plain data in the file: NUL-terminated texts,
 * truncated if they are longer; the rest is zeros. */
struct journal_input {
	char address[160]; /* its identity, "unix_udp:/run/access.sock" */
	char name[96];
	char tag[160];
	char parser[88]; /* "": none, the built-in syslog parser */
};

struct journal_opts {
	const char *path;      /* NULL: anonymous memory */
	size_t ring_bytes;     /* rounded up to whole pages */
	size_t slot_bytes;     /* longer datagrams are truncated */
	unsigned slots;	       /* datagrams for one recvmmsg */
	size_t counters_bytes; /* the most that journal_commit stores */
	int64_t wait_ms;       /* how long to wait for the lock, or 0 */
	/* A copy of the descriptor with which the previous process has locked
	 * the file.  If the path leads to that file, there is no wait.
	 * journal_open closes or takes over the copy. */
	bool has_fd;
	int fd;
	/* The previous process was killed from outside or together with its
	 * supervisor, so the message that it worked on is hardly the reason. */
	bool died_of_other;
	/* A dead process has locked the file and may still write: if possible,
	 * continue in the file with its sizes, so that no other process locks a
	 * new one. */
	bool keeps_file;
	/* The file is this sluiced's journal, so another one in its place is
	 * renamed to PATH.damaged.N even if sluiced did not make that. */
	bool is_known;
	/* The inputs by number, at most JOURNAL_INPUTS_MAX, each with a
	 * different address; borrowed until journal_open returns.  Without
	 * inputs, rows are not described and entries keep the numbers of their
	 * inputs. */
	const struct journal_input *inputs;
	size_t input_count;
};

/* Counted by the producer; the totals survive in the file. */
struct journal_stats {
	uint64_t appended_total;  /* messages accepted */
	uint64_t refused_total;	  /* messages dropped because it was full */
	uint64_t truncated_total; /* datagrams longer than a slot */
};

/* What journal_open found in the file. */
struct journal_found {
	uint64_t messages;    /* not committed; includes the next two */
	uint64_t from_slots;  /* received, but not yet appended */
	uint64_t noted;	      /* taken by a batch that was not committed */
	uint64_t replayed;    /* sluiced replay has sent them */
	bool died_at_work;    /* the last process died working on a message */
	char damaged[256];    /* the old file's new name; "" if it was good */
	char why[128];	      /* why the file was renamed */
	struct err kept;      /* why the file has other sizes than wanted; its
			       * text is "" if it has the wanted ones */
	bool is_replayable;   /* its header is good: sluiced replay reads it */
	bool is_written_back; /* the file is on a device, see above */
};

struct journal_entry {
	struct span bytes; /* in the map; valid until journal_commit */
	uint64_t seq;	   /* 0, 1, 2 ...; continues after a restart */
	int64_t arrival_ns;
	/* The input's number, and perhaps JOURNAL_INPUT_MARK.  Messages of
	 * removed inputs have numbers from input_count on. */
	uint16_t input;
	/* 2 for each process that died while it worked on this message, but 1
	 * for one that was killed from outside. */
	unsigned half_deaths;
	bool is_replayed; /* sluiced replay has sent it: do not write it */
};

/* Whether the options fit together; journal_open checks it too. */
bool journal_check_opts(const struct journal_opts *, struct err *) MUST_USE;

enum journal_try {
	JOURNAL_TRY_GOOD,
	JOURNAL_TRY_BAD_PATH, /* there can be no file in the directory */
	JOURNAL_TRY_BAD_FILE, /* what is at the path cannot be the journal, or
			       * there is too little room for a new one */
	JOURNAL_TRY_BAD_SIZE, /* the file system or the memory rejects it */
};

/* Could journal_open create the journal, or open the file that exists?  Creates
 * nothing.  The size of a file that exists does not matter: the file keeps its
 * size if no new one can be made.  With is_free, a file that another process
 * owns is bad. */
enum journal_try journal_try(const struct journal_opts *, bool is_free,
			     struct err *) MUST_USE;

/* False if the file at the path or at PATH.new was not made by sluiced:
 * journal_open fails, because the user may need the file. */
bool journal_try_content(const char *path, struct err *) MUST_USE;

/* Open or create the journal and recover its messages.  NULL on failure, also
 * when another process owns the file. */
struct journal *journal_open(const struct journal_opts *,
			     struct journal_found *, struct err *);

/* Unmap, unlock and close.  Messages that are not committed stay in the file.
 * NULL is allowed. */
void journal_close(struct journal *);

/* The descriptor of the file, borrowed; -1 if the journal is in memory.  With a
 * copy of it, another process can keep the file locked, or unlock it (flock).
 */
int journal_fd(const struct journal *);

/* The longest message that fits: a longer datagram is truncated, and longer
 * messages must not be offered.  It is not the wanted slot_bytes if the file
 * keeps its sizes. */
size_t journal_message_bytes_max(const struct journal *);

/* The nth removed input, from 0 on, of which messages wait; its entries have
 * the number input_count + nth.  False after the last.  *input is valid until
 * journal_close; it is NULL if the journal does not describe the input (a file
 * of version 1). */
bool journal_removed_input(const struct journal *, size_t nth,
			   const struct journal_input **input) MUST_USE;

/* Headers for one recvmmsg on that input, ready to be filled: each has room for
 * a datagram and for the control message of SO_TIMESTAMPNS.  A journal in a
 * file offers few slots at first, and more after all were used at the same
 * time.  If the process is killed before journal_append, the next journal_open
 * appends the datagrams that recvmmsg received. */
struct mmsghdr *journal_slots(struct journal *, uint16_t input,
			      unsigned *count);

/* Append the first `received` slots to the ring.  The arrival time is that of
 * the control message, or now_ns without one.  Datagrams without room are
 * dropped and counted in refused_total.  Returns how many were appended. */
unsigned journal_append(struct journal *, unsigned received, int64_t now_ns);

/* Append one message that is not in a slot; its seq is assigned here.  False
 * when there is no room: nothing changes, nothing is counted, and the caller
 * may offer the message again. */
bool journal_offer(struct journal *, const struct journal_entry *) MUST_USE;

/* The producer's counters, as of now. */
const struct journal_stats *journal_stats(const struct journal *);

/* How many more messages certainly fit, if each has the largest size. */
size_t journal_room(struct journal *);

/* Take the next message; false when there is none.  After a crash, the first
 * batch must consist of the same messages as the batch that the previous
 * process had not committed, so that it makes the same lines.  So at the end of
 * that batch the result is false until journal_commit. */
bool journal_take(struct journal *, struct journal_entry *) MUST_USE;

/* Store in the file that the consumer works on this message from now on. */
void journal_begin(struct journal *, const struct journal_entry *);

/* Store in the file that the consumer works on no message.  The consumer calls
 * this before it writes or sleeps. */
void journal_rest(struct journal *);

/* A value that differs for each message that the consumer works on; 0 while it
 * works on none. */
uint64_t journal_work(const struct journal *);

/* Whether a message that is not committed has killed a process. */
bool journal_has_suspects(const struct journal *);

/* Whether the first batch repeats the batch of the previous process (see
 * journal_take) and is not yet committed.  The caller must take all of its
 * messages before it commits, because the commit erases the notes. */
bool journal_is_repeating(const struct journal *);

/* Note that the caller is about to append these bytes to a file, for the
 * current batch: the messages taken since the last commit.  Returns the note's
 * place, which is valid until the next commit.  `replaced` is the place of a
 * note whose append wrote nothing, and which the new one replaces, or 0.
 * If a batch has more than JOURNAL_NOTES_MAX notes, or the file system has no
 * room for one, no note is stored, and the result is 0; after a kill, the next
 * process may append those lines twice. */
uint32_t journal_note(struct journal *, const struct append_note *,
		      uint32_t replaced);

/* Record that the append of the note failed after length_bytes.  The next
 * process then expects that many bytes in the file.  A place of 0 is
 * ignored. */
void journal_note_failed(struct journal *, uint32_t place,
			 uint32_t length_bytes);

/* Walk over the notes that the previous process left.  `note` is the previous
 * result, or NULL to begin.  Returns NULL after the last note, and always after
 * a commit, because it erases the notes. */
const struct append_note *journal_noted(const struct journal *,
					const struct append_note *note);

/* An output continues the appends to the path of this note: it knows which of
 * its lines are written already. */
void journal_claim(struct journal *, const struct append_note *);

/* How many notes about lines of the batch no output has claimed.  Those lines
 * may be written twice.  Notes of appends that wrote nothing do not count. */
size_t journal_unclaimed(const struct journal *);

/* Commit all messages taken so far: free their room, make their notes void and
 * store `counters`, all in one instant.  bytes is at most counters_bytes. */
void journal_commit(struct journal *, const void *counters, size_t bytes);

/* The counters that the previous process committed last, and their size; NULL
 * if there are none. */
const void *journal_counters(const struct journal *, size_t *bytes);

/* Bytes in the ring that are not yet committed. */
size_t journal_pending_bytes(const struct journal *);
size_t journal_ring_bytes(const struct journal *);

/* --- for `sluiced journal FILE`: read-only, without the lock */

struct journal_summary {
	uint32_t version; /* 0: not even the header could be read */
	uint64_t ring_bytes, slot_bytes;
	uint64_t head, tail;
	uint64_t appended_total, refused_total;
	uint64_t notes; /* 0 if is_owned: they are not read then */
	/* The messages of a batch that was not committed, if some of its lines
	 * may be in their files; otherwise 0, and also if is_owned. */
	uint64_t perhaps_written;
	uint64_t replayed; /* messages that sluiced replay has sent */
	bool is_owned;	   /* a process has it locked */
};

/* Call each_entry for every message that is not committed and was not replayed,
 * with the row of its input, or NULL if the journal does not describe it;
 * entry->input is then the number that the input had.  If a process owns the
 * journal, datagrams that it has received but not yet appended are left out.
 * False with *e when the file is not a good journal; its good messages were
 * passed on, if its head and tail are good.  Datagrams that were not yet
 * appended are then left out, too. */
bool journal_inspect(const char *path, struct journal_summary *,
		     void (*each_entry)(void *, const struct journal_entry *,
					const struct journal_input *),
		     void *data, struct err *e) MUST_USE;

#endif
