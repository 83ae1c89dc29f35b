package queueing

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/testrun-dev/testrun/internal/admission"
)

// replica is a second engine, for the page /queues, the status of a TestQueue, the metrics and the dump. It repeats the calls to the first
// engine. An engine decides the same when it gets the same calls, so the replica is the first one as it was a moment ago. A look may take
// long, and holds no lock that a reconcile needs. See docs/decisions/looking-at-queues.md.
type replica struct {
	// mu guards engine.
	mu     sync.Mutex
	engine *admission.Engine

	// journalMu guards journal. It is held for one append or one swap.
	journalMu sync.Mutex
	// journal holds the calls that the replica has to repeat, in order.
	journal []func(*admission.Engine)
}

// record adds a call that the replica has to repeat.
func (r *replica) record(call func(*admission.Engine)) {
	r.journalMu.Lock()
	defer r.journalMu.Unlock()
	r.journal = append(r.journal, call)
}

// look brings the replica up to date and shows it. show must neither change nor keep it.
func (r *replica) look(show func(*admission.Engine)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.journalMu.Lock()
	calls := r.journal
	r.journal = nil
	r.journalMu.Unlock()
	for _, call := range calls {
		call(r.engine)
	}
	show(r.engine)
}

// catchUp keeps the journal short when nobody looks.
func (r *replica) catchUp() { r.look(func(*admission.Engine) {}) }

// recorded is the engine that decides. It records each call that changes it for the replica.
type recorded struct {
	*admission.Engine
	replica *replica
}

func (r recorded) SetQueue(queue admission.Queue) {
	r.Engine.SetQueue(queue)
	r.replica.record(func(e *admission.Engine) { e.SetQueue(queue) })
}

func (r recorded) RemoveQueue(name string) {
	r.Engine.RemoveQueue(name)
	r.replica.record(func(e *admission.Engine) { e.RemoveQueue(name) })
}

func (r recorded) SetRun(run admission.Run) {
	if r.Engine.SetRun(run) {
		r.replica.record(func(e *admission.Engine) { e.SetRun(run) })
	}
}

func (r recorded) RemoveRun(uid types.UID) {
	r.Engine.RemoveRun(uid)
	r.replica.record(func(e *admission.Engine) { e.RemoveRun(uid) })
}

func (r recorded) Decide(now time.Time) admission.Plan {
	r.replica.record(func(e *admission.Engine) { e.Decide(now) })
	return r.Engine.Decide(now)
}
