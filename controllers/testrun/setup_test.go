package testrun

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

func TestARunWhosePodHasEndedComesBeforeAllOthers(t *testing.T) {
	queue := priorityqueue.New[reconcile.Request]("ends-first")
	defer queue.ShutDown()
	events := endsFirst{handler.EnqueueRequestsFromMapFunc(runOfPod)}
	for _, pod := range []struct {
		run   string
		phase corev1.PodPhase
	}{{"starting", corev1.PodPending}, {"running", corev1.PodRunning}, {"ended", corev1.PodSucceeded}} {
		after := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "a", Labels: map[string]string{v1alpha1.LabelRun: pod.run}},
			Status:     corev1.PodStatus{Phase: pod.phase},
		}
		events.Update(t.Context(), event.UpdateEvent{ObjectOld: &corev1.Pod{}, ObjectNew: after}, queue)
	}
	queue.Len() // takes in what was added
	want := types.NamespacedName{Namespace: "a", Name: "ended"}
	if got, priority, _ := queue.GetWithPriority(); got.NamespacedName != want || priority <= 0 {
		t.Errorf("the next is %s with priority %d, want %s", got, priority, want)
	}
}

func TestARunThatHadFinishedIsLookedAtOnlyIfItHasChangedSince(t *testing.T) {
	finished := builders.TestRun("a").Finished(v1alpha1.VerdictPassed, "it passed").Build()
	finished.Generation, finished.Status.ObservedGeneration = 2, 2
	changed := finished.DeepCopy()
	changed.Generation = 3
	for name, test := range map[string]struct {
		run  *v1alpha1.TestRun
		want bool
	}{"finished": {finished, false}, "changed since": {changed, true}, "not finished": {builders.TestRun("a").Build(), true}} {
		if got := isUnfinished(event.CreateEvent{Object: test.run}); got != test.want {
			t.Errorf("%s: it is looked at: %t", name, got)
		}
	}
}
