package queueing

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/testrun-dev/testrun/internal/admission"
)

// leftover is what remains of a run that is gone or has finished: its Job or its pod has not ended, and so it keeps its slot.
type leftover struct {
	run admission.Run
	// claimed says that it was found, and that the run was not known: somebody may have made it by hand.
	claimed bool
	// counted says that the engine counts it. A claim counts only as far as its namespace could have got with runs.
	counted bool
}

// share is what a namespace has of a queue.
type share struct{ queue, namespace string }

// Ends tells that a run is gone, or has finished; end is how it still counts for a unique key, nil if it does not. If it may remain,
// which is what the caller does not know to have ended, a run that counts as running keeps its slot until LetGo is called with the
// name of that slot.
func (q *Service) Ends(uid types.UID, end *admission.Run, mayRemain bool) (slot types.UID, keeps bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if run, counts := q.engine.Running(uid); counts && mayRemain {
		slot, keeps = "run/"+uid, true
		remains := admission.Run{
			Key: admission.Key{Namespace: run.Namespace, Name: run.Name, UID: slot}, Queue: run.Queue, Created: run.Created,
			Concurrency: admission.Concurrency{Key: run.Concurrency.Key, Limit: run.Concurrency.Limit}, State: admission.Running,
		}
		q.left[slot] = &leftover{run: remains, counted: true}
		q.engine.SetRun(remains)
	}
	if end != nil {
		q.setRun(*end)
	} else {
		q.remove(uid)
	}
	q.decide()
	return slot, keeps
}

// Claim tells of a Job or pod that has not ended, and whose run is not known. It takes the slot of that name until LetGo is called.
func (q *Service) Claim(slot types.UID, run admission.Run) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.left[slot] != nil {
		return
	}
	run.UID, run.State = slot, admission.Running
	q.left[slot] = &leftover{run: run, claimed: true}
	q.countClaim(slot)
	q.decide()
}

// LetGo gives the slot free: all that remained has ended.
func (q *Service) LetGo(slot types.UID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	left := q.left[slot]
	if left == nil {
		return
	}
	delete(q.left, slot)
	q.uncount(slot, left)
	delete(q.decided, slot)
	q.decide()
}

// IsGone says whether the run was said to be gone, or to have ended without having started.
func (q *Service) IsGone(uid types.UID) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, gone := q.gone.Get(uid)
	return gone
}

// countClaim has the engine count a claim, unless its namespace could not have got that far with runs: then it waits among the
// surplus until others of the namespace have ended. The caller holds mu, as for all below.
func (q *Service) countClaim(slot types.UID) {
	left := q.left[slot]
	of := share{left.run.Queue, left.run.Namespace}
	if !q.hasRoom(of) {
		if q.surplus[of] == nil {
			q.surplus[of] = map[types.UID]bool{}
		}
		q.surplus[of][slot] = true
		return
	}
	left.counted = true
	q.engine.SetRun(left.run)
}

func (q *Service) uncount(slot types.UID, left *leftover) {
	if left.counted {
		q.engine.RemoveRun(slot)
		left.counted = false
		return
	}
	of := share{left.run.Queue, left.run.Namespace}
	delete(q.surplus[of], slot)
	if len(q.surplus[of]) == 0 {
		delete(q.surplus, of)
	}
}

// hasRoom says whether one more run of the namespace could run in the queue. A queue that does not exist limits nobody.
func (q *Service) hasRoom(of share) bool {
	settings, exists := q.settings[of.queue]
	if !exists {
		return true
	}
	if len(settings.namespaces) > 0 && !settings.namespaces[of.namespace] {
		return false
	}
	status, _ := q.engine.Status(of.queue)
	total, each := int(settings.spec.MaxRunning), int(settings.spec.MaxRunningPerNamespace)
	return (total == 0 || status.Running < total) && (each == 0 || q.engine.RunningIn(of.queue, of.namespace) < each)
}

// recountClaims counts the claims anew that a change of the queue's settings may let count, or not.
func (q *Service) recountClaims(queue string) {
	var claims []types.UID
	for slot, left := range q.left {
		if left.claimed && left.run.Queue == queue {
			claims = append(claims, slot)
			q.uncount(slot, left)
		}
	}
	for _, slot := range claims {
		q.countClaim(slot)
	}
}

// countSurplus counts claims for which there is room now. Almost always there are none.
func (q *Service) countSurplus() {
	for of, slots := range q.surplus {
		for slot := range slots {
			if !q.hasRoom(of) {
				break
			}
			q.uncount(slot, q.left[slot])
			q.countClaim(slot)
		}
	}
}
