package testrun

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/internal/lifecycle"
)

// errStale means that the cache is behind the API server: the reconcile has to be repeated.
var errStale = errors.New("the cache is behind the API server")

// stop makes an attempt end and records why in the same write, so that no crash can separate the two.
//
// If the pod's test or its init containers run, there may be logs to keep, so the kubelet stops the pod. In all other cases suspending the
// Job deletes the pod. A time limit on that pod would not do: no kubelet looks at a pod without a node, and a kubelet that waits for a
// volume or an image looks at the limit only after it has started the container. See docs/decisions/stopping.md.
func (r *Reconciler) stop(ctx context.Context, seen lifecycle.Observation, why *lifecycle.State) error {
	if lifecycle.PodHasEnded(seen.Pod) && lifecycle.IsSuspended(seen.Job) && lifecycle.JobEnd(seen.Job) == nil {
		return r.patch(ctx, "suspending the Job", seen.Job, lifecycle.SuspendedJob(seen, why, r.Clock.Now())) // whoever suspended it might resume it
	}
	if lifecycle.PodHasEnded(seen.Pod) || lifecycle.StopOfPod(seen.Pod) != nil || lifecycle.StopOfJob(seen.Job) != nil {
		return nil
	}
	if lifecycle.MayHaveLogs(seen) {
		return r.patch(ctx, "stopping the pod", seen.Pod, lifecycle.StoppedPod(seen.Pod, why))
	}
	latest := seen
	pod, err := r.readPodUncached(ctx, seen.Job)
	if err != nil {
		return err
	}
	latest.Pod = pod
	latest.Resolve()
	if lifecycle.MayHaveLogs(latest) || lifecycle.PodHasEnded(latest.Pod) {
		return fmt.Errorf("the pod has just moved on: %w", errStale)
	}
	return r.patch(ctx, "suspending the Job", seen.Job, lifecycle.SuspendedJob(seen, why, r.Clock.Now()))
}

// patch changes the object, unless somebody else has changed it since it was read.
func (r *Reconciler) patch(ctx context.Context, doing string, from, to client.Object) error {
	if err := r.Client.Patch(ctx, to, client.MergeFromWithOptions(from, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
