package testrun

import (
	"errors"
	"sync"
	"time"

	"k8s.io/utils/lru"
)

const (
	// slowWrite is how long a write of a status takes at least that costs the API server so much that others would notice many of them.
	slowWrite = 200 * time.Millisecond
	// pacedRetry is after how long a run at least tries again to say why it waits.
	pacedRetry = time.Second
	// pacedNamespaces bounds how many namespaces with slow writes are remembered.
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
	// taken says that a write is under way in the lane, and rest until when none may begin after the last one.
	taken bool
	rest  time.Time
}

func newPace() *pace { return &pace{slow: lru.New(pacedNamespaces)} }

// begin asks for a write. ok says whether it may begin now; then end has to be called after it.
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
