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
	"github.com/testrun-dev/testrun/test/conditions"
	"github.com/testrun-dev/testrun/test/node"
)

func TestHelpersOfATestThatHasEndedAreStoppedAndDoNotDecide(t *testing.T) {
	w := withController(t)
	spec := builders.TestSpec("true")
	spec.Template.Spec.TerminationGracePeriodSeconds = ptr.To[int64](1)
	helper := spec.Template.Spec.Containers[0].DeepCopy()
	helper.Name = "helper"
	spec.Template.Spec.Containers = append(spec.Template.Spec.Containers, *helper)
	w.Create(builders.TestRun("helped").Running(spec).Build())
	pod := w.Execute("helped")
	beside := corev1.ContainerStatus{Name: "helper", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
	ended := metav1.NewTime(time.Now().Add(-2 * time.Second))
	w.Report(pod, func(status *corev1.PodStatus) {
		status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 3, StartedAt: *status.StartTime, FinishedAt: ended, Message: node.Reported(""),
		}}
		status.ContainerStatuses = append(status.ContainerStatuses, beside)
	})
	w.WaitForRun("helped", "waiting for its helpers", func(run *v1alpha1.TestRun) bool { return conditions.Reason(run) == v1alpha1.ReasonHelpersRunning })
	w.WaitFor("the pod is told to stop", func() bool {
		w.Must(w.Client.Get(w.Ctx, client.ObjectKeyFromObject(pod), pod))
		return ptr.Deref(pod.Spec.ActiveDeadlineSeconds, 0) == 1 && pod.Annotations[v1alpha1.AnnotationHelpersStopped] != ""
	})
	w.Report(pod, func(status *corev1.PodStatus) {
		status.Phase, status.Reason = corev1.PodFailed, "DeadlineExceeded"
		status.ContainerStatuses[1].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 143}}
	})
	run := w.WaitForFinished("helped", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed)
	if !run.Status.FinishTime.Time.Equal(ended.Truncate(time.Second)) {
		t.Errorf("it finished at %s, want %s: when the test ended", run.Status.FinishTime, ended)
	}
}

func TestAReferenceThatStandsForNothingIsToldInAnEvent(t *testing.T) {
	w := withController(t)
	w.Create(builders.TestRun("typo").Running(builders.TestSpec("prove $(SIUTE)")).Build())
	w.Schedule("typo")
	w.WaitFor("an event names it", func() bool {
		events := &corev1.EventList{}
		w.Must(w.Client.List(w.Ctx, events, client.InNamespace(w.Namespace)))
		for _, event := range events.Items {
			if event.Reason == v1alpha1.EventUnknownReference && event.Type == corev1.EventTypeWarning && event.InvolvedObject.Name == "typo" {
				return true
			}
		}
		return false
	})
}
