// Package node writes what a scheduler and a kubelet would write, for tests that have neither.
package node

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/internal/results"
)

// Name is the node of all pods.
const Name = "node-1"

// Bind gives the pod its node, as a scheduler does.
func Bind(ctx context.Context, c client.Client, pod *corev1.Pod) error {
	return c.SubResource("binding").Create(ctx, pod, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: Name}})
}

// Report writes the pod's status, as a kubelet does. The pod is then as it was stored.
func Report(ctx context.Context, c client.Client, pod *corev1.Pod, change func(*corev1.PodStatus)) error {
	before := pod.DeepCopy()
	if pod.Status.StartTime == nil {
		now := metav1.Now()
		pod.Status.StartTime = &now
	}
	change(&pod.Status)
	return c.Status().Patch(ctx, pod, client.MergeFrom(before))
}

// SetRunning says that the test's container runs.
func SetRunning(status *corev1.PodStatus) {
	status.Phase = corev1.PodRunning
	SetCondition(status, corev1.PodReadyToStartContainers, corev1.ConditionTrue, "", "")
	SetContainer(status, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}})
}

// Exit codes of containers that were told to stop, and that were killed.
const (
	exitTerminated = 143
	exitKilled     = 137
)

// SetExit says that the test's container ended like that, and the pod with it. If the end says nothing of what the runner
// reported, it has reported no results, and that a test which ended by SIGTERM was told to stop. Who is killed reports nothing.
func SetExit(status *corev1.PodStatus, end corev1.ContainerStateTerminated) {
	status.Phase = corev1.PodFailed
	if end.ExitCode == 0 {
		status.Phase = corev1.PodSucceeded
	}
	end.StartedAt = *status.StartTime
	if end.FinishedAt.IsZero() {
		end.FinishedAt = metav1.Now()
	}
	switch {
	case end.Message != "" || end.ExitCode == exitKilled:
	case end.ExitCode == exitTerminated:
		end.Message = Reported("SIGTERM")
	default:
		end.Message = Reported("")
	}
	SetContainer(status, corev1.ContainerState{Terminated: &end})
}

// Reported is what the runner of a test without results leaves at its end. The signal is the one that told it to stop; empty if
// none did.
func Reported(signal string) string {
	report := &results.Report{Final: true, Stopped: signal}
	return string(report.Encode(4096))
}

// SetContainer gives the test's container its state.
func SetContainer(status *corev1.PodStatus, state corev1.ContainerState) {
	status.ContainerStatuses = []corev1.ContainerStatus{{Name: "test", State: state}}
}

// Waiting is the state of a container that does not run yet.
func Waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

// SetCondition adds a condition.
func SetCondition(status *corev1.PodStatus, conditionType corev1.PodConditionType, value corev1.ConditionStatus, reason, message string) {
	status.Conditions = append(status.Conditions, corev1.PodCondition{
		Type: conditionType, Status: value, Reason: reason, Message: message, LastTransitionTime: metav1.Now(),
	})
}
