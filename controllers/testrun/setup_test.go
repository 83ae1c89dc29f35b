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
