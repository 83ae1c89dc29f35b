package faults

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/conditions"
)

// history is all that ever happened to the runs, Jobs and pods of a namespace, as the API server tells it.
type history struct {
	mu      sync.Mutex
	entries []entry
	// last holds the last version of each object, and whether it still exists.
	last map[types.UID]entry
	// news is closed when something happens.
	news    chan struct{}
	watches sync.WaitGroup
	stop    context.CancelFunc
	// patience is how long anything may take.
	patience time.Duration
}

type entry struct {
	revision int64
	change   watch.EventType
	object   client.Object
}

// record writes the history of the namespace, in which nothing is yet.
func record(namespace string) (*history, error) {
	ctx, stop := context.WithCancel(quiet)
	h := &history{last: map[types.UID]entry{}, news: make(chan struct{}), stop: stop, patience: patience}
	for _, list := range []client.ObjectList{&v1alpha1.TestRunList{}, &batchv1.JobList{}, &corev1.PodList{}} {
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

func watchFromNow(ctx context.Context, namespace string, list client.ObjectList) (watch.Interface, error) {
	if err := apiserver.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	return apiserver.Client.Watch(ctx, list, &client.ListOptions{
		Namespace: namespace, Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()},
	})
}

func (h *history) end() {
	h.stop()
	h.watches.Wait()
}

func (h *history) note(change watch.EventType, object client.Object) {
	h.mu.Lock()
	defer h.mu.Unlock()
	noted := entry{revisionOf(object), change, object}
	h.entries = append(h.entries, noted)
	h.last[object.GetUID()] = noted
	close(h.news)
	h.news = make(chan struct{})
}

func revisionOf(object client.Object) int64 {
	revision, err := strconv.ParseInt(object.GetResourceVersion(), 10, 64)
	if err != nil {
		panic(err) // etcd's are numbers
	}
	return revision
}

// all returns what happened, in its order: revisions count through all kinds.
func (h *history) all() []entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	entries := slices.Clone(h.entries)
	slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Compare(a.revision, b.revision) })
	return entries
}

func (h *history) next() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.news
}

// until waits until the condition holds, which is asked whenever something has happened.
func (h *history) until(ctx context.Context, what string, holds func() bool) error {
	timeout := time.NewTimer(h.patience)
	defer timeout.Stop()
	for {
		next := h.next()
		if holds() {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout.C:
			return fmt.Errorf("it did not happen within %s: %s", h.patience, what)
		}
	}
}

// runNamed returns the last version of the run, and whether it still exists. It is nil before there is one.
func (h *history) runNamed(name string) (run *v1alpha1.TestRun, exists bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, last := range h.last {
		if found, ok := last.object.(*v1alpha1.TestRun); ok && found.Name == name {
			return found, last.change != watch.Deleted
		}
	}
	return nil, false
}

// living returns the objects of a kind that belong to the run and exist; to any run if it has no name.
func living[T client.Object](h *history, run string) []T {
	h.mu.Lock()
	defer h.mu.Unlock()
	var objects []T
	for _, last := range h.last {
		object, ok := last.object.(T)
		if ok && last.change != watch.Deleted && (run == "" || object.GetLabels()[v1alpha1.LabelRun] == run) {
			objects = append(objects, object)
		}
	}
	return objects
}

// belongs says whether the object is the run of that name or made for it.
func belongs(object client.Object, run string) bool {
	if label := object.GetLabels()[v1alpha1.LabelRun]; label != "" {
		return label == run
	}
	return object.GetName() == run
}

func describe(object client.Object) string {
	switch object := object.(type) {
	case *v1alpha1.TestRun:
		status := object.Status
		return fmt.Sprintf("run %s: %s %s (%s), %d attempts", object.Name, status.Phase, status.Verdict, conditions.Reason(object), len(status.Attempts))
	case *batchv1.Job:
		var ends []string
		for _, condition := range object.Status.Conditions {
			ends = append(ends, string(condition.Type))
		}
		return fmt.Sprintf("job %s: %v, active %d, suspended %t, deleting %t", object.Name, ends, object.Status.Active,
			object.Spec.Suspend != nil && *object.Spec.Suspend, object.DeletionTimestamp != nil)
	case *corev1.Pod:
		return fmt.Sprintf("pod %s: %s %s, on %q, deleting %t", object.Name, object.Status.Phase, object.Status.Reason,
			object.Spec.NodeName, object.DeletionTimestamp != nil)
	default:
		return fmt.Sprintf("%T %s", object, object.GetName())
	}
}
