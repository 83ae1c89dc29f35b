package testrun

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/singleflight"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/internal/lifecycle"
)

const (
	// warningsAge is how old the warnings of a namespace may be. An attempt that is slow to start has waited longer than that.
	warningsAge = lifecycle.ExplainAfter - time.Second
	// warnedNamespaces is for how many namespaces warnings are kept.
	warnedNamespaces = 1024
)

// warnings caches the Warning events of each namespace. The API server has no index of events: each list costs as much as listing all
// events of the namespace. So one list serves all that ask within seconds. They are many when the cluster is too busy to start anything.
type warnings struct {
	reader client.Reader
	lists  singleflight.Group
	kept   *cache.LRUExpireCache
}

func newWarnings(reader client.Reader) *warnings {
	return &warnings{reader: reader, kept: cache.NewLRUExpireCache(warnedNamespaces)}
}

// about returns the warnings about the object, newest first.
func (w *warnings) about(ctx context.Context, namespace string, uid types.UID) ([]lifecycle.Warning, error) {
	if kept, ok := w.kept.Get(namespace); ok {
		return kept.(map[types.UID][]lifecycle.Warning)[uid], nil
	}
	read, err, _ := w.lists.Do(namespace, func() (any, error) {
		all, err := w.read(ctx, namespace)
		if err == nil {
			w.kept.Add(namespace, all, warningsAge)
		}
		return all, err
	})
	if err != nil {
		return nil, err
	}
	return read.(map[types.UID][]lifecycle.Warning)[uid], nil
}

func (w *warnings) read(ctx context.Context, namespace string) (map[types.UID][]lifecycle.Warning, error) {
	list := &corev1.EventList{}
	err := w.reader.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{"type": corev1.EventTypeWarning})
	if err != nil {
		return nil, fmt.Errorf("listing events: %w", err)
	}
	slices.SortStableFunc(list.Items, func(a, b corev1.Event) int { return lastSeen(b).Compare(lastSeen(a)) })
	all := map[types.UID][]lifecycle.Warning{}
	for _, event := range list.Items {
		uid := event.InvolvedObject.UID
		all[uid] = append(all[uid], lifecycle.Warning{Reason: event.Reason, Message: event.Message, At: lastSeen(event)})
	}
	return all, nil
}

// lastSeen is the time of an event, whichever of the two event APIs made it.
func lastSeen(event corev1.Event) time.Time {
	if event.Series != nil {
		return event.Series.LastObservedTime.Time
	}
	if event.LastTimestamp.IsZero() {
		return event.EventTime.Time
	}
	return event.LastTimestamp.Time
}
