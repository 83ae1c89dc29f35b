package controller

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

const longGrace = 24 * 60 * 60

// departures are the ways in which a run, or what it consists of, is taken away from its test. The pod runs on after each.
var departures = map[string]func(w *world, run string){
	"the run is deleted without its Job": func(w *world, run string) {
		w.delete(&v1alpha1.TestRun{}, run, client.PropagationPolicy(metav1.DeletePropagationOrphan))
	},
	"the run is deleted, and its pod has a long grace period": func(w *world, run string) {
		w.delete(&v1alpha1.TestRun{}, run, client.PropagationPolicy(metav1.DeletePropagationBackground))
		w.WaitForNoJob(run)
	},
	"the Job is deleted without its pod": func(w *world, run string) {
		w.delete(w.WaitForJob(run), "", client.PropagationPolicy(metav1.DeletePropagationOrphan))
		w.WaitForFinished(run, v1alpha1.VerdictError, v1alpha1.ReasonJobDeleted)
	},
	"the Job is deleted without its pod, and then the run": func(w *world, run string) {
		w.delete(w.WaitForJob(run), "", client.PropagationPolicy(metav1.DeletePropagationOrphan))
		w.WaitForFinished(run, v1alpha1.VerdictError, v1alpha1.ReasonJobDeleted)
		w.delete(&v1alpha1.TestRun{}, run)
	},
	"the Job is deleted at once, and its pod has a long grace period": func(w *world, run string) {
		w.delete(w.WaitForJob(run), "", client.GracePeriodSeconds(0), client.PropagationPolicy(metav1.DeletePropagationBackground))
		w.WaitForNoJob(run)
	},
	"the run is deleted without its Job, and made anew": func(w *world, run string) {
		stored := &v1alpha1.TestRun{}
		w.Must(w.Client.Get(w.Ctx, client.ObjectKey{Namespace: w.Namespace, Name: run}, stored))
		w.delete(&v1alpha1.TestRun{}, run, client.PropagationPolicy(metav1.DeletePropagationOrphan))
		again := &v1alpha1.TestRun{ObjectMeta: metav1.ObjectMeta{Name: run}, Spec: stored.Spec}
		again.Spec.RunAfter = ptr.To(metav1.NewTime(time.Now().AddDate(1, 0, 0)).Rfc3339Copy())
		w.Create(again)
	},
}

// delete deletes an object, and waits until it is gone. name is needed for one that has not been read.
func (w *world) delete(object client.Object, name string, options ...client.DeleteOption) {
	w.T.Helper()
	if name != "" {
		object.SetName(name)
		object.SetNamespace(w.Namespace)
	}
	w.Must(w.Client.Delete(w.Ctx, object, options...))
	uid := object.GetUID()
	w.WaitFor("it is deleted", func() bool {
		err := w.Client.Get(w.Ctx, client.ObjectKeyFromObject(object), object)
		return err != nil || uid != "" && object.GetUID() != uid
	})
}

func lastingRun(name string) *builders.TestRunBuilder {
	run := builders.TestRun(name)
	run.Spec.TestSpec.Template.Spec.TerminationGracePeriodSeconds = ptr.To[int64](longGrace)
	return run
}

func TestARunThatIsTakenAwayKeepsItsSlotWhileItsPodRuns(t *testing.T) {
	limits := map[string]func(w *world) func(string) *builders.TestRunBuilder{
		"of the queue": func(w *world) func(string) *builders.TestRunBuilder {
			queue := w.queue(oneAtATime)
			return func(name string) *builders.TestRunBuilder { return lastingRun(name).Waiting(queue) }
		},
		"of its namespace": func(w *world) func(string) *builders.TestRunBuilder {
			queue := w.queue(v1alpha1.TestQueueSpec{MaxRunningPerNamespace: 1})
			return func(name string) *builders.TestRunBuilder { return lastingRun(name).Waiting(queue) }
		},
		"of its concurrency key": func(*world) func(string) *builders.TestRunBuilder {
			return func(name string) *builders.TestRunBuilder { return lastingRun(name).Concurrency("environment", "") }
		},
	}
	for departure, takeAway := range departures {
		for limit, runsOf := range limits {
			if limit != "of the queue" && departure != "the run is deleted without its Job" {
				continue // each way out with one limit, and each limit with one way out
			}
			t.Run(departure+": the slot "+limit, func(t *testing.T) {
				w := withController(t)
				run := runsOf(w)
				w.Create(run("a").Build())
				pod := w.Execute("a")
				w.WaitForInProgress("a")
				takeAway(w, "a")
				w.Create(run("b").Build())
				w.expectWaitBehind("b", pod)
			})
		}
		t.Run(departure+": the next controller knows", func(t *testing.T) {
			w := newWorld(t)
			stop := w.startController()
			run := limits["of the queue"](w)
			w.Create(run("a").Build())
			pod := w.Execute("a")
			w.WaitForInProgress("a")
			takeAway(w, "a")
			stop()
			w.Create(run("b").Build())
			w.startController()
			w.expectWaitBehind("b", pod)
		})
	}
}

// expectWaitBehind checks that the run starts when the pod has ended, and not before.
func (w *world) expectWaitBehind(run string, pod *corev1.Pod) {
	w.T.Helper()
	waits := w.WaitForRun(run, "observed", func(run *v1alpha1.TestRun) bool { return run.Status.ObservedGeneration > 0 })
	if waits.Status.Phase != v1alpha1.PhasePending || len(waits.Status.Attempts) > 0 {
		w.T.Errorf("run %s has started: %+v", run, waits.Status)
	}
	w.Must(w.Client.Get(w.Ctx, client.ObjectKeyFromObject(pod), pod))
	w.Exit(pod, corev1.ContainerStateTerminated{ExitCode: 0})
	w.Pass(run)
}
