package faults

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// gate is what all events pass on their way to a controller's cache.
type gate struct {
	// arrived is told of each event, before it passes.
	arrived func(number int, kind, revision string)
	// since is the revision of the past in which the cache begins; empty for the present.
	since string
	// listed are the kinds that have been listed.
	listed sync.Map

	mu    sync.Mutex
	count int
	hold  *hold
}

// hold keeps events back.
type hold struct {
	// kind is what is kept back; empty for all.
	kind string
	// latestOnly drops all but the latest event of each object, as when a watch is lost and all is listed again.
	latestOnly bool
	// until is the number of the event that ends it, if the time does not; 0 for no event.
	until int
	ended chan struct{}
}

// close holds events back from now on.
func (g *gate) close(limit time.Duration, events int, kind string, latestOnly bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hold != nil {
		return
	}
	closed := &hold{kind: kind, latestOnly: latestOnly, ended: make(chan struct{})}
	if events > 0 {
		closed.until = g.count + events
	}
	g.hold = closed
	time.AfterFunc(limit, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.open(closed)
	})
}

// open ends the hold; g.mu is held.
func (g *gate) open(closed *hold) {
	if g.hold == closed {
		g.hold = nil
		close(closed.ended)
	}
}

// arrive counts an event, and returns what holds it back, or nil.
func (g *gate) arrive(kind string, event watch.Event) *hold {
	if object, ok := event.Object.(client.Object); ok && event.Type != watch.Bookmark {
		g.mu.Lock()
		g.count++
		number := g.count
		g.mu.Unlock()
		g.arrived(number, kind, object.GetResourceVersion())
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	closed := g.hold
	if closed == nil || (closed.kind != "" && closed.kind != kind) {
		return nil
	}
	if closed.until > 0 && g.count >= closed.until {
		g.open(closed)
	}
	return closed
}

// past is the revision that the first list of a kind shows; none for the lists after it.
func (g *gate) past(kind string) string {
	if _, listed := g.listed.LoadOrStore(kind, true); listed {
		return ""
	}
	return g.since
}

// pass lets the events of one kind through.
func (g *gate) pass(kind string, from watch.Interface) watch.Interface {
	to := make(chan watch.Event)
	watcher := watch.NewProxyWatcher(to)
	go func() {
		defer close(to)
		defer from.Stop()
		s := stream{gate: g, kind: kind, from: from.ResultChan(), stop: watcher.StopChan()}
		for more := true; more; {
			var events []watch.Event
			events, more = s.next()
			for _, event := range events {
				select {
				case to <- event:
				case <-s.stop:
				}
			}
		}
	}()
	return watcher
}

// stream is the events of one kind.
type stream struct {
	gate *gate
	kind string
	from <-chan watch.Event
	stop <-chan struct{}
	// closed is what keeps held back.
	closed *hold
	held   []watch.Event
}

// next waits for something to happen, and returns the events that may pass now. It says whether there may be more.
func (s *stream) next() ([]watch.Event, bool) {
	opened := make(<-chan struct{})
	if s.closed != nil {
		opened = s.closed.ended
	}
	select {
	case <-s.stop:
		return nil, false
	case <-opened:
		passing := s.held
		if s.closed.latestOnly {
			passing = latestOf(passing)
		}
		s.closed, s.held = nil, nil
		return passing, true
	case event, more := <-s.from:
		if !more {
			return nil, false
		}
		holds := s.gate.arrive(s.kind, event)
		if s.closed == nil {
			s.closed = holds
		}
		if s.closed == nil {
			return []watch.Event{event}, true
		}
		s.held = append(s.held, event)
		return nil, true
	}
}

// latestOf keeps the latest event of each object. What came and went meanwhile was never seen.
func latestOf(events []watch.Event) []watch.Event {
	first, seen := map[types.NamespacedName]watch.EventType{}, map[types.NamespacedName]bool{}
	for _, event := range events {
		if key := keyOf(event); first[key] == "" {
			first[key] = event.Type
		}
	}
	var latest []watch.Event
	for _, event := range slices.Backward(events) {
		key := keyOf(event)
		if !seen[key] && !(first[key] == watch.Added && event.Type == watch.Deleted) {
			latest = append(latest, event)
		}
		seen[key] = true
	}
	slices.Reverse(latest)
	return latest
}

func keyOf(event watch.Event) types.NamespacedName {
	if object, ok := event.Object.(client.Object); ok {
		return client.ObjectKeyFromObject(object)
	}
	return types.NamespacedName{}
}
