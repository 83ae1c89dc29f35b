// Package leadership knows until when this process leads. What only a leader may do ends before another process can lead.
package leadership

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// ErrNotLeading means that another process may lead by now.
var ErrNotLeading = errors.New("another process may lead by now")

// Lease is the lock of a leader election. Another process may take it when its duration has passed since the last renewal. client-go tells
// the old leader later than that: it first tries to renew the Lease, and then to release it. So the Lease itself counts the time, from the
// start of the last renewal that succeeded. The other processes begin to count later. See docs/decisions/admission.md.
type Lease struct {
	resourcelock.Interface
	lasts time.Duration

	// renewed is when the last renewal that succeeded began; nil while this process does not hold the Lease.
	renewed atomic.Pointer[time.Time]
	// underway is held, for reading, by what only a leader may do.
	underway sync.RWMutex
}

// NewLease returns a lock for a leader election with that duration. The last tenth is a margin for requests that are still on their way to
// the API server.
func NewLease(lock resourcelock.Interface, duration time.Duration) *Lease {
	return &Lease{Interface: lock, lasts: duration - duration/10}
}

// Create takes a Lease that does not exist.
func (l *Lease) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.renew(func() error { return l.Interface.Create(ctx, record) })
}

// Update takes, renews or releases the Lease. A release waits for what only a leader may do.
func (l *Lease) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	update := func() error { return l.Interface.Update(ctx, record) }
	if record.HolderIdentity == l.Identity() {
		return l.renew(update)
	}
	l.renewed.Store(nil)
	l.underway.Lock()
	defer l.underway.Unlock()
	return update()
}

func (l *Lease) renew(write func() error) error {
	began := time.Now()
	err := write()
	if err == nil {
		l.renewed.Store(&began)
	}
	return err
}

// WhileLeading calls act with a context that ends before another process can lead, or returns ErrNotLeading. Without a Lease there is no
// other process.
func (l *Lease) WhileLeading(ctx context.Context, act func(context.Context) error) error {
	if l == nil {
		return act(ctx)
	}
	l.underway.RLock()
	defer l.underway.RUnlock()
	renewed := l.renewed.Load()
	if renewed == nil || time.Since(*renewed) >= l.lasts {
		return ErrNotLeading
	}
	ctx, cancel := context.WithDeadline(ctx, renewed.Add(l.lasts))
	defer cancel()
	return act(ctx)
}
