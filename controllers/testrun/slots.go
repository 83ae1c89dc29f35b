package testrun

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/admission"
	"github.com/testrun-dev/testrun/internal/jobspec"
	"github.com/testrun-dev/testrun/internal/lifecycle"
)

// The slot of a run that is gone or has finished.

// deletedRun reports deleted runs to the queues.
func (r *Reconciler) deletedRun() toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{DeleteFunc: func(obj any) {
		if gone, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
			obj = gone.Obj
		}
		if run, ok := obj.(*v1alpha1.TestRun); ok {
			r.runEnds(run, nil, true)
		}
	}}
}

// leavesQueue reports to the queues that a run has finished. Its slot is free only once its pod has ended, too: the pod may have been
// deleted with a long grace period, or have lost its Job.
func (r *Reconciler) leavesQueue(seen lifecycle.Observation) {
	r.runEnds(seen.Run, seen.EndedEntry(), lifecycle.MayRemain(seen))
}

// runEnds reports to the queues that the run is gone or has finished. If a Job or pod may remain, it keeps the slot.
func (r *Reconciler) runEnds(run *v1alpha1.TestRun, end *admission.Run, mayRemain bool) {
	if slot, keeps := r.Queues.Ends(run.UID, end, mayRemain); keeps {
		r.leftovers.keep(slot, &leftover{run: types.NamespacedName{Namespace: run.Namespace, Name: run.Name}, runUID: run.UID})
	}
}

// hasNotEnded selects the pods that have not ended.
var hasNotEnded = fields.AndSelectors(
	fields.OneTermNotEqualSelector("status.phase", string(corev1.PodSucceeded)),
	fields.OneTermNotEqualSelector("status.phase", string(corev1.PodFailed)),
)

// fillLeftovers reports to the queues each Job and pod that has not ended although its run is gone or has finished: only an earlier leader
// may have known that run. Those of unfinished runs count with their run.
func (r *Reconciler) fillLeftovers(ctx context.Context, runs []v1alpha1.TestRun, jobs []*batchv1.Job) error {
	counts := map[types.UID]bool{}
	for i := range runs {
		counts[runs[i].UID] = runs[i].DeletionTimestamp.IsZero() && !r.Queues.IsGone(runs[i].UID)
	}
	jobsOfRuns := map[types.UID]bool{}
	for _, job := range jobs {
		if counts[ownerOf(job)] {
			jobsOfRuns[job.UID] = true
		} else if r.mayHavePods(ctx, job) && !r.hasFinished(ctx, job.ObjectMeta, ownerOf(job)) {
			r.claim(job.UID, job.ObjectMeta)
		}
	}
	return r.eachMetadata(ctx, corev1.SchemeGroupVersion.WithKind("PodList"), hasNotEnded, func(pod metav1.ObjectMeta) {
		if job := types.UID(pod.Labels[batchv1.ControllerUidLabel]); !jobsOfRuns[job] && !r.isGivenUp(ctx, pod) {
			r.claim(job, pod)
		}
	})
}

// claim keeps a slot for a Job and its pods. found is the metadata of the Job or of a pod. A pod without a Job is not ours.
func (r *Reconciler) claim(job types.UID, found metav1.ObjectMeta) {
	if job == "" {
		return
	}
	run := types.NamespacedName{Namespace: found.Namespace, Name: found.Labels[v1alpha1.LabelRun]}
	kept := jobspec.QueueingIn(found.Annotations)
	r.Queues.Claim(slotOfJob(job), admission.Run{
		Key: admission.Key{Namespace: run.Namespace, Name: run.Name}, Queue: kept.Queue, Created: found.CreationTimestamp.Time,
		Concurrency: admission.Concurrency{Key: kept.Key, Limit: kept.Max},
	})
	r.leftovers.keep(slotOfJob(job), &leftover{run: run, jobUID: job})
}

// mayHavePods says whether the Job, of which only the metadata is known, may still get a pod. If the cache shows that the Job has ended or
// was stopped, that is enough, because neither can be undone.
func (r *Reconciler) mayHavePods(ctx context.Context, job *batchv1.Job) bool {
	cached := &batchv1.Job{}
	if r.Client.Get(ctx, client.ObjectKeyFromObject(job), cached) == nil && cached.UID == job.UID {
		return mayHavePods(cached)
	}
	return job.DeletionTimestamp.IsZero()
}

// hasFinished says whether the run exists and has finished. Then its Job is stopped, and only its pods count.
func (r *Reconciler) hasFinished(ctx context.Context, object metav1.ObjectMeta, owner types.UID) bool {
	run := r.cachedRun(ctx, object)
	return run != nil && run.UID == owner && run.Status.Phase == v1alpha1.PhaseFinished
}

// isGivenUp says whether the pod is that of a run which ended because the pod's node was silent: see lifecycle.MayRemain.
func (r *Reconciler) isGivenUp(ctx context.Context, pod metav1.ObjectMeta) bool {
	run := r.cachedRun(ctx, pod)
	if run == nil || run.Status.Phase != v1alpha1.PhaseFinished {
		return false
	}
	last := lifecycle.CurrentAttempt(run.Status)
	return last.Reason == v1alpha1.ReasonNodeUnreachable && last.Job == pod.Labels[batchv1.JobNameLabel]
}

func (r *Reconciler) cachedRun(ctx context.Context, object metav1.ObjectMeta) *v1alpha1.TestRun {
	run := &v1alpha1.TestRun{}
	if r.Client.Get(ctx, client.ObjectKey{Namespace: object.Namespace, Name: object.Labels[v1alpha1.LabelRun]}, run) != nil {
		return nil
	}
	return run
}

// reportToQueue reports the run as it is seen to its queue, and returns what is decided about it.
func (r *Reconciler) reportToQueue(seen lifecycle.Observation) admission.Turn {
	if seen.Run.Status.Phase == v1alpha1.PhaseFinished {
		r.leavesQueue(seen)
		return admission.Turn{}
	}
	entry, ok := seen.QueueEntry()
	if !ok {
		return admission.Turn{}
	}
	return r.Queues.Report(entry)
}
