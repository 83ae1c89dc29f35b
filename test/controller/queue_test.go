package controller

import (
	"context"
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
	w.T.Helper()
	queue := &v1alpha1.TestQueue{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}, Spec: spec}
	w.Must(w.Client.Create(w.Ctx, queue))
	w.T.Cleanup(func() { w.Must(client.IgnoreNotFound(w.Client.Delete(context.Background(), queue))) })
	return queue.Name
}

func (w *world) changeQueue(name string, mutate func(*v1alpha1.TestQueueSpec)) {
	w.T.Helper()
	queue := &v1alpha1.TestQueue{}
	w.Must(w.Client.Get(w.Ctx, client.ObjectKey{Name: name}, queue))
	before := queue.DeepCopy()
	mutate(&queue.Spec)
	w.Must(w.Client.Patch(w.Ctx, queue, client.MergeFrom(before)))
}

var oneAtATime = v1alpha1.TestQueueSpec{MaxRunning: 1}

func TestARunWaitsForItsTurnAndSaysSo(t *testing.T) {
	w := withController(t)
	queue := w.queue(oneAtATime)
	w.Create(builders.TestRun("a").Waiting(queue).Build())
	w.Execute("a")
	w.Create(builders.TestRun("b").Waiting(queue).Build())
	w.ExpectMessage(w.WaitForPending("b", v1alpha1.ReasonQueued), queue, "1 of 1 runs run (maxRunning)")
	w.ExpectJobs("a")
	w.WaitFor("kubectl get testqueues shows it", func() bool {
		seen := &v1alpha1.TestQueue{}
		w.Must(w.Client.Get(w.Ctx, client.ObjectKey{Name: queue}, seen))
		return ptr.Deref(seen.Status.Running, 0) == 1 && ptr.Deref(seen.Status.Pending, 0) == 1 && seen.Status.OldestPending != nil
	})
	w.Exit(w.WaitForPod("a"), corev1.ContainerStateTerminated{ExitCode: 0})
	w.Pass("b")
}

func TestASuspendedQueueStartsNothingAndGoesOnWithWhatRuns(t *testing.T) {
	w := withController(t)
	queue := w.queue(v1alpha1.TestQueueSpec{})
	w.Create(builders.TestRun("running").Waiting(queue).Build())
	pod := w.Execute("running")
	w.changeQueue(queue, func(spec *v1alpha1.TestQueueSpec) { spec.Suspend = ptr.To(true) })
	w.Create(builders.TestRun("paused").Waiting(queue).Build())
	w.ExpectMessage(w.WaitForPending("paused", v1alpha1.ReasonQueueSuspended), "spec.suspend")
	w.Exit(pod, corev1.ContainerStateTerminated{ExitCode: 0})
	w.WaitForFinished("running", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	w.ExpectJobs("running")
	w.changeQueue(queue, func(spec *v1alpha1.TestQueueSpec) { spec.Suspend = nil })
	w.Pass("paused")
}

func TestARunWhoseQueueDoesNotExistWaitsForIt(t *testing.T) {
	w := withController(t)
	w.Create(builders.TestRun("early").Waiting(w.Namespace).Build())
	w.ExpectMessage(w.WaitForPending("early", v1alpha1.ReasonQueueNotFound), "There is no TestQueue")
	w.queue(v1alpha1.TestQueueSpec{})
	w.Pass("early")
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
	w.Create(builders.TestRun("lost").Waiting(w.Namespace).Build())
	w.ExpectMessage(w.WaitForFinished("lost", v1alpha1.VerdictError, v1alpha1.ReasonQueueNotFound), "There is no TestQueue", "none appeared within 2s")
	w.ExpectJobs()
}

func TestARunWhoseQueueIsDeletedHasTheGracePeriodFromThen(t *testing.T) {
	w := withQueueGracePeriod(t, time.Second)
	queue := w.queue(v1alpha1.TestQueueSpec{Suspend: ptr.To(true)})
	w.Create(builders.TestRun("left").Waiting(queue).Build())
	w.WaitForPending("left", v1alpha1.ReasonQueueSuspended)
	w.Must(w.Client.Delete(w.Ctx, &v1alpha1.TestQueue{ObjectMeta: metav1.ObjectMeta{Name: queue}}))
	w.ExpectMessage(w.WaitForFinished("left", v1alpha1.VerdictError, v1alpha1.ReasonQueueNotFound), "There is no TestQueue")
}

func TestARunWaitsNoLongerThanItsTimeoutAllows(t *testing.T) {
	w := withController(t)
	queue := w.queue(oneAtATime)
	w.Create(builders.TestRun("a").Waiting(queue).Build())
	w.Execute("a")
	w.Create(builders.TestRun("b").Waiting(queue).QueueTimeout(time.Second).Build())
	w.ExpectMessage(w.WaitForFinished("b", v1alpha1.VerdictError, v1alpha1.ReasonQueueTimeout), "within 1s (timeouts.queue)", "Waits in queue "+queue)
	w.ExpectJobs("a")
	w.Exit(w.WaitForPod("a"), corev1.ContainerStateTerminated{ExitCode: 0})
	w.WaitForFinished("a", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	w.Create(builders.TestRun("c").Waiting(queue).QueueTimeout(time.Hour).Build())
	w.Pass("c")
}

func TestARunWithAKeyOfItsOwnHoldsNoParamThatTheTestDoesNotDefine(t *testing.T) {
	w := withController(t)
	w.Create(builders.Test("check", builders.TestSpec("true", v1alpha1.ParamSpec{Name: "TARGET"})))
	w.Create(builders.TestRun("typo").Of("check").Param("TARGET", "stage").Concurrency("environment-$(TARGTE)", "").Build())
	w.ExpectMessage(w.WaitForFinished("typo", v1alpha1.VerdictError, v1alpha1.ReasonInvalidParams), "$(TARGTE)", "TARGET")
	w.ExpectJobs()
}

func TestRunsWhoseTimeHasNotComeFillNoQueue(t *testing.T) {
	w := withController(t)
	queue := w.queue(v1alpha1.TestQueueSpec{MaxRunning: 1, MaxPending: 1, MaxPendingPerNamespace: 1})
	for _, name := range []string{"in-100-years", "in-101-years"} {
		run := builders.TestRun(name).Waiting(queue).Build()
		run.Spec.RunAfter = ptr.To(metav1.NewTime(time.Now().AddDate(100, 0, 0)).Rfc3339Copy())
		w.Create(run)
		w.WaitForPending(name, v1alpha1.ReasonNotBefore)
	}
	w.Create(builders.TestRun("a").Waiting(queue).Build())
	w.Execute("a")
	w.Create(builders.TestRun("b").Waiting(queue).Build())
	w.WaitForPending("b", v1alpha1.ReasonQueued)
	w.Create(builders.TestRun("c").Waiting(queue).Build())
	w.ExpectMessage(w.WaitForFinished("c", v1alpha1.VerdictError, v1alpha1.ReasonQueueFull), "maxPending")
}

func TestAQueueThatDoesNotTakeTheNamespaceKeepsItsRunsWaiting(t *testing.T) {
	w := withController(t)
	queue := w.queue(v1alpha1.TestQueueSpec{Namespaces: []string{"elsewhere"}})
	w.Create(builders.TestRun("stranger").Waiting(queue).Build())
	w.ExpectMessage(w.WaitForPending("stranger", v1alpha1.ReasonQueueForbidden), w.Namespace)
	w.changeQueue(queue, func(spec *v1alpha1.TestQueueSpec) { spec.Namespaces = append(spec.Namespaces, w.Namespace) })
	w.Pass("stranger")
}

func TestOneMoreRunThanMayWaitIsRefused(t *testing.T) {
	w := withController(t)
	queue := w.queue(v1alpha1.TestQueueSpec{MaxRunning: 1, MaxPending: 1})
	w.Create(builders.TestRun("a").Waiting(queue).Build())
	w.Execute("a")
	w.Create(builders.TestRun("b").Waiting(queue).Build())
	w.WaitForPending("b", v1alpha1.ReasonQueued)
	w.Create(builders.TestRun("c").Waiting(queue).Build())
	w.ExpectMessage(w.WaitForFinished("c", v1alpha1.VerdictError, v1alpha1.ReasonQueueFull), "maxPending")
	w.Exit(w.WaitForPod("a"), corev1.ContainerStateTerminated{ExitCode: 0})
	w.Pass("b")
}

func TestARunThatIsCancelledWhileItWaitsLeavesItsPlace(t *testing.T) {
	w := withController(t)
	queue := w.queue(v1alpha1.TestQueueSpec{MaxRunning: 1, MaxPending: 1})
	w.Create(builders.TestRun("a").Waiting(queue).Build())
	w.Execute("a")
	w.Create(builders.TestRun("b").Waiting(queue).Build())
	w.WaitForPending("b", v1alpha1.ReasonQueued)
	w.Cancel("b")
	w.WaitForFinished("b", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	w.Create(builders.TestRun("c").Waiting(queue).Build())
	w.WaitForPending("c", v1alpha1.ReasonQueued)
	w.ExpectJobs("a")
	w.Must(w.Client.Delete(w.Ctx, w.Run("c")))
	w.Create(builders.TestRun("d").Waiting(queue).Build())
	w.WaitForPending("d", v1alpha1.ReasonQueued)
	w.Exit(w.WaitForPod("a"), corev1.ContainerStateTerminated{ExitCode: 0})
	w.Pass("d")
}

func TestAConcurrencyKeyAndWhatBecomesOfOneMore(t *testing.T) {
	const key = "environment-staging"
	start := func(t *testing.T, policy v1alpha1.ConcurrencyPolicy) (*world, *corev1.Pod) {
		t.Helper()
		w := withController(t)
		w.Create(builders.TestRun("a").Concurrency(key, "").Build())
		pod := w.Execute("a")
		w.WaitForInProgress("a")
		w.Create(builders.TestRun("b").Concurrency(key, policy).Build())
		return w, pod
	}
	t.Run("Wait", func(t *testing.T) {
		w, pod := start(t, v1alpha1.ConcurrencyWait)
		w.ExpectMessage(w.WaitForPending("b", v1alpha1.ReasonConcurrencyLimit), key, "1 of 1", "a. It starts when")
		w.ExpectJobs("a")
		w.Exit(pod, corev1.ContainerStateTerminated{ExitCode: 0})
		w.Pass("b")
	})
	t.Run("Refuse", func(t *testing.T) {
		w, _ := start(t, v1alpha1.ConcurrencyRefuse)
		if run := w.WaitForFinished("b", v1alpha1.VerdictCancelled, v1alpha1.ReasonConcurrencyRefused); run.Status.InFavorOf != "a" {
			t.Errorf("it says in favor of %q", run.Status.InFavorOf)
		}
	})
	t.Run("ReplacePending", func(t *testing.T) {
		w, pod := start(t, v1alpha1.ConcurrencyReplacePending)
		w.WaitForPending("b", v1alpha1.ReasonConcurrencyLimit)
		w.Create(builders.TestRun("c").Concurrency(key, v1alpha1.ConcurrencyReplacePending).Build())
		if run := w.WaitForFinished("b", v1alpha1.VerdictCancelled, v1alpha1.ReasonReplaced); run.Status.InFavorOf != "c" {
			t.Errorf("it says in favor of %q", run.Status.InFavorOf)
		}
		w.Exit(pod, corev1.ContainerStateTerminated{ExitCode: 0})
		w.WaitForFinished("a", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		w.Pass("c")
	})
	t.Run("ReplaceRunning", func(t *testing.T) {
		w, pod := start(t, v1alpha1.ConcurrencyReplaceRunning)
		w.WaitForRun("a", "Cancelling", func(run *v1alpha1.TestRun) bool { return conditions.Reason(run) == v1alpha1.ReasonCancelling })
		w.ExpectJobs("a") // until it has ended
		w.Report(pod, func(status *corev1.PodStatus) {
			node.SetExit(status, corev1.ContainerStateTerminated{ExitCode: 143})
			status.Reason = "DeadlineExceeded"
		})
		if run := w.WaitForFinished("a", v1alpha1.VerdictCancelled, v1alpha1.ReasonReplaced); run.Status.InFavorOf != "b" {
			t.Errorf("it says in favor of %q", run.Status.InFavorOf)
		}
		w.Pass("b")
	})
	t.Run("params are put into the key", func(t *testing.T) {
		w := withController(t)
		test := builders.Test("check", builders.TestSpec("true", v1alpha1.ParamSpec{Name: "TARGET"}))
		test.Spec.Concurrency = v1alpha1.Concurrency{Key: "environment-$(TARGET)"}
		w.Create(test)
		for _, target := range []string{"a", "b"} {
			w.Create(builders.TestRun("one-"+target).Of("check").Param("TARGET", target).Build())
			w.Execute("one-" + target)
			w.Create(builders.TestRun("two-"+target).Of("check").Param("TARGET", target).Build())
			w.ExpectMessage(w.WaitForPending("two-"+target, v1alpha1.ReasonConcurrencyLimit), `"environment-`+target+`"`)
		}
	})
}

func TestAUniqueKeyAndWhichRunIsKept(t *testing.T) {
	t.Run("KeepFirst", func(t *testing.T) {
		w := withController(t)
		w.Create(builders.TestRun("a").Unique("commit-1", "").Build())
		w.Create(builders.TestRun("other").Unique("commit-2", "").Build())
		pod := w.Execute("a")
		w.WaitForInProgress("a")
		w.Create(builders.TestRun("b").Unique("commit-1", "").Build())
		if run := w.WaitForFinished("b", v1alpha1.VerdictCancelled, v1alpha1.ReasonDuplicate); run.Status.InFavorOf != "a" {
			t.Errorf("it says in favor of %q", run.Status.InFavorOf)
		}
		w.Exit(pod, corev1.ContainerStateTerminated{ExitCode: 0})
		w.WaitForFinished("a", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		w.Create(builders.TestRun("c").Unique("commit-1", "").Build())
		w.Pass("c") // without a window only what has not finished counts
		w.Pass("other")
	})
	t.Run("KeepLast", func(t *testing.T) {
		w := withController(t)
		w.Create(builders.TestRun("a").Unique("commit-1", v1alpha1.UniqueKeepLast).Build())
		w.Schedule("a")
		w.Create(builders.TestRun("b").Unique("commit-1", v1alpha1.UniqueKeepLast).Build())
		if run := w.WaitForFinished("a", v1alpha1.VerdictCancelled, v1alpha1.ReasonDuplicate); run.Status.InFavorOf != "b" {
			t.Errorf("it says in favor of %q", run.Status.InFavorOf)
		}
		w.Pass("b")
	})
	t.Run("for a time after its end, also after a restart", func(t *testing.T) {
		w := newWorld(t)
		stop := w.startController()
		unique := func(name string) *v1alpha1.TestRun {
			run := builders.TestRun(name).Unique("nightly", "").Build()
			run.Spec.Unique.Window = &v1alpha1.Duration{Duration: time.Hour}
			return run
		}
		w.Create(unique("a"))
		w.Pass("a")
		w.Create(unique("b"))
		w.WaitForFinished("b", v1alpha1.VerdictCancelled, v1alpha1.ReasonDuplicate)
		stop()
		w.startController()
		w.Create(unique("c"))
		w.WaitForFinished("c", v1alpha1.VerdictCancelled, v1alpha1.ReasonDuplicate)
	})
}

func TestARunDoesNotStartBeforeItsTime(t *testing.T) {
	w := withController(t)
	run := builders.TestRun("later").Build()
	run.Spec.RunAfter = ptr.To(metav1.NewTime(time.Now().Add(9 * time.Second)).Rfc3339Copy())
	w.Create(run)
	w.ExpectMessage(w.WaitForPending("later", v1alpha1.ReasonNotBefore), "runAfter")
	w.ExpectJobs()
	job := w.WaitForJob("later")
	if job.CreationTimestamp.Time.Before(run.Spec.RunAfter.Time) {
		t.Errorf("the Job was created at %s, before %s", job.CreationTimestamp, run.Spec.RunAfter)
	}
}

func TestAControllerThatComesLaterKeepsToTheLimit(t *testing.T) {
	w := newWorld(t)
	queue := w.queue(oneAtATime)
	stop := w.startController()
	w.Create(builders.TestRun("a").Waiting(queue).Build())
	w.WaitForJob("a") // it has started; no status says so yet
	stop()
	w.Create(builders.TestRun("b").Waiting(queue).Build())
	w.startController()
	w.WaitForPending("b", v1alpha1.ReasonQueued)
	w.ExpectJobs("a")
	w.Pass("a")
	w.Pass("b")
}
