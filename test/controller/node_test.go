package controller

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

const nodeName = "node-1"

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
	w.must(w.client.SubResource("binding").Create(w.ctx, pod, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: nodeName}}))
	return w.pod(run)
}

// report does what a kubelet would: it writes the pod's status.
func (w *world) report(pod *corev1.Pod, change func(*corev1.PodStatus)) {
	w.t.Helper()
	before := pod.DeepCopy()
	if pod.Status.StartTime == nil {
		now := metav1.Now()
		pod.Status.StartTime = &now
	}
	change(&pod.Status)
	w.must(w.client.Status().Patch(w.ctx, pod, client.MergeFrom(before)))
}

// execute takes the run's pod to a node and starts its containers.
func (w *world) execute(run string) *corev1.Pod {
	w.t.Helper()
	return w.start(w.schedule(run))
}

// start starts the containers of the pod.
func (w *world) start(pod *corev1.Pod) *corev1.Pod {
	w.t.Helper()
	w.report(pod, func(status *corev1.PodStatus) {
		status.Phase = corev1.PodRunning
		setCondition(status, corev1.PodReadyToStartContainers, corev1.ConditionTrue, "", "")
		setContainer(status, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}})
	})
	return pod
}

// exit ends the pod whose test's container ended like that.
func (w *world) exit(pod *corev1.Pod, end corev1.ContainerStateTerminated) {
	w.t.Helper()
	w.report(pod, func(status *corev1.PodStatus) { setExit(status, end) })
}

func setExit(status *corev1.PodStatus, end corev1.ContainerStateTerminated) {
	status.Phase = corev1.PodFailed
	if end.ExitCode == 0 {
		status.Phase = corev1.PodSucceeded
	}
	end.StartedAt = *status.StartTime
	if end.FinishedAt.IsZero() {
		end.FinishedAt = metav1.Now()
	}
	setContainer(status, corev1.ContainerState{Terminated: &end})
}

func setContainer(status *corev1.PodStatus, state corev1.ContainerState) {
	status.ContainerStatuses = []corev1.ContainerStatus{{Name: "test", State: state}}
}

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func setCondition(status *corev1.PodStatus, conditionType corev1.PodConditionType, value corev1.ConditionStatus, reason, message string) {
	status.Conditions = append(status.Conditions, corev1.PodCondition{
		Type: conditionType, Status: value, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(time.Now()),
	})
}

func jobIs(job batchv1.Job, conditionType batchv1.JobConditionType) bool {
	for _, condition := range job.Status.Conditions {
		if condition.Type == conditionType && condition.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}
