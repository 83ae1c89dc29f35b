package leadership

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

var (
	ours    = resourcelock.LeaderElectionRecord{HolderIdentity: "us"}
	nobody  = resourcelock.LeaderElectionRecord{}
	errLost = errors.New("the answer is lost")
)

// stored is a lock whose writes take a while.
type stored struct {
	resourcelock.Interface
	takes time.Duration
	err   error
}

func (s *stored) Identity() string { return "us" }

func (s *stored) Create(context.Context, resourcelock.LeaderElectionRecord) error {
	<-time.After(s.takes)
	return s.err
}

func (s *stored) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return s.Create(ctx, record)
}

// left is how much time there is to act; 0 without any.
func left(t *testing.T, lease *Lease) time.Duration {
	t.Helper()
	var until time.Time
	err := lease.WhileLeading(t.Context(), func(ctx context.Context) error {
		until, _ = ctx.Deadline()
		return nil
	})
	if errors.Is(err, ErrNotLeading) {
		return 0
	}
	return time.Until(until)
}

func TestWhatALeaderDoesEndsBeforeAnotherCanLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lock := &stored{takes: time.Second}
		lease := NewLease(lock, 10*time.Second)
		expect := func(what string, want time.Duration) {
			t.Helper()
			if got := left(t, lease); got != want {
				t.Errorf("%s there are %s left, want %s", what, got, want)
			}
		}
		expect("before it is taken", 0)
		_ = lease.Create(t.Context(), ours)
		expect("a second after it was asked for", 8*time.Second)
		<-time.After(5 * time.Second)
		expect("after five seconds more", 3*time.Second)
		_ = lease.Update(t.Context(), ours)
		expect("once it is renewed", 8*time.Second)
		lock.err = errLost
		_ = lease.Update(t.Context(), ours)
		expect("when a renewal fails", 7*time.Second)
		<-time.After(7 * time.Second)
		expect("when it is over", 0)
		lock.err = nil
		_ = lease.Update(t.Context(), ours)
		lock.err = errLost
		_ = lease.Update(t.Context(), nobody)
		expect("when it is released, and the answer lost", 0)
	})
}

func TestAReleaseWaitsForWhatTheLeaderDoes(t *testing.T) {
	lease := NewLease(&stored{}, time.Minute)
	_ = lease.Update(t.Context(), ours)
	began, ends := make(chan struct{}), make(chan struct{})
	released := make(chan struct{})
	go func() {
		_ = lease.WhileLeading(t.Context(), func(context.Context) error {
			close(began)
			<-ends
			return nil
		})
	}()
	<-began
	go func() {
		defer close(released)
		_ = lease.Update(t.Context(), nobody)
	}()
	select {
	case <-released:
		t.Error("it is released while the leader acts")
	case <-time.After(100 * time.Millisecond):
	}
	close(ends)
	<-released
}

func TestWithoutALeaseNobodyElseLeads(t *testing.T) {
	if err := (*Lease)(nil).WhileLeading(t.Context(), func(context.Context) error { return errLost }); !errors.Is(err, errLost) {
		t.Error(err)
	}
}
