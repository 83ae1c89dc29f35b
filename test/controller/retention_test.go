package controller

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/controllers"
	"github.com/testrun-dev/testrun/test/builders"
)

// suite makes a Test of that name.
func (w *world) suite(retention v1alpha1.Retention) {
	w.T.Helper()
	test := builders.Test("suite", builders.TestSpec("true"))
	test.Spec.Retention = retention
	w.Create(test)
}

// changeSuite changes the Test and returns it as it was before.
func (w *world) changeSuite(change func(*v1alpha1.TestSpec)) *v1alpha1.Test {
	w.T.Helper()
	test := &v1alpha1.Test{}
	w.Must(w.Client.Get(w.Ctx, client.ObjectKey{Namespace: w.Namespace, Name: "suite"}, test))
	before := test.DeepCopy()
	change(&test.Spec)
	w.Must(w.Client.Patch(w.Ctx, test, client.MergeFrom(before)))
	return before
}

// retain gives the Test another retention and returns it as it was before.
func (w *world) retain(retention v1alpha1.Retention) *v1alpha1.Test {
	w.T.Helper()
	return w.changeSuite(func(test *v1alpha1.TestSpec) { test.Retention = retention })
}

// store makes a run that has finished so long ago. No controller may be there yet: it would start the run.
func (w *world) store(run *builders.TestRunBuilder, verdict v1alpha1.Verdict, ago time.Duration) {
	w.T.Helper()
	stored := run.Build()
	w.Create(stored)
	stored.Status = run.Finished(verdict, v1alpha1.ReasonTestPassed).Status
	stored.Status.ObservedGeneration = stored.Generation
	stored.Status.FinishTime = ptr.To(metav1.NewTime(time.Now().Add(-ago)))
	w.Must(w.Client.Status().Update(w.Ctx, stored))
}

func (w *world) annotate(name, value string) {
	w.T.Helper()
	w.Change(name, func(run *v1alpha1.TestRun) {
		run.Annotations = map[string]string{v1alpha1.AnnotationPinned: value}
	})
}

func (w *world) runs() []string {
	w.T.Helper()
	list := &v1alpha1.TestRunList{}
	w.Must(w.Client.List(w.Ctx, list, client.InNamespace(w.Namespace)))
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names
}

func (w *world) pods() []corev1.Pod {
	w.T.Helper()
	list := &corev1.PodList{}
	w.Must(w.Client.List(w.Ctx, list, client.InNamespace(w.Namespace)))
	return list.Items
}

func (w *world) isGone(name string) bool {
	return apierrors.IsNotFound(w.Client.Get(w.Ctx, client.ObjectKey{Namespace: w.Namespace, Name: name}, &v1alpha1.TestRun{}))
}

// waitForOnly waits until only these runs are left, and then until a later one has been deleted, by which time all have been looked
// at. Names are in alphabetical order.
func (w *world) waitForOnly(names ...string) {
	w.T.Helper()
	w.WaitFor(fmt.Sprintf("only %q remain", names), func() bool { return slices.Equal(w.runs(), names) })
	w.Create(builders.TestRun("zz-later").Cancelled().TTL(0).Build())
	w.WaitFor("a run that finished later is deleted", func() bool { return w.isGone("zz-later") })
	if left := w.runs(); !slices.Equal(left, names) {
		w.T.Errorf("there are %q, want %q", left, names)
	}
}

func keep(passed, notPassed int32) v1alpha1.Retention {
	return v1alpha1.Retention{Keep: v1alpha1.Keep{Passed: &passed, NotPassed: &notPassed}}
}

func ttlOfPassed(d time.Duration) v1alpha1.Retention {
	return v1alpha1.Retention{TTL: v1alpha1.TTL{Passed: &v1alpha1.Duration{Duration: d}}}
}

func ofSuite(name string) *builders.TestRunBuilder { return builders.TestRun(name).Of("suite") }

func pinned(run *builders.TestRunBuilder) *builders.TestRunBuilder {
	run.Annotations = map[string]string{v1alpha1.AnnotationPinned: "true"}
	return run
}

func TestTheTTLOfAVerdictDeletesARunUnlessItHasItsOwn(t *testing.T) {
	w := newWorld(t)
	w.suite(v1alpha1.Retention{TTL: v1alpha1.TTL{
		Passed: &v1alpha1.Duration{}, Failed: &v1alpha1.Duration{Duration: 3 * time.Hour}, TimedOut: &v1alpha1.Duration{Duration: time.Hour},
	}})
	inline := builders.TestSpec("true")
	inline.Retention = ttlOfPassed(time.Hour)
	w.store(ofSuite("passed"), v1alpha1.VerdictPassed, 2*time.Hour)
	w.store(ofSuite("passed-with-its-own"), v1alpha1.VerdictPassed, 2*time.Hour)
	w.Change("passed-with-its-own", func(run *v1alpha1.TestRun) { run.Spec.TTLAfterFinished = &v1alpha1.Duration{Duration: 3 * time.Hour} })
	w.store(pinned(ofSuite("passed-and-pinned")), v1alpha1.VerdictPassed, 2*time.Hour)
	w.store(ofSuite("failed"), v1alpha1.VerdictFailed, 2*time.Hour)
	w.store(ofSuite("failed-with-its-own").TTL(time.Hour), v1alpha1.VerdictFailed, 2*time.Hour)
	w.store(ofSuite("timed-out"), v1alpha1.VerdictTimedOut, 2*time.Hour)
	w.store(ofSuite("error"), v1alpha1.VerdictError, 2*time.Hour)
	w.store(builders.TestRun("inline").Running(inline), v1alpha1.VerdictPassed, 2*time.Hour)
	w.store(builders.TestRun("of-nobody").Of("another"), v1alpha1.VerdictPassed, 2*time.Hour)
	w.startController()
	w.waitForOnly("error", "failed", "of-nobody", "passed-and-pinned", "passed-with-its-own")
	if n := w.metric("testrun_runs_deleted_total", "ttl"); n < 4 {
		t.Errorf("%v deletions are counted", n)
	}
}

func TestATestKeepsItsLastRunsThatPassedAndItsLastThatDidNot(t *testing.T) {
	w := newWorld(t)
	w.suite(keep(2, 1))
	w.store(ofSuite("passed-4-minutes-ago"), v1alpha1.VerdictPassed, 4*time.Minute)
	w.store(ofSuite("passed-1-minute-ago"), v1alpha1.VerdictPassed, time.Minute)
	w.store(ofSuite("passed-3-minutes-ago"), v1alpha1.VerdictPassed, 3*time.Minute)
	w.store(ofSuite("passed-2-minutes-ago"), v1alpha1.VerdictPassed, 2*time.Minute)
	w.store(pinned(ofSuite("pinned")), v1alpha1.VerdictPassed, 5*time.Minute)
	w.store(ofSuite("failed"), v1alpha1.VerdictFailed, 3*time.Minute)
	w.store(ofSuite("error"), v1alpha1.VerdictError, 2*time.Minute)
	w.store(builders.TestRun("inline"), v1alpha1.VerdictPassed, time.Hour)
	w.store(builders.TestRun("of-nobody").Of("another"), v1alpha1.VerdictPassed, time.Hour)
	w.startController()
	w.waitForOnly("error", "inline", "of-nobody", "passed-1-minute-ago", "passed-2-minutes-ago", "pinned")
	if n := w.metric("testrun_runs_deleted_total", "keep"); n != 3 {
		t.Errorf("%v deletions are counted, want 3", n)
	}

	w.annotate("pinned", "false")
	w.waitForOnly("error", "inline", "of-nobody", "passed-1-minute-ago", "passed-2-minutes-ago")
	w.Create(ofSuite("cancelled").Cancelled().Build()) // it ends now, without having run
	w.waitForOnly("cancelled", "inline", "of-nobody", "passed-1-minute-ago", "passed-2-minutes-ago")
}

func TestARunThatIsNoLongerPinnedIsDeletedByItsTTL(t *testing.T) {
	w := newWorld(t)
	w.store(pinned(builders.TestRun("run")).TTL(0), v1alpha1.VerdictPassed, time.Hour)
	w.startController()
	w.waitForOnly("run")
	w.annotate("run", "false")
	w.waitForOnly()
}

func TestARetentionThatComesLaterFindsTheRunsThatAreThere(t *testing.T) {
	changes := map[string]struct {
		retention v1alpha1.Retention
		remain    []string
	}{
		"keep": {keep(1, 1), []string{"younger"}},
		"ttl":  {ttlOfPassed(90 * time.Minute), []string{"younger"}},
	}
	for name, change := range changes {
		t.Run(name+" is added to the Test", func(t *testing.T) {
			w := newWorld(t)
			w.suite(v1alpha1.Retention{})
			w.store(ofSuite("older"), v1alpha1.VerdictPassed, 2*time.Hour)
			w.store(ofSuite("younger"), v1alpha1.VerdictPassed, time.Hour)
			w.startController()
			w.waitForOnly("older", "younger")
			w.retain(change.retention)
			w.waitForOnly(change.remain...)
		})
		t.Run("a Test with "+name+" is made", func(t *testing.T) {
			w := newWorld(t)
			w.store(ofSuite("older"), v1alpha1.VerdictPassed, 2*time.Hour)
			w.store(ofSuite("younger"), v1alpha1.VerdictPassed, time.Hour)
			w.startController()
			w.waitForOnly("older", "younger")
			w.suite(change.retention)
			w.waitForOnly(change.remain...)
		})
	}
}

func TestARunThatHasNotFinishedIsNeitherCountedNorDeleted(t *testing.T) {
	w := newWorld(t)
	w.suite(keep(0, 1))
	w.startController()
	w.Create(ofSuite("running").Build())
	w.Execute("running")
	w.WaitForInProgress("running")
	for _, name := range []string{"cancelled-1", "cancelled-2"} {
		w.Create(ofSuite(name).Cancelled().Build())
		w.waitForOnly(name, "running")
	}
}

func TestWhatARunOwnsGoesWithItAndNothingElse(t *testing.T) {
	w := newWorld(t)
	w.suite(keep(1, 1))
	w.startController()
	for _, name := range []string{"first", "second"} {
		w.Create(ofSuite(name).Build())
		w.Exit(w.Execute(name), corev1.ContainerStateTerminated{ExitCode: 1})
		w.WaitForFinished(name, v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed)
	}
	w.WaitFor("the first run, its Job and pod are gone", func() bool {
		jobs, pods := w.Jobs(), w.pods()
		return w.isGone("first") && len(jobs) == 1 && jobs[0].Name == "second-1" && len(pods) == 1 && pods[0].Labels[v1alpha1.LabelRun] == "second"
	})
	w.waitForOnly("second")
}

func TestTwoOperatorsDeleteNotOneRunTooMany(t *testing.T) {
	w := newWorld(t)
	w.suite(keep(3, 3))
	for i := range 30 {
		w.store(ofSuite(fmt.Sprintf("run-%02d", i)), v1alpha1.VerdictPassed, time.Duration(30-i)*time.Minute)
	}
	w.startController()
	w.startController()
	w.waitForOnly("run-27", "run-28", "run-29")
}

func TestBothControllersDeleteAtOnePace(t *testing.T) {
	const each, perSecond = 10, 10
	w := newWorld(t)
	w.suite(keep(0, 0))
	for i := range each {
		w.store(ofSuite(fmt.Sprintf("by-number-%d", i)), v1alpha1.VerdictPassed, time.Hour)
		w.store(builders.TestRun(fmt.Sprintf("by-age-%d", i)).TTL(0), v1alpha1.VerdictPassed, time.Hour)
	}
	w.adjust = func(options *controllers.Options) { options.DeletionsPerSecond = perSecond }
	start := time.Now()
	w.startController()
	w.WaitFor("all are gone", func() bool { return len(w.runs()) == 0 })
	if took, least := time.Since(start), (2*each-1)*time.Second/perSecond; took < least {
		t.Errorf("%d deletions took %s, want at least %s", 2*each, took, least)
	}
}
