package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/conditions"
)

// history is all that ever happened in a namespace, from watches that began before its first run. What came and went
// between two looks is in it too.
type history struct {
	mu sync.Mutex
	// jobs and pods are the UIDs of all that there ever were.
	jobs, pods map[parent]map[types.UID]bool
	// ran holds the pods of which a container other than an init container ever ran, suspended the Jobs that ever were.
	ran, suspended map[types.UID]bool
	// steps are the phases, verdicts and reasons of each run, in order.
	steps    map[types.UID][]stepTaken
	problems []string
	// gaps says that the API server may be away for a while. What comes and goes meanwhile is not seen.
	gaps atomic.Bool

	stop    context.CancelFunc
	watches sync.WaitGroup
}

// parent is what a Job or a pod was made for: an attempt of a run, by their names and, of a Job, the run's UID, of a pod, the
// Job's.
type parent struct {
	run, attempt string
	uid          types.UID
}

type stepTaken struct {
	run     string
	phase   v1alpha1.Phase
	verdict v1alpha1.Verdict
	reason  string
}

// record begins to write the history of the world's namespace.
func (w *world) record() *history {
	w.T.Helper()
	ctx, stop := context.WithCancel(logr.NewContext(context.Background(), logr.Discard()))
	h := &history{
		jobs: map[parent]map[types.UID]bool{}, pods: map[parent]map[types.UID]bool{}, ran: map[types.UID]bool{},
		suspended: map[types.UID]bool{}, steps: map[types.UID][]stepTaken{}, stop: stop,
	}
	for _, list := range []client.ObjectList{&v1alpha1.TestRunList{}, &batchv1.JobList{}, &corev1.PodList{}} {
		watcher, err := h.watch(ctx, w.Client, w.Namespace, list)
		w.Must(err)
		h.watches.Go(func() {
			h.noteAll(ctx, watcher)
			for h.gaps.Load() && ctx.Err() == nil {
				if watcher, err = h.watch(ctx, w.Client, w.Namespace, list); err == nil {
					h.noteAll(ctx, watcher)
				}
				select {
				case <-ctx.Done():
				case <-time.After(100 * time.Millisecond):
				}
			}
			if ctx.Err() == nil {
				h.problem("the watch of %T ended early, so that not all was seen", list)
			}
		})
	}
	return h
}

// watch notes all that is there, and watches what comes. A watch that the API server ends, as of who is slow to read it, is resumed where it
// ended.
func (h *history) watch(ctx context.Context, from client.WithWatch, namespace string, list client.ObjectList) (watch.Interface, error) {
	if err := from.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	if err := meta.EachListItem(list, func(item runtime.Object) error {
		h.note(watch.Event{Type: watch.Added, Object: item})
		return nil
	}); err != nil {
		return nil, err
	}
	return watchtools.NewRetryWatcherWithContext(ctx, list.GetResourceVersion(), &toolscache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return from.Watch(ctx, list, &client.ListOptions{Namespace: namespace, Raw: &options})
		},
	})
}

// noteAll notes what the watch tells.
func (h *history) noteAll(ctx context.Context, watcher watch.Interface) {
	for event := range watcher.ResultChan() {
		if ctx.Err() != nil || event.Type == watch.Error && h.gaps.Load() {
			return
		}
		h.note(event)
	}
}

// expectGaps is for tests that take the API server away.
func (h *history) expectGaps() { h.gaps.Store(true) }

func (h *history) end() {
	h.stop()
	h.watches.Wait()
}

func (h *history) problem(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.problems = append(h.problems, fmt.Sprintf(format, args...))
}

func (h *history) note(event watch.Event) {
	switch object := event.Object.(type) {
	case *v1alpha1.TestRun:
		h.noteRun(object)
	case *batchv1.Job:
		h.noteChild(h.jobs, object)
		if ptr.Deref(object.Spec.Suspend, false) {
			h.mu.Lock()
			h.suspended[object.UID] = true
			h.mu.Unlock()
		}
	case *corev1.Pod:
		if object.Labels[v1alpha1.LabelRun] == "" {
			return // it is of no run, but of an application in the namespace
		}
		h.noteChild(h.pods, object)
		for _, status := range object.Status.ContainerStatuses {
			end := status.State.Terminated
			if status.State.Running != nil || (end != nil && end.StartedAt.Unix() > 0) {
				h.mu.Lock()
				h.ran[object.UID] = true
				h.mu.Unlock()
			}
		}
	default:
		h.problem("a watch said %s: %v", event.Type, event.Object)
	}
}

func (h *history) noteRun(run *v1alpha1.TestRun) {
	h.mu.Lock()
	defer h.mu.Unlock()
	taken := stepTaken{run.Name, run.Status.Phase, run.Status.Verdict, conditions.Reason(run)}
	if steps := h.steps[run.UID]; len(steps) == 0 || steps[len(steps)-1] != taken {
		h.steps[run.UID] = append(steps, taken)
	}
}

func (h *history) noteChild(of map[parent]map[types.UID]bool, child client.Object) {
	h.mu.Lock()
	defer h.mu.Unlock()
	owner := metav1.GetControllerOf(child)
	if owner == nil {
		return
	}
	labels := child.GetLabels()
	made := parent{labels[v1alpha1.LabelRun], labels[v1alpha1.LabelAttempt], owner.UID}
	if of[made] == nil {
		of[made] = map[types.UID]bool{}
	}
	of[made][child.GetUID()] = true
}

// jobsOf is how many Jobs the run, or runs of that name, ever had.
func (h *history) jobsOf(run string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	count := 0
	for made, uids := range h.jobs {
		if made.run == run {
			count += len(uids)
		}
	}
	return count
}

// allJobs is how many Jobs there ever were.
func (h *history) allJobs() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	count := 0
	for _, uids := range h.jobs {
		count += len(uids)
	}
	return count
}

// hasRun says whether a container of the run's pod ever ran.
func (h *history) hasRun(run string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for made, uids := range h.pods {
		if made.run == run && slices.ContainsFunc(slices.Collect(maps.Keys(uids)), func(uid types.UID) bool { return h.ran[uid] }) {
			return true
		}
	}
	return false
}

// of returns the steps of the run, or of the runs of that name.
func (h *history) of(run string) []stepTaken {
	h.mu.Lock()
	defer h.mu.Unlock()
	var taken []stepTaken
	for _, steps := range h.steps {
		if steps[0].run == run {
			taken = append(taken, steps...)
		}
	}
	return taken
}

// was says whether the run ever was in that phase, for that reason.
func (h *history) was(run string, phase v1alpha1.Phase, reason string) bool {
	return slices.ContainsFunc(h.of(run), func(step stepTaken) bool { return step.phase == phase && step.reason == reason })
}

// check holds what is promised of every run: one Job and one pod for each attempt, and phases that only ever move forward to one verdict. A
// Job that was suspended may have had pods before, in which the test did not run.
func (h *history) check(t *testing.T) {
	t.Helper()
	for _, problem := range h.problems {
		t.Error(problem)
	}
	for kind, children := range map[string]map[parent]map[types.UID]bool{"Jobs": h.jobs, "pods": h.pods} {
		for made, uids := range children {
			if h.suspended[made.uid] {
				maps.DeleteFunc(uids, func(uid types.UID, _ bool) bool { return !h.ran[uid] })
			}
			if len(uids) > 1 {
				t.Errorf("attempt %s of run %s had %d %s, want one ever: %v", made.attempt, made.run, len(uids), kind, uids)
			}
		}
	}
	for _, steps := range h.steps {
		for i := 1; i < len(steps); i++ {
			before, after := steps[i-1], steps[i]
			forward := slices.Index(v1alpha1.Phases, before.phase) <= slices.Index(v1alpha1.Phases, after.phase)
			if !forward || before.phase == v1alpha1.PhaseFinished {
				t.Errorf("run %s went from %s to %s, which is backwards", before.run, before, after)
			}
		}
	}
}

func (s stepTaken) String() string { return fmt.Sprintf("%s %s (%s)", s.phase, s.verdict, s.reason) }
