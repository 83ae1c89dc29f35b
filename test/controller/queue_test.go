package controller

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
	"github.com/testrun-dev/testrun/controllers"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/conditions"
	"github.com/testrun-dev/testrun/test/node"
)

// queue makes a TestQueue, and returns its name: queues belong to no namespace, so that each test has one of its own.
func (w *world) queue(spec v1alpha1.TestQueueSpec) string {
	w.t.Helper()
	queue := &v1alpha1.TestQueue{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}, Spec: spec}
	w.must(w.client.Create(w.ctx, queue))
	w.t.Cleanup(func() { w.must(client.IgnoreNotFound(w.client.Delete(context.Background(), queue))) })
	return queue.Name
}

func (w *world) changeQueue(name string, mutate func(*v1alpha1.TestQueueSpec)) {
	w.t.Helper()
	queue := &v1alpha1.TestQueue{}
	w.must(w.client.Get(w.ctx, client.ObjectKey{Name: name}, queue))
	before := queue.DeepCopy()
	mutate(&queue.Spec)
	w.must(w.client.Patch(w.ctx, queue, client.MergeFrom(before)))
}

// pass executes the run's test, which passes.
func (w *world) pass(run string) {
	w.t.Helper()
	w.exit(w.execute(run), corev1.ContainerStateTerminated{ExitCode: 0})
	w.finished(run, v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
}

// hasJobs checks which runs have a Job.
func (w *world) hasJobs(runs ...string) {
	w.t.Helper()
	var have []string
	for _, job := range w.jobs() {
		have = append(have, job.Labels[v1alpha1.LabelRun])
	}
	if strings.Join(have, " ") != strings.Join(runs, " ") {
		w.t.Errorf("the runs %q have Jobs, want %q", have, runs)
	}
}

func (w *world) says(run *v1alpha1.TestRun, quotes ...string) {
	w.t.Helper()
	for _, quote := range quotes {
		if !strings.Contains(conditions.Message(run), quote) {
			w.t.Errorf("the message of run %s is %q, want %q in it", run.Name, conditions.Message(run), quote)
		}
	}
}

var oneAtATime = v1alpha1.TestQueueSpec{MaxRunning: 1}

func TestARunWaitsForItsTurnAndSaysSo(t *testing.T) {
	w := withController(t)
	queue := w.queue(oneAtATime)
	w.create(builders.TestRun("a").Waiting(queue).Build())
	w.execute("a")
	w.create(builders.TestRun("b").Waiting(queue).Build())
	w.says(w.pendingWith("b", v1alpha1.ReasonQueued), queue, "1 of 1 runs run (maxRunning)")
	w.hasJobs("a")
	w.eventually("kubectl get testqueues shows it", func() bool {
		seen := &v1alpha1.TestQueue{}
		w.must(w.client.Get(w.ctx, client.ObjectKey{Name: queue}, seen))
		return ptr.Deref(seen.Status.Running, 0) == 1 && ptr.Deref(seen.Status.Pending, 0) == 1 && seen.Status.OldestPending != nil
	})
	w.exit(w.pod("a"), corev1.ContainerStateTerminated{ExitCode: 0})
	w.pass("b")
}

func TestASuspendedQueueStartsNothingAndGoesOnWithWhatRuns(t *testing.T) {
	w := withController(t)
	queue := w.queue(v1alpha1.TestQueueSpec{})
	w.create(builders.TestRun("running").Waiting(queue).Build())
	pod := w.execute("running")
	w.changeQueue(queue, func(spec *v1alpha1.TestQueueSpec) { spec.Suspend = ptr.To(true) })
	w.create(builders.TestRun("paused").Waiting(queue).Build())
	w.says(w.pendingWith("paused", v1alpha1.ReasonQueueSuspended), "spec.suspend")
	w.exit(pod, corev1.ContainerStateTerminated{ExitCode: 0})
	w.finished("running", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	w.hasJobs("running")
	w.changeQueue(queue, func(spec *v1alpha1.TestQueueSpec) { spec.Suspend = nil })
	w.pass("paused")
}

func TestARunWhoseQueueDoesNotExistWaitsForIt(t *testing.T) {
	w := withController(t)
	w.create(builders.TestRun("early").Waiting(w.namespace).Build())
	w.says(w.pendingWith("early", v1alpha1.ReasonQueueNotFound), "There is no TestQueue")
	w.queue(v1alpha1.TestQueueSpec{})
	w.pass("early")
}

// withQueueGracePeriod makes a world whose runs do not wait for long for a TestQueue.
func withQueueGracePeriod(t *testing.T, period time.Duration) *world {
	t.Helper()
	w := newWorld(t)
	w.adjust = func(options *controllers.Options) { options.QueueGracePeriod = period }
	w.startController()
	return w
}

func TestARunWhoseQueueDoesNotExistEndsAfterTheGracePeriod(t *testing.T) {
	w := withQueueGracePeriod(t, 2*time.Second)
	w.create(builders.TestRun("lost").Waiting(w.namespace).Build())
	w.says(w.finished("lost", v1alpha1.VerdictError, v1alpha1.ReasonQueueNotFound), "There is no TestQueue", "none appeared within 2s")
	w.hasJobs()
}

func TestARunWhoseQueueIsDeletedHasTheGracePeriodFromThen(t *testing.T) {
	w := withQueueGracePeriod(t, time.Second)
	queue := w.queue(v1alpha1.TestQueueSpec{Suspend: ptr.To(true)})
	w.create(builders.TestRun("left").Waiting(queue).Build())
	w.pendingWith("left", v1alpha1.ReasonQueueSuspended)
	w.must(w.client.Delete(w.ctx, &v1alpha1.TestQueue{ObjectMeta: metav1.ObjectMeta{Name: queue}}))
	w.says(w.finished("left", v1alpha1.VerdictError, v1alpha1.ReasonQueueNotFound), "There is no TestQueue")
}

func TestARunWaitsNoLongerThanItsTimeoutAllows(t *testing.T) {
	w := withController(t)
	queue := w.queue(oneAtATime)
	w.create(builders.TestRun("a").Waiting(queue).Build())
	w.execute("a")
	w.create(builders.TestRun("b").Waiting(queue).QueueTimeout(time.Second).Build())
	w.says(w.finished("b", v1alpha1.VerdictError, v1alpha1.ReasonQueueTimeout), "within 1s (timeouts.queue)", "Waits in queue "+queue)
	w.hasJobs("a")
	w.exit(w.pod("a"), corev1.ContainerStateTerminated{ExitCode: 0})
	w.finished("a", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	w.create(builders.TestRun("c").Waiting(queue).QueueTimeout(time.Hour).Build())
	w.pass("c")
}

func TestARunWithAKeyOfItsOwnHoldsNoParamThatTheTestDoesNotDefine(t *testing.T) {
	w := withController(t)
	w.create(builders.Test("check", builders.TestSpec("true", v1alpha1.ParamSpec{Name: "TARGET"})))
	w.create(builders.TestRun("typo").Of("check").Param("TARGET", "stage").Concurrency("environment-$(TARGTE)", "").Build())
	w.says(w.finished("typo", v1alpha1.VerdictError, v1alpha1.ReasonInvalidParams), "$(TARGTE)", "TARGET")
	w.hasJobs()
}

func TestRunsWhoseTimeHasNotComeFillNoQueue(t *testing.T) {
	w := withController(t)
	queue := w.queue(v1alpha1.TestQueueSpec{MaxRunning: 1, MaxPending: 1, MaxPendingPerNamespace: 1})
	for _, name := range []string{"in-100-years", "in-101-years"} {
		run := builders.TestRun(name).Waiting(queue).Build()
		run.Spec.RunAfter = ptr.To(metav1.NewTime(time.Now().AddDate(100, 0, 0)).Rfc3339Copy())
		w.create(run)
		w.pendingWith(name, v1alpha1.ReasonNotBefore)
	}
	w.create(builders.TestRun("a").Waiting(queue).Build())
	w.execute("a")
	w.create(builders.TestRun("b").Waiting(queue).Build())
	w.pendingWith("b", v1alpha1.ReasonQueued)
	w.create(builders.TestRun("c").Waiting(queue).Build())
	w.says(w.finished("c", v1alpha1.VerdictError, v1alpha1.ReasonQueueFull), "maxPending")
}

func TestAQueueThatDoesNotTakeTheNamespaceKeepsItsRunsWaiting(t *testing.T) {
	w := withController(t)
	queue := w.queue(v1alpha1.TestQueueSpec{Namespaces: []string{"elsewhere"}})
	w.create(builders.TestRun("stranger").Waiting(queue).Build())
	w.says(w.pendingWith("stranger", v1alpha1.ReasonQueueForbidden), w.namespace)
	w.changeQueue(queue, func(spec *v1alpha1.TestQueueSpec) { spec.Namespaces = append(spec.Namespaces, w.namespace) })
	w.pass("stranger")
}

func TestOneMoreRunThanMayWaitIsRefused(t *testing.T) {
	w := withController(t)
	queue := w.queue(v1alpha1.TestQueueSpec{MaxRunning: 1, MaxPending: 1})
	w.create(builders.TestRun("a").Waiting(queue).Build())
	w.execute("a")
	w.create(builders.TestRun("b").Waiting(queue).Build())
	w.pendingWith("b", v1alpha1.ReasonQueued)
	w.create(builders.TestRun("c").Waiting(queue).Build())
	w.says(w.finished("c", v1alpha1.VerdictError, v1alpha1.ReasonQueueFull), "maxPending")
	w.exit(w.pod("a"), corev1.ContainerStateTerminated{ExitCode: 0})
	w.pass("b")
}

func TestARunThatIsCancelledWhileItWaitsLeavesItsPlace(t *testing.T) {
	w := withController(t)
	queue := w.queue(v1alpha1.TestQueueSpec{MaxRunning: 1, MaxPending: 1})
	w.create(builders.TestRun("a").Waiting(queue).Build())
	w.execute("a")
	w.create(builders.TestRun("b").Waiting(queue).Build())
	w.pendingWith("b", v1alpha1.ReasonQueued)
	w.cancel("b")
	w.finished("b", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	w.create(builders.TestRun("c").Waiting(queue).Build())
	w.pendingWith("c", v1alpha1.ReasonQueued)
	w.hasJobs("a")
	w.must(w.client.Delete(w.ctx, w.runUntil("c", func(*v1alpha1.TestRun) bool { return true })))
	w.create(builders.TestRun("d").Waiting(queue).Build())
	w.pendingWith("d", v1alpha1.ReasonQueued)
	w.exit(w.pod("a"), corev1.ContainerStateTerminated{ExitCode: 0})
	w.pass("d")
}

func TestAConcurrencyKeyAndWhatBecomesOfOneMore(t *testing.T) {
	const key = "environment-staging"
	start := func(t *testing.T, policy v1alpha1.ConcurrencyPolicy) (*world, *corev1.Pod) {
		t.Helper()
		w := withController(t)
		w.create(builders.TestRun("a").Concurrency(key, "").Build())
		pod := w.execute("a")
		w.inProgress("a")
		w.create(builders.TestRun("b").Concurrency(key, policy).Build())
		return w, pod
	}
	t.Run("Wait", func(t *testing.T) {
		w, pod := start(t, v1alpha1.ConcurrencyWait)
		w.says(w.pendingWith("b", v1alpha1.ReasonConcurrencyLimit), key, "1 of 1", "a. It starts when")
		w.hasJobs("a")
		w.exit(pod, corev1.ContainerStateTerminated{ExitCode: 0})
		w.pass("b")
	})
	t.Run("Refuse", func(t *testing.T) {
		w, _ := start(t, v1alpha1.ConcurrencyRefuse)
		if run := w.finished("b", v1alpha1.VerdictCancelled, v1alpha1.ReasonConcurrencyRefused); run.Status.InFavorOf != "a" {
			t.Errorf("it says in favor of %q", run.Status.InFavorOf)
		}
	})
	t.Run("ReplacePending", func(t *testing.T) {
		w, pod := start(t, v1alpha1.ConcurrencyReplacePending)
		w.pendingWith("b", v1alpha1.ReasonConcurrencyLimit)
		w.create(builders.TestRun("c").Concurrency(key, v1alpha1.ConcurrencyReplacePending).Build())
		if run := w.finished("b", v1alpha1.VerdictCancelled, v1alpha1.ReasonReplaced); run.Status.InFavorOf != "c" {
			t.Errorf("it says in favor of %q", run.Status.InFavorOf)
		}
		w.exit(pod, corev1.ContainerStateTerminated{ExitCode: 0})
		w.finished("a", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		w.pass("c")
	})
	t.Run("ReplaceRunning", func(t *testing.T) {
		w, pod := start(t, v1alpha1.ConcurrencyReplaceRunning)
		w.runUntil("a", func(run *v1alpha1.TestRun) bool { return conditions.Reason(run) == v1alpha1.ReasonCancelling })
		w.hasJobs("a") // until it has ended
		w.report(pod, func(status *corev1.PodStatus) {
			node.SetExit(status, corev1.ContainerStateTerminated{ExitCode: 143})
			status.Reason = "DeadlineExceeded"
		})
		if run := w.finished("a", v1alpha1.VerdictCancelled, v1alpha1.ReasonReplaced); run.Status.InFavorOf != "b" {
			t.Errorf("it says in favor of %q", run.Status.InFavorOf)
		}
		w.pass("b")
	})
	t.Run("params are put into the key", func(t *testing.T) {
		w := withController(t)
		test := builders.Test("check", builders.TestSpec("true", v1alpha1.ParamSpec{Name: "TARGET"}))
		test.Spec.Concurrency = v1alpha1.Concurrency{Key: "environment-$(TARGET)"}
		w.create(test)
		for _, target := range []string{"a", "b"} {
			w.create(builders.TestRun("one-"+target).Of("check").Param("TARGET", target).Build())
			w.execute("one-" + target)
			w.create(builders.TestRun("two-"+target).Of("check").Param("TARGET", target).Build())
			w.says(w.pendingWith("two-"+target, v1alpha1.ReasonConcurrencyLimit), `"environment-`+target+`"`)
		}
	})
}

func TestAUniqueKeyAndWhichRunIsKept(t *testing.T) {
	t.Run("KeepFirst", func(t *testing.T) {
		w := withController(t)
		w.create(builders.TestRun("a").Unique("commit-1", "").Build())
		w.create(builders.TestRun("other").Unique("commit-2", "").Build())
		pod := w.execute("a")
		w.inProgress("a")
		w.create(builders.TestRun("b").Unique("commit-1", "").Build())
		if run := w.finished("b", v1alpha1.VerdictCancelled, v1alpha1.ReasonDuplicate); run.Status.InFavorOf != "a" {
			t.Errorf("it says in favor of %q", run.Status.InFavorOf)
		}
		w.exit(pod, corev1.ContainerStateTerminated{ExitCode: 0})
		w.finished("a", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		w.create(builders.TestRun("c").Unique("commit-1", "").Build())
		w.pass("c") // without a window only what has not finished counts
		w.pass("other")
	})
	t.Run("KeepLast", func(t *testing.T) {
		w := withController(t)
		w.create(builders.TestRun("a").Unique("commit-1", v1alpha1.UniqueKeepLast).Build())
		w.schedule("a")
		w.create(builders.TestRun("b").Unique("commit-1", v1alpha1.UniqueKeepLast).Build())
		if run := w.finished("a", v1alpha1.VerdictCancelled, v1alpha1.ReasonDuplicate); run.Status.InFavorOf != "b" {
			t.Errorf("it says in favor of %q", run.Status.InFavorOf)
		}
		w.pass("b")
	})
	t.Run("for a time after its end, also after a restart", func(t *testing.T) {
		w := newWorld(t)
		stop := w.startController()
		unique := func(name string) *v1alpha1.TestRun {
			run := builders.TestRun(name).Unique("nightly", "").Build()
			run.Spec.Unique.Window = &v1alpha1.Duration{Duration: time.Hour}
			return run
		}
		w.create(unique("a"))
		w.pass("a")
		w.create(unique("b"))
		w.finished("b", v1alpha1.VerdictCancelled, v1alpha1.ReasonDuplicate)
		stop()
		w.startController()
		w.create(unique("c"))
		w.finished("c", v1alpha1.VerdictCancelled, v1alpha1.ReasonDuplicate)
	})
}

func TestARunDoesNotStartBeforeItsTime(t *testing.T) {
	w := withController(t)
	run := builders.TestRun("later").Build()
	run.Spec.RunAfter = ptr.To(metav1.NewTime(time.Now().Add(9 * time.Second)).Rfc3339Copy())
	w.create(run)
	w.says(w.pendingWith("later", v1alpha1.ReasonNotBefore), "runAfter")
	w.hasJobs()
	job := w.job("later")
	if job.CreationTimestamp.Time.Before(run.Spec.RunAfter.Time) {
		t.Errorf("the Job was created at %s, before %s", job.CreationTimestamp, run.Spec.RunAfter)
	}
}

func TestAControllerThatComesLaterKeepsToTheLimit(t *testing.T) {
	w := newWorld(t)
	queue := w.queue(oneAtATime)
	stop := w.startController()
	w.create(builders.TestRun("a").Waiting(queue).Build())
	w.job("a") // it has started; no status says so yet
	stop()
	w.create(builders.TestRun("b").Waiting(queue).Build())
	w.startController()
	w.pendingWith("b", v1alpha1.ReasonQueued)
	w.hasJobs("a")
	w.pass("a")
	w.pass("b")
}
