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

// silence does what Kubernetes' node lifecycle controller does when it hears nothing of the pod's node: it says so of the node,
// and calls the pod unready.
func (w *world) silence(pod *corev1.Pod) {
	w.T.Helper()
	silent := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: pod.Spec.NodeName}}
	w.Must(client.IgnoreAlreadyExists(w.Client.Create(w.Ctx, silent)))
	w.Must(w.Client.Get(w.Ctx, client.ObjectKeyFromObject(silent), silent))
	before := silent.DeepCopy()
	silent.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionUnknown, Reason: "NodeStatusUnknown", LastTransitionTime: metav1.Now(),
	}}
	w.Must(w.Client.Status().Patch(w.Ctx, silent, client.MergeFrom(before)))
	w.Report(pod, func(status *corev1.PodStatus) {
		node.SetCondition(status, corev1.PodReady, corev1.ConditionFalse, "", "")
	})
}

func TestARunOnASilentNodeSaysSoAndEnds(t *testing.T) {
	w := withController(t)
	w.Create(builders.TestRun("run").Retry(0, 2).UnreachableTimeout(3 * time.Second).Build())
	pod := w.Execute("run")
	w.WaitForInProgress("run")
	w.silence(pod)
	w.WaitForRun("run", "NodeUnreachable", func(run *v1alpha1.TestRun) bool {
		return run.Status.Phase == v1alpha1.PhaseInProgress && conditions.Reason(run) == v1alpha1.ReasonNodeUnreachable
	})
	run := w.WaitForFinished("run", v1alpha1.VerdictError, v1alpha1.ReasonNodeUnreachable)
	if len(run.Status.Attempts) != 1 || len(w.Jobs()) != 1 {
		t.Errorf("the attempts are %+v, with %d Jobs: the first may still run", run.Status.Attempts, len(w.Jobs()))
	}
	w.expectStopped("run")
}

func TestATestThatAllowsItIsReplacedOnASilentNode(t *testing.T) {
	w := withController(t)
	w.Create(builders.TestRun("run").Retry(0, 1).Replacing().UnreachableTimeout(time.Second).Build())
	pod := w.Execute("run")
	w.WaitForInProgress("run")
	w.silence(pod)
	second := w.WaitForPodOf("run", "2")
	w.expectStopped("run")
	w.Exit(w.Start(second), corev1.ContainerStateTerminated{ExitCode: 0})
	run := w.WaitForFinished("run", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	if first := run.Status.Attempts[0]; first.Reason != v1alpha1.ReasonNodeUnreachable || first.Verdict != v1alpha1.VerdictError || run.Status.Flaky != nil {
		t.Errorf("flaky is %v, the attempts are %+v", run.Status.Flaky, run.Status.Attempts)
	}
}

// expectStopped checks what the node finds when it comes back.
func (w *world) expectStopped(run string) {
	w.T.Helper()
	if pod := w.WaitForPod(run); ptr.Deref(pod.Spec.ActiveDeadlineSeconds, 0) != 1 || pod.Annotations[v1alpha1.AnnotationStopReason] != v1alpha1.ReasonNodeUnreachable {
		w.T.Errorf("the pod may run for %v s, with annotations %v", pod.Spec.ActiveDeadlineSeconds, pod.Annotations)
	}
}
