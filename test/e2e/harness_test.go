package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/conditions"
)

const patience = 90 * time.Second

// world is one test's namespace, and all that ever happened in it.
type world struct {
	t         *testing.T
	ctx       context.Context
	namespace string
	client    client.WithWatch
	history   *history
}

// newWorld makes a namespace for a test that runs beside others.
func newWorld(t *testing.T, labels ...string) *world {
	t.Helper()
	t.Parallel()
	return newSerialWorld(t, labels...)
}

// newSerialWorld makes a namespace, with labels given as key, value. When the test ends it checks what holds for every run
// whatever happens to it; then it deletes the namespace, or says what is in it if the test has failed.
func newSerialWorld(t *testing.T, labels ...string) *world {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-", Labels: map[string]string{}}}
	for i := 0; i+1 < len(labels); i += 2 {
		namespace.Labels[labels[i]] = labels[i+1]
	}
	w := &world{t: t, ctx: t.Context(), client: cluster.client}
	w.must(w.client.Create(w.ctx, namespace))
	w.namespace = namespace.Name
	w.history = w.record()
	t.Cleanup(func() {
		w.ctx = context.Background() // the test's own is over
		w.history.end()
		w.history.check(t)
		if t.Failed() {
			w.explain()
			return
		}
		w.must(w.client.Delete(w.ctx, namespace))
	})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) create(obj client.Object) {
	w.t.Helper()
	obj.SetNamespace(w.namespace)
	w.must(w.client.Create(w.ctx, obj))
}

func (w *world) key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: w.namespace, Name: name}
}

// poll asks until the answer is yes, or the time is over; it says whether the answer was yes.
func (w *world) poll(limit time.Duration, ask func() bool) bool {
	w.t.Helper()
	deadline := time.Now().Add(limit)
	for !ask() {
		if time.Now().After(deadline) {
			return false
		}
		select {
		case <-w.ctx.Done():
			w.t.Fatal(w.ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
	return true
}

// eventually asks until the answer is yes.
func (w *world) eventually(what string, ask func() bool) {
	w.t.Helper()
	if !w.poll(patience, ask) {
		w.t.Fatalf("it did not happen within %s: %s", patience, what)
	}
}

// never asks for a while, and fails if the answer is ever yes.
func (w *world) never(what string, during time.Duration, ask func() bool) {
	w.t.Helper()
	if w.poll(during, ask) {
		w.t.Fatalf("it should not have happened: %s", what)
	}
}

func (w *world) run(name string) *v1alpha1.TestRun {
	w.t.Helper()
	run := &v1alpha1.TestRun{}
	w.must(w.client.Get(w.ctx, w.key(name), run))
	return run
}

// runUntil reads the run until the condition holds.
func (w *world) runUntil(name, what string, holds func(*v1alpha1.TestRun) bool) *v1alpha1.TestRun {
	w.t.Helper()
	var run *v1alpha1.TestRun
	if !w.poll(patience, func() bool { run = w.run(name); return holds(run) }) {
		w.t.Fatalf("run %s is %s %s (%s: %s) after %s, want it to be %s",
			name, run.Status.Phase, run.Status.Verdict, conditions.Reason(run), conditions.Message(run), patience, what)
	}
	return run
}

// finished waits for the verdict, and checks it, its reason, and that the message holds each of the quotes.
func (w *world) finished(name string, verdict v1alpha1.Verdict, reason string, quotes ...string) *v1alpha1.TestRun {
	w.t.Helper()
	run := w.runUntil(name, "Finished", func(run *v1alpha1.TestRun) bool { return run.Status.Phase == v1alpha1.PhaseFinished })
	if run.Status.Verdict != verdict || conditions.Reason(run) != reason {
		w.t.Errorf("run %s is %s (%s: %s), want %s (%s)", name, run.Status.Verdict, conditions.Reason(run), conditions.Message(run), verdict, reason)
	}
	for _, quote := range quotes {
		if !strings.Contains(conditions.Message(run), quote) {
			w.t.Errorf("the message of run %s is %q, want %q in it", name, conditions.Message(run), quote)
		}
	}
	return run
}

// passed waits until each of the runs has finished, and checks that they passed.
func (w *world) passed(names ...string) {
	w.t.Helper()
	for _, name := range names {
		w.finished(name, v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	}
}

// pendingWith waits until the run is Pending with that reason.
func (w *world) pendingWith(name, reason string) *v1alpha1.TestRun {
	w.t.Helper()
	return w.runUntil(name, "Pending with reason "+reason, func(run *v1alpha1.TestRun) bool {
		return run.Status.Phase == v1alpha1.PhasePending && conditions.Reason(run) == reason
	})
}

// inProgress waits until the run is InProgress.
func (w *world) inProgress(name string) *v1alpha1.TestRun {
	w.t.Helper()
	return w.runUntil(name, "InProgress", func(run *v1alpha1.TestRun) bool { return run.Status.Phase == v1alpha1.PhaseInProgress })
}

func (w *world) cancel(name string) {
	w.t.Helper()
	run := w.run(name)
	before := run.DeepCopy()
	run.Spec.Cancel = ptr.To(true)
	w.must(w.client.Patch(w.ctx, run, client.MergeFrom(before)))
}

// exitCode is that of the run's first attempt; -1 if there is none.
func exitCode(run *v1alpha1.TestRun) int32 {
	if len(run.Status.Attempts) == 0 {
		return -1
	}
	return ptr.Deref(run.Status.Attempts[0].ExitCode, -1)
}
