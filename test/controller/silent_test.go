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
	w.t.Helper()
	silent := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: pod.Spec.NodeName}}
	w.must(client.IgnoreAlreadyExists(w.client.Create(w.ctx, silent)))
	w.must(w.client.Get(w.ctx, client.ObjectKeyFromObject(silent), silent))
	before := silent.DeepCopy()
	silent.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionUnknown, Reason: "NodeStatusUnknown", LastTransitionTime: metav1.Now(),
	}}
	w.must(w.client.Status().Patch(w.ctx, silent, client.MergeFrom(before)))
	w.report(pod, func(status *corev1.PodStatus) {
		node.SetCondition(status, corev1.PodReady, corev1.ConditionFalse, "", "")
	})
}

func TestARunOnASilentNodeSaysSoAndEnds(t *testing.T) {
	w := withController(t)
	w.create(builders.TestRun("run").Retry(0, 2).UnreachableTimeout(3 * time.Second).Build())
	pod := w.execute("run")
	w.inProgress("run")
	w.silence(pod)
	w.runUntil("run", func(run *v1alpha1.TestRun) bool {
		return run.Status.Phase == v1alpha1.PhaseInProgress && conditions.Reason(run) == v1alpha1.ReasonNodeUnreachable
	})
	run := w.finished("run", v1alpha1.VerdictError, v1alpha1.ReasonNodeUnreachable)
	if len(run.Status.Attempts) != 1 || len(w.jobs()) != 1 {
		t.Errorf("the attempts are %+v, with %d Jobs: the first may still run", run.Status.Attempts, len(w.jobs()))
	}
	w.isToldToStop("run")
}

func TestATestThatAllowsItIsReplacedOnASilentNode(t *testing.T) {
	w := withController(t)
	w.create(builders.TestRun("run").Retry(0, 1).Replacing().UnreachableTimeout(time.Second).Build())
	pod := w.execute("run")
	w.inProgress("run")
	w.silence(pod)
	second := w.podOf("run", "2")
	w.isToldToStop("run")
	w.exit(w.start(second), corev1.ContainerStateTerminated{ExitCode: 0})
	run := w.finished("run", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	if first := run.Status.Attempts[0]; first.Reason != v1alpha1.ReasonNodeUnreachable || first.Verdict != v1alpha1.VerdictError || run.Status.Flaky != nil {
		t.Errorf("flaky is %v, the attempts are %+v", run.Status.Flaky, run.Status.Attempts)
	}
}

// isToldToStop checks what the node finds when it comes back.
func (w *world) isToldToStop(run string) {
	w.t.Helper()
	if pod := w.pod(run); ptr.Deref(pod.Spec.ActiveDeadlineSeconds, 0) != 1 || pod.Annotations[v1alpha1.AnnotationStopReason] != v1alpha1.ReasonNodeUnreachable {
		w.t.Errorf("the pod may run for %v s, with annotations %v", pod.Spec.ActiveDeadlineSeconds, pod.Annotations)
	}
}
