/* SPDX-License-Identifier: Apache-2.0 */
/* A worker can be dead, but not ended: one of its threads waits in a write to a
 * disk that hangs.  That write may still store its bytes.  So the next worker
 * receives at once, but keeps all messages in the journal, until the supervisor
 * sends WRITE.  Then it compares the files with the notes of the dead worker,
 * as after every death. */
#include "base/log.h"
#include "pipeline/pipeline.h"
#include "process/worker_state.h"

void hold_resume_pipeline(struct worker *w)
{
	if (!w->is_held)
		pipeline_resume(w->pipeline);
}

void hold_finish_pipeline(struct worker *w)
{
	w->has_received_all = true;
	if (!w->is_held)
		pipeline_finish(w->pipeline);
	else if (w->is_grace_over)
		pipeline_leave(w->pipeline);
}

void hold_grace_over(struct worker *w)
{
	w->is_grace_over = true;
	if (!w->is_held)
		return;
	log_line(LOG_ERROR, "worker",
		 "err=\"Grace is over, and a write of a dead worker still "
		 "hangs on a disk\" action=\"leaving the messages in the "
		 "journal\"");
	if (w->has_received_all)
		pipeline_leave(w->pipeline);
}

void hold_end(struct worker *w)
{
	if (!w->is_held || w->is_grace_over)
		return;
	w->is_held = false;
	log_line(LOG_INFO, "worker",
		 "state=writing action=\"the dead worker can no longer "
		 "write; writing the messages in the journal\"");
	if (w->has_received_all)
		pipeline_finish(w->pipeline);
	else if (w->state == RUNNING || w->state == DRAINING ||
		 w->state == FINISHING)
		pipeline_resume(w->pipeline);
}
