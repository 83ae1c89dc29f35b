// Package queueing is the service that the controllers ask about queues. It holds the engine of package admission behind a lock. The
// controller of the runs reports what runs and what waits. The controller of the queues reports their settings. Nothing is stored: all of
// it can be reported again at any time.
//
// Only decisions are made under the lock. Controllers are woken after it is released, and whoever looks at the queues looks at a replica.
package queueing

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/admission"
)

// goneRemembered is how many runs that are gone are remembered: enough for a cache that is behind.
const goneRemembered = 16384

// catchUpEvery is how often the replica catches up if nobody looks at it.
const catchUpEvery = time.Second

// Service holds all queues. Its methods may be called from any goroutine. It must be made by New.
type Service struct {
	clock   clock.WithTicker
	replica *replica
	wakers  wakers
	// defaultLimit is maxRunning of the queue default while there is no object of that name.
	defaultLimit int

	mu     sync.Mutex
	engine recorded
	// open says that all started runs have been reported. Before that no run may start.
	open bool
	// gone holds the runs that are gone for good, whatever a stale cache says.
	gone *lru.Cache
	// specs holds those of the TestQueues that exist, by name.
	specs map[string]v1alpha1.TestQueueSpec
	// left holds the slots of runs that are gone or have finished. surplus names those of them that do not count.
	left    map[types.UID]*leftover
	surplus map[share]map[types.UID]bool
	// decided holds the decisions about the runs that exist.
	decided map[types.UID]admission.Decision
	timer   clock.Timer
}

// New makes the queues. defaultLimit is how many runs of the queue default may run at once while there is no object of that name;
// 0 is any number.
func New(clock clock.WithTicker, defaultLimit int) *Service {
	replica := &replica{engine: admission.New()}
	s := &Service{
		clock: clock, replica: replica, engine: recorded{admission.New(), replica}, gone: lru.New(goneRemembered), defaultLimit: defaultLimit,
		specs: map[string]v1alpha1.TestQueueSpec{}, decided: map[types.UID]admission.Decision{},
		left: map[types.UID]*leftover{}, surplus: map[share]map[types.UID]bool{},
		timer: clock.NewTimer(time.Hour),
	}
	s.engine.SetQueue(s.settingsOf(v1alpha1.DefaultQueue, nil))
	return s
}

// Open reports that all started runs have been reported, so that others may start.
func (s *Service) Open() {
	s.change("", func() { s.open = true })
}

// IsOpen says whether Open has been called.
func (s *Service) IsOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// Report reports a run as it is seen, which may be stale, and returns what is decided about it.
func (s *Service) Report(run admission.Run) admission.Turn {
	var decision admission.Decision
	var why admission.Explanation
	var decided, known bool
	s.change(run.UID, func() {
		if decision, decided = s.decided[run.UID]; !decided || decision.Action != admission.Finish {
			s.setRun(run)
		}
	}, func() {
		decision, decided = s.decided[run.UID]
		why, known = s.engine.Why(run.UID)
	})
	switch {
	case decided:
		return admission.Turn{Action: decision.Action, Cause: decision.Cause, By: decision.By}
	case run.State != admission.Waiting:
		return admission.Turn{Action: admission.Start}
	default:
		return admission.Turn{Wait: why.Pending(run, known)}
	}
}

// Gone reports that a run does not exist any more, or has ended without having started.
func (s *Service) Gone(uid types.UID) {
	s.change("", func() { s.remove(uid) })
}

// IsGone says whether the run was reported as gone, or as ended without having started.
func (s *Service) IsGone(uid types.UID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, gone := s.gone.Get(uid)
	return gone
}

// change calls do under the lock, decides anew, and calls after. Then it wakes the runs and queues that the decisions concern, except the
// run that is being reconciled.
func (s *Service) change(reconciled types.UID, do func(), after ...func()) {
	s.wakers.wake(s.changeLocked(do, after), reconciled)
}

func (s *Service) changeLocked(do func(), after []func()) admission.Plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
	plan := s.decide()
	for _, do := range after {
		do()
	}
	return plan
}

// decide asks the engine and remembers its decisions. The caller holds mu, as for setRun and remove.
func (s *Service) decide() admission.Plan {
	if !s.open {
		return admission.Plan{}
	}
	s.countSurplus()
	now := s.clock.Now()
	plan := s.engine.Decide(now)
	for _, decision := range plan.Decisions {
		s.decided[decision.Run.UID] = decision
	}
	if !plan.Next.IsZero() {
		s.timer.Reset(max(0, plan.Next.Sub(now)))
	}
	plan.Queues = slices.DeleteFunc(plan.Queues, func(name string) bool {
		_, exists := s.specs[name]
		return !exists
	})
	return plan
}

// setRun gives the run to the engine.
func (s *Service) setRun(run admission.Run) {
	if _, gone := s.gone.Get(run.UID); gone {
		return
	}
	if run.State == admission.Ended {
		delete(s.decided, run.UID)
	} else if known, runs := s.engine.Running(run.UID); runs { // it counts where it started, whatever its Job or the queue says now
		run.Queue, run.Concurrency = known.Queue, known.Concurrency
	}
	s.engine.SetRun(run)
}

func (s *Service) remove(uid types.UID) {
	s.gone.Add(uid, nil)
	s.engine.RemoveRun(uid)
	delete(s.decided, uid)
}

// Start decides again whenever time alone changes something. It returns when ctx ends.
func (s *Service) Start(ctx context.Context) error {
	ticker := s.clock.NewTicker(catchUpEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.timer.C():
			s.change("", func() {})
		case <-ticker.C():
			s.replica.catchUp()
		}
	}
}

// NeedLeaderElection is true: only the leader decides.
func (s *Service) NeedLeaderElection() bool { return true }
