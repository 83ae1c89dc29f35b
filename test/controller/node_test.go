package controller

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/node"
)

// pod returns the pod that the Job controller made for the run's first attempt.
func (w *world) pod(run string) *corev1.Pod {
	w.t.Helper()
	return w.podOf(run, "1")
}

func (w *world) podOf(run, attempt string) *corev1.Pod {
	w.t.Helper()
	pods := &corev1.PodList{}
	w.eventually("the pod of "+run+" exists", func() bool {
		w.must(w.client.List(w.ctx, pods, client.InNamespace(w.namespace),
			client.MatchingLabels{v1alpha1.LabelRun: run, v1alpha1.LabelAttempt: attempt}))
		return len(pods.Items) > 0
	})
	if len(pods.Items) > 1 {
		w.t.Fatalf("attempt %s of run %s has %d pods", attempt, run, len(pods.Items))
	}
	return &pods.Items[0]
}

// schedule does what a scheduler would.
func (w *world) schedule(run string) *corev1.Pod {
	w.t.Helper()
	pod := w.pod(run)
	w.must(node.Bind(w.ctx, w.client, pod))
	return w.pod(run)
}

// report does what a kubelet would: it writes the pod's status.
func (w *world) report(pod *corev1.Pod, change func(*corev1.PodStatus)) {
	w.t.Helper()
	w.must(node.Report(w.ctx, w.client, pod, change))
}

// execute takes the run's pod to a node and starts its containers.
func (w *world) execute(run string) *corev1.Pod {
	w.t.Helper()
	return w.start(w.schedule(run))
}

// start starts the containers of the pod.
func (w *world) start(pod *corev1.Pod) *corev1.Pod {
	w.t.Helper()
	w.report(pod, node.SetRunning)
	return pod
}

// exit ends the pod whose test's container ended like that.
func (w *world) exit(pod *corev1.Pod, end corev1.ContainerStateTerminated) {
	w.t.Helper()
	w.report(pod, func(status *corev1.PodStatus) { node.SetExit(status, end) })
}

func jobIs(job batchv1.Job, conditionType batchv1.JobConditionType) bool {
	for _, condition := range job.Status.Conditions {
		if condition.Type == conditionType && condition.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}
