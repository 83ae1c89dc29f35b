// Package history records all that happens to objects, as the API server's watches tell it, for tests that judge by what
// happened and not by what is left.
package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/test/apiserver"
)

// History is all that ever happened to the objects of some kinds.
type History struct {
	mu      sync.Mutex
	entries []Entry
	last    map[types.UID]Entry
	// news is closed when something happens.
	news    chan struct{}
	watches sync.WaitGroup
	stop    context.CancelFunc
}

// Entry is one change. Revisions count through all kinds.
type Entry struct {
	Revision int64
	Change   watch.EventType
	Object   client.Object
}

// Record writes the history of the kinds that the lists are of, from now on; of one namespace, or of all if it is empty. Whoever
// records ends it.
func Record(namespace string, lists ...client.ObjectList) (*History, error) {
	ctx, stop := context.WithCancel(logr.NewContext(context.Background(), logr.Discard()))
	h := &History{last: map[types.UID]Entry{}, news: make(chan struct{}), stop: stop}
	for _, list := range lists {
		watcher, err := watchFromNow(ctx, namespace, list)
		if err != nil {
			stop()
			return nil, err
		}
		h.watches.Go(func() {
			for event := range watcher.ResultChan() {
				object, isObject := event.Object.(client.Object)
				switch {
				case ctx.Err() != nil:
					return
				case !isObject:
					panic(fmt.Sprintf("the history is not whole: %s %v", event.Type, event.Object))
				}
				h.note(event.Type, object)
			}
			if ctx.Err() == nil {
				panic("the history is not whole: a watch ended")
			}
		})
	}
	return h, nil
}

// watchFromNow watches without a gap: a watch that the API server ends is resumed where it ended.
func watchFromNow(ctx context.Context, namespace string, list client.ObjectList) (watch.Interface, error) {
	if err := apiserver.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	return watchtools.NewRetryWatcherWithContext(ctx, list.GetResourceVersion(), &toolscache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return apiserver.Client.Watch(ctx, list, &client.ListOptions{Namespace: namespace, Raw: &options})
		},
	})
}

// End stops recording.
func (h *History) End() {
	h.stop()
	h.watches.Wait()
}

func (h *History) note(change watch.EventType, object client.Object) {
	h.mu.Lock()
	defer h.mu.Unlock()
	noted := Entry{RevisionOf(object), change, object}
	h.entries = append(h.entries, noted)
	h.last[object.GetUID()] = noted
	close(h.news)
	h.news = make(chan struct{})
}

// RevisionOf returns the revision at which the object was stored like that.
func RevisionOf(object client.Object) int64 {
	revision, err := strconv.ParseInt(object.GetResourceVersion(), 10, 64)
	if err != nil {
		panic(err) // etcd's are numbers
	}
	return revision
}

// All returns what happened, in its order.
func (h *History) All() []Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	entries := slices.Clone(h.entries)
	slices.SortStableFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Revision, b.Revision) })
	return entries
}

// Next returns what is closed when something more happens.
func (h *History) Next() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.news
}

// Until waits until the condition holds, which is asked whenever something has happened. It gives up when nothing at all has happened
// for that long: a busy machine is slow, and not stuck.
func (h *History) Until(ctx context.Context, patience time.Duration, what string, holds func() bool) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		next := h.Next()
		if holds() {
			return nil
		}
		select {
		case <-next:
			timeout.Reset(patience)
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout.C:
			return fmt.Errorf("it did not happen, and nothing else has for %s: %s", patience, what)
		}
	}
}

// Last returns the last version of each object of the type; exists says of each whether it is still there.
func Last[T client.Object](h *History) (objects []T, exists []bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, last := range h.last {
		if object, ok := last.Object.(T); ok {
			objects, exists = append(objects, object), append(exists, last.Change != watch.Deleted)
		}
	}
	return objects, exists
}
