package faults

import (
	"context"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/history"
	"github.com/testrun-dev/testrun/test/node"
)

// execution is what becomes of the pod of one attempt, if nobody stops it.
type execution struct {
	// fits says that there is a node for the pod.
	fits bool
	// takes is how long the test runs.
	takes time.Duration
	// stops is how much longer than a moment it takes to stop.
	stops time.Duration
	// end is how it ends.
	end func(*corev1.PodStatus)
	// catches says that the test catches the signal by which it is told to stop, and exits with 0.
	catches bool
}

const (
	moment  = 300 * time.Millisecond
	forEver = time.Hour
)

func exits(code int32) execution {
	return execution{fits: true, takes: moment, end: func(status *corev1.PodStatus) {
		node.SetExit(status, corev1.ContainerStateTerminated{ExitCode: code})
	}}
}

var (
	runsForEver = execution{fits: true, takes: forEver}
	// lingers takes its time to stop when it is told to.
	lingers = execution{fits: true, takes: forEver, stops: 2 * time.Second}
	// lasts runs on for a while whatever becomes of its run.
	lasts = execution{fits: true, takes: 4 * time.Second, end: exits(0).end}
	// catchesTheStop never ends by itself, and ends as if all were well when it is told to stop.
	catchesTheStop = execution{fits: true, takes: forEver, catches: true}
	fitsNowhere    = execution{}
	// evicted is what a kubelet does that runs short of memory.
	evicted = execution{fits: true, takes: moment, end: func(status *corev1.PodStatus) {
		status.Reason, status.Message = "Evicted", "The node was low on resource: memory"
		node.SetCondition(status, corev1.DisruptionTarget, corev1.ConditionTrue, corev1.PodReasonTerminationByKubelet, status.Message)
		node.SetExit(status, corev1.ContainerStateTerminated{ExitCode: 137})
	}}
)

// kubelet is the scheduler and the kubelet of a namespace. It does at most what those do, and obeys as they do: a pod that is
// deleted is stopped, reported and taken away, and one that is over its time limit is stopped and kept.
type kubelet struct {
	history *history.History
	// plan says what becomes of the pods of a run: one execution for each attempt.
	plan func(run string) []execution
	// written holds what this kubelet wrote last, which its watch may not have told yet.
	written map[types.UID]*corev1.Pod
	// started is when the test of a pod began, told when it was told to stop.
	started, told map[types.UID]time.Time
}

// work looks after all pods until the context ends.
func (k *kubelet) work(ctx context.Context) {
	k.written, k.started, k.told = map[types.UID]*corev1.Pod{}, map[types.UID]time.Time{}, map[types.UID]time.Time{}
	for {
		next := k.history.Next()
		wait := time.Hour
		for _, pod := range living[*corev1.Pod](k.history, "") {
			if written := k.written[pod.UID]; written != nil && history.RevisionOf(written) > history.RevisionOf(pod) {
				pod = written
			}
			if hasEnded(pod) && pod.DeletionTimestamp == nil {
				continue
			}
			wait = min(wait, k.look(ctx, pod.DeepCopy()))
		}
		select {
		case <-next:
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// look does the next thing for the pod, if it is time, and says when to look again.
func (k *kubelet) look(ctx context.Context, pod *corev1.Pod) time.Duration {
	execution := k.executionOf(pod)
	switch {
	case pod.DeletionTimestamp != nil && pod.Spec.NodeName != "":
		return k.takeAway(ctx, pod)
	case pod.DeletionTimestamp != nil:
		return forEver
	case !execution.fits && len(pod.Status.Conditions) > 0:
		return forEver
	case !execution.fits:
		return k.report(ctx, pod, func(status *corev1.PodStatus) {
			status.StartTime = nil // no kubelet has seen it
			node.SetCondition(status, corev1.PodScheduled, corev1.ConditionFalse, corev1.PodReasonUnschedulable, "0/1 nodes are available")
		})
	case pod.Spec.NodeName == "":
		_ = node.Bind(ctx, apiserver.Client, pod) // the watch tells
		return forEver
	case k.started[pod.UID].IsZero():
		k.started[pod.UID] = time.Now()
		return k.report(ctx, pod, node.SetRunning)
	}
	left := time.Until(k.started[pod.UID].Add(execution.takes))
	limit := time.Until(pod.Status.StartTime.Add(time.Duration(ptr.Deref(pod.Spec.ActiveDeadlineSeconds, 1<<20)) * time.Second))
	switch {
	case limit <= 0:
		return k.stop(ctx, pod, "DeadlineExceeded")
	case left <= 0:
		return k.report(ctx, pod, execution.end)
	default:
		return min(left, limit)
	}
}

func (k *kubelet) executionOf(pod *corev1.Pod) execution {
	plan := k.plan(pod.Labels[v1alpha1.LabelRun])
	attempt, err := strconv.Atoi(pod.Labels[v1alpha1.LabelAttempt])
	if err != nil || attempt > len(plan) {
		return runsForEver // nobody asked for this attempt: let it be seen
	}
	return plan[attempt-1]
}

// takeAway stops a pod that is being deleted, and then lets it go.
func (k *kubelet) takeAway(ctx context.Context, pod *corev1.Pod) time.Duration {
	if !k.started[pod.UID].IsZero() && !hasEnded(pod) {
		return k.stop(ctx, pod, "")
	}
	if ptr.Deref(pod.DeletionGracePeriodSeconds, 0) > 0 {
		_ = apiserver.Client.Delete(ctx, pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &pod.UID})
	}
	return forEver
}

// stop tells the test to stop, which takes it a moment.
func (k *kubelet) stop(ctx context.Context, pod *corev1.Pod, reason string) time.Duration {
	if k.told[pod.UID].IsZero() {
		k.told[pod.UID] = time.Now()
	}
	if left := time.Until(k.told[pod.UID].Add(moment + k.executionOf(pod).stops)); left > 0 {
		return left
	}
	return k.report(ctx, pod, func(status *corev1.PodStatus) {
		end := corev1.ContainerStateTerminated{ExitCode: 143}
		if k.executionOf(pod).catches {
			end = corev1.ContainerStateTerminated{ExitCode: 0, Message: node.Reported("SIGTERM")}
		}
		node.SetExit(status, end)
		if status.Reason = reason; reason != "" {
			status.Phase = corev1.PodFailed // whatever the exit code
		}
	})
}

// report stores the status, and tries again in a moment if it could not.
func (k *kubelet) report(ctx context.Context, pod *corev1.Pod, change func(*corev1.PodStatus)) time.Duration {
	switch err := node.Report(ctx, apiserver.Client, pod, change); {
	case apierrors.IsNotFound(err):
		return forEver
	case err != nil:
		return moment
	}
	k.written[pod.UID] = pod
	return 0
}

func hasEnded(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
