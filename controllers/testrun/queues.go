package testrun

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// openQueues tells the queues of every run that there is, and then lets them decide. What has started is known from the Jobs as
// the API server has them, since a controller before this one may have made them a moment ago.
func (r *Reconciler) openQueues(ctx context.Context) error {
	for {
		err := r.fillQueues(ctx)
		if err == nil {
			r.Queues.Open()
			return nil
		}
		ctrl.LoggerFrom(ctx).Error(err, "Filling the queues; trying again")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// fillQueues believes nothing of the cache but which finished runs keep a unique key: a cache may be behind.
func (r *Reconciler) fillQueues(ctx context.Context) error {
	queues := &v1alpha1.TestQueueList{}
	if err := r.APIReader.List(ctx, queues); err != nil {
		return fmt.Errorf("listing the TestQueues: %w", err)
	}
	for _, queue := range queues.Items {
		r.Queues.SetQueue(queue.Name, &queue.Spec)
	}
	runs := &v1alpha1.TestRunList{}
	unfinished := fields.OneTermNotEqualSelector("status.phase", string(v1alpha1.PhaseFinished))
	if err := r.APIReader.List(ctx, runs, client.MatchingFieldsSelector{Selector: unfinished}); err != nil {
		return fmt.Errorf("listing the runs: %w", err)
	}
	jobs, err := r.jobsByRun(ctx) // after the runs, so that it holds what was made last
	if err != nil {
		return err
	}
	for i := range runs.Items {
		seen := observation{run: &runs.Items[i], job: jobs[runs.Items[i].UID]}
		if seen.job == nil {
			if seen.asked, err = r.readAsked(ctx, seen.run); err != nil {
				return err
			}
			if seen.test, err = r.readTest(ctx, seen.run.Namespace, seen.asked.TestRef); err != nil {
				return err
			}
		}
		r.reportToQueue(seen)
	}
	return r.fillEnded(ctx)
}

// fillEnded tells the queues of the finished runs whose unique key may still count.
func (r *Reconciler) fillEnded(ctx context.Context) error {
	runs := &v1alpha1.TestRunList{}
	if err := r.Client.List(ctx, runs, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing the finished runs: %w", err)
	}
	for i := range runs.Items {
		if run := &runs.Items[i]; run.Status.Phase == v1alpha1.PhaseFinished && run.Spec.Unique.Window != nil {
			r.reportToQueue(observation{run: run})
		}
	}
	return nil
}

// jobsPerPage is how many Jobs are read at a time.
const jobsPerPage = 500

// jobsByRun asks the API server for the Jobs of runs. Of each only the metadata is known.
func (r *Reconciler) jobsByRun(ctx context.Context) (map[types.UID]*batchv1.Job, error) {
	jobs := map[types.UID]*batchv1.Job{}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(batchv1.SchemeGroupVersion.WithKind("JobList"))
	for page := ""; ; {
		err := r.APIReader.List(ctx, list, client.HasLabels{v1alpha1.LabelRun}, client.Limit(jobsPerPage), client.Continue(page))
		if err != nil {
			return nil, fmt.Errorf("listing the Jobs: %w", err)
		}
		for i := range list.Items {
			if owner := metav1.GetControllerOf(&list.Items[i]); owner != nil {
				jobs[owner.UID] = &batchv1.Job{ObjectMeta: list.Items[i].ObjectMeta}
			}
		}
		if page = list.Continue; page == "" {
			return jobs, nil
		}
	}
}

// leavesQueue has the queues forget a run that is deleted.
func (r *Reconciler) leavesQueue() toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{DeleteFunc: func(obj any) {
		if gone, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
			obj = gone.Obj
		}
		if run, ok := obj.(*v1alpha1.TestRun); ok {
			r.Queues.Gone(run.UID)
		}
	}}
}
