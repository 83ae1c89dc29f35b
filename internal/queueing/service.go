// Package queueing is the one service that the controllers ask about queues. It holds the engine of package admission behind a lock.
// The controller of the runs reports what runs and what waits; the controller of the queues reports their settings. Nothing is
// stored: all of it can be reported again at any time.
package queueing

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/admission"
)

// goneRemembered bounds how many runs are remembered that are gone: as many as a cache may be behind.
const goneRemembered = 16384

// Service holds all queues. Its methods may be called from any goroutine. It must be made by New.
type Service struct {
	clock clock.Clock

	mu     sync.Mutex
	engine *admission.Engine
	// open says that all runs which have started have been reported. Before that nobody may start.
	open bool
	// gone are the runs that do not come back, whatever a stale cache says.
	gone *lru.Cache
	// settings are the TestQueues that exist, by name.
	settings map[string]settings
	// defaultLimit is maxRunning of the queue default as long as no object says otherwise.
	defaultLimit int
	// waiting are the runs that wait, as they were reported, and waitingIn the same by the queue that they name.
	waiting   map[types.UID]admission.Run
	waitingIn map[string]map[types.UID]bool
	// missing is since when the queues that do not exist, and in which runs wait, are known not to.
	missing map[string]time.Time
	// left are the slots of runs that are gone or have finished, and surplus those of left that do not count.
	left    map[types.UID]*leftover
	surplus map[share]map[types.UID]bool
	// decided is what was decided about the runs that exist.
	decided map[types.UID]admission.Decision

	// runs and queues are where it is told that a run or a TestQueue is to be looked at; nil until their controllers have started.
	runs   priorityqueue.PriorityQueue[reconcile.Request]
	queues workQueue
	timer  clock.Timer
}

// New makes the queues. defaultLimit is how many runs of the queue default may run at once while there is no object of that name;
// 0 is any number.
func New(clock clock.Clock, defaultLimit int) *Service {
	q := &Service{
		clock: clock, engine: admission.New(), gone: lru.New(goneRemembered), defaultLimit: defaultLimit,
		settings: map[string]settings{}, waiting: map[types.UID]admission.Run{}, decided: map[types.UID]admission.Decision{},
		waitingIn: map[string]map[types.UID]bool{}, missing: map[string]time.Time{},
		left: map[types.UID]*leftover{}, surplus: map[share]map[types.UID]bool{},
		timer: clock.NewTimer(time.Hour),
	}
	q.setQueue(v1alpha1.DefaultQueue, nil)
	return q
}

// Open says that every run which has started has been reported, so that others may start.
func (q *Service) Open() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open = true
	q.decide()
}

// IsOpen says whether Open has been called.
func (q *Service) IsOpen() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.open
}

// Report tells of a run as it is seen, which may be stale, and returns what is decided about it.
func (q *Service) Report(run admission.Run) admission.Turn {
	q.mu.Lock()
	defer q.mu.Unlock()
	if decision, ok := q.decided[run.UID]; ok && decision.Action == admission.Finish {
		return turnOf(decision)
	}
	q.setRun(run)
	q.decide(run.UID)
	if decision, ok := q.decided[run.UID]; ok {
		return turnOf(decision)
	}
	if run.State != admission.Waiting {
		return admission.Turn{Action: admission.Start}
	}
	return admission.Turn{Wait: q.whyWaits(run)}
}

// Gone tells that a run does not exist any more, or has ended without having started.
func (q *Service) Gone(uid types.UID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.remove(uid)
	q.decide()
}

func (q *Service) remove(uid types.UID) {
	q.gone.Add(uid, nil)
	q.engine.RemoveRun(uid)
	q.waitsNoMore(uid)
	delete(q.decided, uid)
}

func turnOf(decision admission.Decision) admission.Turn {
	return admission.Turn{Action: decision.Action, Cause: decision.Cause, By: decision.By}
}

// setRun gives the run to the engine; without a queue if it may not use the one that it names.
func (q *Service) setRun(run admission.Run) {
	if _, gone := q.gone.Get(run.UID); gone {
		return
	}
	known, runs := q.engine.Running(run.UID)
	if before, ok := q.waiting[run.UID]; ok && (runs || run.State != admission.Waiting || before.Queue != run.Queue) {
		q.waitsNoMore(run.UID)
	}
	switch {
	case run.State == admission.Ended:
		delete(q.decided, run.UID)
	case runs: // it counts where it started, whatever its Job or the settings of the queue say now
		run.Queue, run.Concurrency = known.Queue, known.Concurrency
	case run.State == admission.Waiting:
		q.waits(run)
		if q.isForbidden(run) {
			run.Queue = ""
		}
	}
	q.engine.SetRun(run)
}

func (q *Service) waits(run admission.Run) {
	q.waiting[run.UID] = run
	if q.waitingIn[run.Queue] == nil {
		q.waitingIn[run.Queue] = map[types.UID]bool{}
		q.noteMissing(run.Queue)
	}
	q.waitingIn[run.Queue][run.UID] = true
}

func (q *Service) waitsNoMore(uid types.UID) {
	run, ok := q.waiting[uid]
	if !ok {
		return
	}
	delete(q.waiting, uid)
	delete(q.waitingIn[run.Queue], uid)
	if len(q.waitingIn[run.Queue]) == 0 {
		delete(q.waitingIn, run.Queue)
		delete(q.missing, run.Queue)
	}
}

// noteMissing notes since when the queue does not exist, unless it does, or nobody waits in it. The queue default always exists.
func (q *Service) noteMissing(name string) {
	_, exists := q.settings[name]
	if !exists && name != v1alpha1.DefaultQueue && q.waitingIn[name] != nil {
		q.missing[name] = q.clock.Now()
	}
}

func (q *Service) isForbidden(run admission.Run) bool {
	settings, exists := q.settings[run.Queue]
	return exists && len(settings.namespaces) > 0 && !settings.namespaces[run.Namespace]
}

// decide asks the engine and remembers its decisions. Whoever they concern is looked at again, but for those that are being looked at.
func (q *Service) decide(lookedAt ...types.UID) {
	if !q.open {
		return
	}
	q.countSurplus()
	plan := q.engine.Decide(q.clock.Now())
	for _, decision := range plan.Decisions {
		q.decided[decision.Run.UID] = decision
		q.waitsNoMore(decision.Run.UID)
		if !slices.Contains(lookedAt, decision.Run.UID) {
			q.wakeRun(decision.Run, 0)
		}
	}
	for _, run := range plan.Changed {
		if !slices.Contains(lookedAt, run.UID) {
			q.wakeRun(run, handler.LowPriority) // its turn is not now
		}
	}
	q.wakeQueues(plan.Queues)
	if !plan.Next.IsZero() {
		q.timer.Reset(max(0, plan.Next.Sub(q.clock.Now())))
	}
}

// Start decides again whenever time alone makes a difference. It returns when ctx ends.
func (q *Service) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-q.timer.C():
			q.mu.Lock()
			q.decide()
			q.mu.Unlock()
		}
	}
}

// NeedLeaderElection keeps the queues of a replica that does not lead at rest.
func (q *Service) NeedLeaderElection() bool { return true }
