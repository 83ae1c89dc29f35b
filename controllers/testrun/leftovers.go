package testrun

import (
	"context"
	"fmt"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobspec"
	"github.com/testrun-dev/testrun/internal/lifecycle"
	"github.com/testrun-dev/testrun/internal/runcache"
)

// leftovers keeps the slots of runs that are gone or have finished while their Job or pod may not have ended. An event about a Job or a pod
// only makes it look at a slot. Only the API server may say that a slot is free. See docs/decisions/admission.md.
type leftovers struct {
	r    *Reconciler
	work workqueue.TypedRateLimitingInterface[types.UID]

	mu sync.Mutex
	// slots holds the slots that are kept, by the name that the queues have for them. byRun holds these names by run.
	slots map[types.UID]*leftover
	byRun map[types.NamespacedName]map[types.UID]bool
	// creating holds the runs whose Job is being created: it is not known yet whether that Job exists.
	creating map[types.UID]bool
}

// leftover is what one slot is kept for: all Jobs and pods of a run, or one Job and its pods.
type leftover struct {
	run    types.NamespacedName
	runUID types.UID // empty if the slot is for one Job
	jobUID types.UID // empty if the slot is for a run
	// jobs are the Jobs that the API server has reported. Only the worker reads and writes them.
	jobs []types.UID
}

// slotOfJob names the slot that is kept for one Job.
func slotOfJob(job types.UID) types.UID { return "job/" + job }

// lookAgain is the time after which a slot is looked at without an event: one may have been lost. A look mostly reads only the cache.
const lookAgain = time.Minute

func newLeftovers(r *Reconciler) *leftovers {
	return &leftovers{
		r: r, slots: map[types.UID]*leftover{}, byRun: map[types.NamespacedName]map[types.UID]bool{}, creating: map[types.UID]bool{},
		work: workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[types.UID](firstRetry, lastRetry)),
	}
}

// keep keeps a slot from now on.
func (l *leftovers) keep(slot types.UID, kept *leftover) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slots[slot] = kept
	if l.byRun[kept.run] == nil {
		l.byRun[kept.run] = map[types.UID]bool{}
	}
	l.byRun[kept.run][slot] = true
	l.work.Add(slot)
}

func (l *leftovers) forget(slot types.UID, kept *leftover) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.slots, slot)
	delete(l.byRun[kept.run], slot)
	if len(l.byRun[kept.run]) == 0 {
		delete(l.byRun, kept.run)
	}
}

func (l *leftovers) kept(slot types.UID) *leftover {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.slots[slot]
}

// beginCreation marks that a Job of the run is being created, until over is called. Meanwhile the slot of the run is not free.
func (l *leftovers) beginCreation(run types.UID) (over func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.creating[run] = true
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.creating, run)
	}
}

func (l *leftovers) isCreating(run types.UID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.creating[run]
}

// wake queues the slots to which a Job or pod may belong.
func (l *leftovers) wake() toolscache.ResourceEventHandler {
	look := func(obj any) {
		if gone, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
			obj = gone.Obj
		}
		object, ok := obj.(client.Object)
		if !ok {
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		for slot := range l.byRun[types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetLabels()[v1alpha1.LabelRun]}] {
			l.work.Add(slot)
		}
	}
	return toolscache.ResourceEventHandlerFuncs{UpdateFunc: func(_, obj any) { look(obj) }, DeleteFunc: look}
}

// Start looks at the queued slots until ctx ends.
func (l *leftovers) Start(ctx context.Context) error {
	stop := context.AfterFunc(ctx, l.work.ShutDown)
	defer stop()
	for {
		slot, quit := l.work.Get()
		if quit {
			return nil
		}
		l.look(ctx, slot)
		l.work.Done(slot)
	}
}

// look frees a slot if nothing remains.
func (l *leftovers) look(ctx context.Context, slot types.UID) {
	kept := l.kept(slot)
	if kept == nil {
		return
	}
	if kept.runUID != "" && l.isCreating(kept.runUID) {
		l.work.AddAfter(slot, firstRetry)
		return
	}
	remains, err := l.remains(ctx, kept)
	switch {
	case err != nil:
		ctrl.LoggerFrom(ctx).Error(err, "Looking for what remains of a run", "namespace", kept.run.Namespace, "name", kept.run.Name)
		l.work.AddRateLimited(slot)
	case remains:
		l.work.Forget(slot)
		l.work.AddAfter(slot, lookAgain)
	default:
		l.work.Forget(slot)
		l.forget(slot, kept)
		l.r.Queues.LetGo(slot)
	}
}

// remains says whether a Job or pod has not ended. If the cache shows a pod that has not ended, that is enough: an event will follow when
// it ends.
func (l *leftovers) remains(ctx context.Context, kept *leftover) (bool, error) {
	for _, job := range kept.jobs {
		pods := &corev1.PodList{}
		ofJob := client.MatchingFields{runcache.PodsByJob: string(job)}
		if err := l.r.Client.List(ctx, pods, client.InNamespace(kept.run.Namespace), ofJob, client.UnsafeDisableDeepCopy); err != nil {
			return false, fmt.Errorf("listing pods: %w", err)
		}
		for i := range pods.Items {
			if !lifecycle.HasStopped(&pods.Items[i]) {
				return true, nil
			}
		}
	}
	kept.jobs = nil
	jobRemains, err := l.eachJob(ctx, kept)
	if err != nil || jobRemains {
		return jobRemains, err
	}
	return l.eachPod(ctx, kept)
}

// eachJob lists the Jobs from the API server, notes them in kept, and says whether one may still have a pod.
func (l *leftovers) eachJob(ctx context.Context, kept *leftover) (remains bool, err error) {
	for page := ""; ; {
		list := &batchv1.JobList{}
		if err := l.r.APIReader.List(ctx, list, client.InNamespace(kept.run.Namespace), client.MatchingLabels{v1alpha1.LabelRun: kept.run.Name},
			client.Limit(jobsPerPage), client.Continue(page)); err != nil {
			return false, fmt.Errorf("listing the Jobs: %w", err)
		}
		for i := range list.Items {
			job := &list.Items[i]
			if l.isOf(kept, job.UID, ownerOf(job), job.Spec.Template.Spec) {
				kept.jobs = append(kept.jobs, job.UID)
				remains = remains || mayHavePods(job)
			}
		}
		if page = list.Continue; page == "" {
			return remains, nil
		}
	}
}

// eachPod asks the API server whether a pod has not ended.
func (l *leftovers) eachPod(ctx context.Context, kept *leftover) (remains bool, err error) {
	for page := ""; ; {
		list := &corev1.PodList{}
		if err := l.r.APIReader.List(ctx, list, client.InNamespace(kept.run.Namespace), client.MatchingLabels{v1alpha1.LabelRun: kept.run.Name},
			client.Limit(jobsPerPage), client.Continue(page)); err != nil {
			return false, fmt.Errorf("listing the pods: %w", err)
		}
		for i := range list.Items {
			pod := &list.Items[i]
			job := types.UID(pod.Labels[batchv1.ControllerUidLabel])
			if !lifecycle.HasStopped(pod) && l.isOf(kept, job, "", pod.Spec) {
				kept.jobs = append(kept.jobs, job)
				return true, nil
			}
		}
		if page = list.Continue; page == "" {
			return false, nil
		}
	}
}

// isOf says whether the slot is kept for this Job, or for the Job of this pod. If a run was deleted without its Job, the Job has no owner
// any more, and a pod may have lost its Job. But their containers are told the run's UID. No Job counts for two slots.
func (l *leftovers) isOf(kept *leftover, job, owner types.UID, spec corev1.PodSpec) bool {
	if kept.runUID == "" {
		return job == kept.jobUID
	}
	return (owner == kept.runUID || jobspec.RunUIDIn(spec) == kept.runUID) && l.kept(slotOfJob(job)) == nil
}

func ownerOf(object metav1.Object) types.UID {
	if owner := metav1.GetControllerOf(object); owner != nil {
		return owner.UID
	}
	return ""
}

// mayHavePods says whether the Job may still get a pod. A Job that is being deleted gets none, and neither does one that was stopped: see
// lifecycle.SuspendedJob.
func mayHavePods(job *batchv1.Job) bool {
	return job.DeletionTimestamp.IsZero() && lifecycle.JobEnd(job) == nil && ptr.Deref(job.Spec.Parallelism, 1) > 0
}
