package queues

import (
	"context"
	"reflect"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
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

// informer makes the cache's informers, which list and watch the past.
func (l *lateness) informer(from toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	kind := reflect.TypeOf(object).Elem().Name()
	source := toolscache.ToListerWatcherWithContext(from)
	return toolscache.NewSharedIndexInformer(listing{&toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			if late := l.of(kind); late.by > 0 {
				options.ResourceVersion, options.ResourceVersionMatch = late.since, metav1.ResourceVersionMatchExact
			}
			return source.ListWithContext(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			events, err := source.WatchWithContext(ctx, options)
			if err != nil {
				return nil, err
			}
			return l.delay(kind, events), nil
		},
	}}, object, resync, indexers)
}

// listing is a source that lists first and then watches.
type listing struct{ *toolscache.ListWatch }

func (listing) IsWatchListSemanticsUnSupported() bool { return true }

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

// pause waits, unless the context ends before.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
