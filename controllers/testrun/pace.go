package testrun

import (
	"errors"
	"sync"
	"time"

	"k8s.io/utils/lru"
)

const (
	// slowWrite is the time from which on a write of a status counts as slow. It costs the API server so much that many of them delay others.
	slowWrite = 200 * time.Millisecond
	// pacedRetry is the least time after which a run that had to wait for its turn tries again.
	pacedRetry = time.Second
	// pacedNamespaces is how many namespaces with slow writes are remembered.
	pacedNamespaces = 1024
)

// errPaced means that a write has to wait for its turn.
var errPaced = errors.New("other slow writes come first")

// pace spaces out the writes that only say why a run waits, where they are slow. A write of the status costs the API server what the whole
// run takes, so a thousand of the largest runs would keep it busy for a quarter of an hour, and nobody else's run would start. Namespaces
// whose last such write was slow share one lane: one write at a time, and then a rest as long as the write took.
type pace struct {
	mu sync.Mutex
	// slow holds the namespaces whose last write was slow.
	slow *lru.Cache
	// taken says that a write is under way in the lane. rest is the end of the rest after the last one.
	taken bool
	rest  time.Time
}

func newPace() *pace { return &pace{slow: lru.New(pacedNamespaces)} }

// begin asks whether a write may begin now. If ok is true, the caller writes and then calls end with the time.
func (p *pace) begin(namespace string, now time.Time) (end func(now time.Time), ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, slow := p.slow.Get(namespace)
	if slow && (p.taken || now.Before(p.rest)) {
		return nil, false
	}
	p.taken = p.taken || slow
	return func(ended time.Time) {
		p.mu.Lock()
		defer p.mu.Unlock()
		took := ended.Sub(now)
		if took < slowWrite {
			p.slow.Remove(namespace)
		} else {
			p.slow.Add(namespace, nil)
		}
		if slow {
			p.taken, p.rest = false, ended.Add(took)
		}
	}, true
}
