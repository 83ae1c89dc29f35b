package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/jobspec"
	"github.com/testrun-dev/testrun/internal/push"
)

const (
	// readTime is how long reading a log may take, and followTime how long it is followed that still grows, since its pod is being deleted.
	readTime   = 30 * time.Second
	followTime = 45 * time.Second
)

var errStillRuns = errors.New("the test's container has not ended yet")

var outputStream = push.Stream{Kind: push.Output}

// read keeps what the pod's log has and the archive has not. The note says what is missing for good, and why. An error may pass.
func (k *KubeletLogs) read(ctx context.Context, attempt archive.UnsettledAttempt) (note string, err error) {
	state, err := k.Store.Stream(ctx, attempt.UID, attempt.Attempt.Number, outputStream)
	if err != nil && !errors.Is(err, archive.ErrNotFound) {
		return "", fmt.Errorf("reading what is kept of the output: %w", err)
	}
	if state.Verified || state.Altered {
		return "", nil
	}
	if attempt.Attempt.Pod == "" || attempt.Attempt.Started.IsZero() && !attempt.Attempt.Finished.IsZero() {
		return "", nil // the test has never run, so there is no output
	}
	pod, err := k.Pods.Pods(attempt.Namespace).Get(ctx, attempt.Attempt.Pod, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return k.missing(state, "pod "+attempt.Attempt.Pod+" is gone, and its log with it"), nil
	}
	if err != nil {
		return "", fmt.Errorf("reading pod %s: %w", attempt.Attempt.Pod, err)
	}
	if uid := jobspec.RunUIDIn(pod.Spec); string(uid) != attempt.UID {
		return k.missing(state, "pod "+pod.Name+" is another one now"), nil
	}
	return k.readPod(ctx, attempt, state, pod)
}

// readPod does the same when the pod is there.
func (k *KubeletLogs) readPod(
	ctx context.Context, attempt archive.UnsettledAttempt, state archive.StreamState, pod *corev1.Pod,
) (note string, err error) {
	container, status := testContainerOf(pod, attempt.Attempt)
	hasEnded, isGoing := status.State.Terminated != nil, pod.DeletionTimestamp != nil
	switch {
	case status.State.Running == nil && !hasEnded:
		return "", nil // it never ran, so there is no output
	case !hasEnded && !isGoing && !k.isTooLate(attempt):
		return "", errStillRuns
	case !hasEnded && !isGoing:
		note = k.missing(state, "the test's container still ran when its log was read")
	}
	log, cut, err := k.readLog(ctx, pod, container, !hasEnded && isGoing)
	if apierrors.IsNotFound(err) {
		return k.missing(state, "pod "+pod.Name+" is gone, and its log with it"), nil
	}
	if err != nil {
		return "", fmt.Errorf("the kubelet of node %s: %w", pod.Spec.NodeName, err)
	}
	if problem, err := k.keep(ctx, attempt, state, log, cut); err != nil || problem != "" {
		return problem, err
	}
	return note, nil
}

// missing is a note that says from where on output is missing, and why.
func (k *KubeletLogs) missing(state archive.StreamState, cause string) string {
	k.Metrics.notRead()
	if state.Stored == 0 {
		return "output: nothing of it was pushed, and " + cause
	}
	return fmt.Sprintf("output: what followed the first %d bytes, but for what is kept of it, was not pushed, and %s", state.Length, cause)
}

// readLog reads the log of a container, and says whether it is longer than the limit. With follow it reads until the container has ended.
func (k *KubeletLogs) readLog(ctx context.Context, pod *corev1.Pod, container string, follow bool) (log []byte, cut bool, err error) {
	limit, patience := k.MaxLog+1, readTime
	if follow {
		patience = followTime
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stream, err := k.Pods.Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
		Container: container, LimitBytes: &limit, Follow: follow,
	}).Stream(ctx)
	if err != nil {
		return nil, false, err
	}
	defer stream.Close()
	log, err = io.ReadAll(io.LimitReader(stream, limit))
	if err != nil && !(follow && len(log) > 0) { // what was read of a pod that is being deleted cannot be read again
		return nil, false, err
	}
	if cut = int64(len(log)) > k.MaxLog; cut {
		log = log[:k.MaxLog]
	}
	return log, cut, nil
}

// testContainerOf picks the container that is the test, by the runner in it. Without a runner it is the one that ended as the attempt says, or
// else one that has not ended, or else the first.
func testContainerOf(pod *corev1.Pod, attempt archive.Attempt) (name string, status corev1.ContainerStatus) {
	statuses := pod.Status.ContainerStatuses
	choices := []func(corev1.ContainerStatus) bool{
		func(each corev1.ContainerStatus) bool {
			end := each.State.Terminated
			return end != nil && attempt.ExitCode != nil && end.ExitCode == *attempt.ExitCode && end.StartedAt.Time.Equal(attempt.Started)
		},
		func(each corev1.ContainerStatus) bool { return each.State.Running != nil },
		func(each corev1.ContainerStatus) bool { return each.Name == pod.Spec.Containers[0].Name },
	}
	if name = jobspec.RunnerContainerIn(pod.Spec); name != "" {
		choices = []func(corev1.ContainerStatus) bool{func(each corev1.ContainerStatus) bool { return each.Name == name }}
	}
	for _, is := range choices {
		if i := slices.IndexFunc(statuses, is); i >= 0 {
			return statuses[i].Name, statuses[i]
		}
	}
	return name, corev1.ContainerStatus{}
}
