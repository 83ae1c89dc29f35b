package queueing

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/testrun-dev/testrun/internal/admission"
)

// leftover is the slot of a run that is gone or has finished, while its Job or its pod has not ended. See docs/decisions/admission.md.
type leftover struct {
	run admission.Run
	// claimed says that only the Job or pod was found, and its run is not known: somebody may have made it by hand.
	claimed bool
	// counted says that the engine counts the slot. A claim counts only as far as runs of its namespace could have started.
	counted bool
}

// share is the part of a queue that a namespace uses.
type share struct{ queue, namespace string }

// Ends reports that a run is gone, or has finished. end is how the run still counts for its unique key; nil if it does not. mayRemain says
// that its Job or pod may not have ended. Then a run that counts as running keeps its slot until LetGo is called with the returned name;
// keeps says so.
func (s *Service) Ends(uid types.UID, end *admission.Run, mayRemain bool) (slot types.UID, keeps bool) {
	s.change("", func() {
		if run, counts := s.engine.Running(uid); counts && mayRemain {
			slot, keeps = "run/"+uid, true
			remains := admission.Run{
				Key: admission.Key{Namespace: run.Namespace, Name: run.Name, UID: slot}, Queue: run.Queue, Created: run.Created,
				Concurrency: admission.Concurrency{Key: run.Concurrency.Key, Limit: run.Concurrency.Limit}, State: admission.Running,
			}
			s.left[slot] = &leftover{run: remains, counted: true}
			s.engine.SetRun(remains)
		}
		if end != nil {
			s.setRun(*end)
		} else {
			s.remove(uid)
		}
	})
	return slot, keeps
}

// Claim reports a Job or pod that has not ended, and whose run is not known. It takes the slot of that name until LetGo is called.
func (s *Service) Claim(slot types.UID, run admission.Run) {
	run.UID, run.State = slot, admission.Running
	s.change("", func() {
		if s.left[slot] == nil {
			s.left[slot] = &leftover{run: run, claimed: true}
			s.countClaim(slot)
		}
	})
}

// LetGo frees the slot: its Job and pods have ended.
func (s *Service) LetGo(slot types.UID) {
	s.change("", func() {
		if left := s.left[slot]; left != nil {
			delete(s.left, slot)
			s.uncount(slot, left)
			delete(s.decided, slot)
		}
	})
}

// countClaim makes the engine count a claim, if runs of its namespace could have started that many. Otherwise the claim waits in surplus
// until others of the namespace have ended. The caller holds mu, here and in all functions below.
func (s *Service) countClaim(slot types.UID) {
	left := s.left[slot]
	key := share{left.run.Queue, left.run.Namespace}
	if !s.engine.HasRoom(key.queue, key.namespace) {
		if s.surplus[key] == nil {
			s.surplus[key] = map[types.UID]bool{}
		}
		s.surplus[key][slot] = true
		return
	}
	left.counted = true
	s.engine.SetRun(left.run)
}

func (s *Service) uncount(slot types.UID, left *leftover) {
	if left.counted {
		s.engine.RemoveRun(slot)
		left.counted = false
		return
	}
	key := share{left.run.Queue, left.run.Namespace}
	delete(s.surplus[key], slot)
	if len(s.surplus[key]) == 0 {
		delete(s.surplus, key)
	}
}

// recountClaims counts the claims of a queue anew, because its new settings may let more or fewer of them count.
func (s *Service) recountClaims(queue string) {
	var claims []types.UID
	for slot, left := range s.left {
		if left.claimed && left.run.Queue == queue {
			claims = append(claims, slot)
			s.uncount(slot, left)
		}
	}
	for _, slot := range claims {
		s.countClaim(slot)
	}
}

// countSurplus counts the claims of surplus for which there is room now. Almost always there are none.
func (s *Service) countSurplus() {
	for key, slots := range s.surplus {
		for slot := range slots {
			if !s.engine.HasRoom(key.queue, key.namespace) {
				break
			}
			s.uncount(slot, s.left[slot])
			s.countClaim(slot)
		}
	}
}
