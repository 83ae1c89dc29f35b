package queues

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/watch"
)

// lateness is by how much the cache of an operator is behind: it may be something else for each kind.
type lateness struct{ kinds sync.Map }

type delay struct {
	by time.Duration
	// since is the revision that the first list of a kind shows.
	since string
}

// set changes it, for all that has not arrived yet.
func (l *lateness) set(kind string, d delay) { l.kinds.Store(kind, d) }

func (l *lateness) of(kind string) delay {
	stored, _ := l.kinds.Load(kind)
	late, _ := stored.(delay)
	return late
}

// since is the revision that a list of the kind shows; none if the cache is not behind.
func (l *lateness) since(kind string) string {
	if late := l.of(kind); late.by > 0 {
		return late.since
	}
	return ""
}

// delay passes each event on that much later.
func (l *lateness) delay(kind string, from watch.Interface) watch.Interface {
	const most = 1 << 16 // more than there are events in a delay
	type arrival struct {
		watch.Event
		at time.Time
	}
	arrivals, to := make(chan arrival, most), make(chan watch.Event)
	watcher := watch.NewProxyWatcher(to)
	go func() {
		defer close(arrivals)
		for event := range from.ResultChan() {
			arrivals <- arrival{event, time.Now()}
		}
	}()
	go func() {
		defer close(to)
		defer from.Stop()
		for arrival := range arrivals {
			for time.Since(arrival.at) < l.of(kind).by && !watcher.Stopping() {
				time.Sleep(10 * time.Millisecond)
			}
			select {
			case to <- arrival.Event:
			case <-watcher.StopChan():
				return
			}
		}
	}()
	return watcher
}
