package faults

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// gate is what all events pass on their way to a controller's cache.
type gate struct {
	// arrived is told of each event, before it passes.
	arrived func(number int, kind, revision string)
	// since is the revision of the past in which the cache begins; empty for the present.
	since string

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

// informer makes the cache's informers, whose events pass the gate.
func (g *gate) informer(from toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	kind := reflect.TypeOf(object).Elem().Name()
	source := toolscache.ToListerWatcherWithContext(from)
	inPast := g.since != ""
	through := &toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			if inPast {
				inPast = false
				options.ResourceVersion, options.ResourceVersionMatch = g.since, metav1.ResourceVersionMatchExact
			}
			return source.ListWithContext(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			events, err := source.WatchWithContext(ctx, options)
			if err != nil {
				return nil, err
			}
			return g.pass(kind, events), nil
		},
	}
	return toolscache.NewSharedIndexInformer(listing{through}, object, resync, indexers)
}

// listing is a source that lists first and then watches, so that what is counted are changes and no first states.
type listing struct{ *toolscache.ListWatch }

func (listing) IsWatchListSemanticsUnSupported() bool { return true }

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
