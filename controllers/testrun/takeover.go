package testrun

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobspec"
	"github.com/testrun-dev/testrun/internal/lifecycle"
	"github.com/testrun-dev/testrun/internal/runcache"
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
	runs, err := r.unfinishedRuns(ctx)
	if err != nil {
		return err
	}
	found, err := r.jobsOf(ctx, runs) // after the runs, so that it holds what was made last
	if err != nil {
		return err
	}
	for i := range runs {
		if !runs[i].DeletionTimestamp.IsZero() {
			continue // what it has counts, and not the run: it starts nothing any more
		}
		if err := r.fill(ctx, &runs[i], found.jobs[runs[i].UID]); err != nil {
			return err
		}
	}
	if err := r.fillLeftovers(ctx, runs, found.all); err != nil {
		return err
	}
	return r.fillEnded(ctx)
}

// runsPerPage is how many runs are read at a time. Each may be as large as etcd takes, and a multiple of that in memory.
const runsPerPage = 50

// unfinishedRuns reads the runs that have not finished, as the cache would hold them.
func (r *Reconciler) unfinishedRuns(ctx context.Context) ([]v1alpha1.TestRun, error) {
	unfinished := client.MatchingFieldsSelector{Selector: fields.OneTermNotEqualSelector("status.phase", string(v1alpha1.PhaseFinished))}
	var runs []v1alpha1.TestRun
	for page := ""; ; {
		list := &v1alpha1.TestRunList{}
		if err := r.APIReader.List(ctx, list, unfinished, client.Limit(runsPerPage), client.Continue(page)); err != nil {
			return nil, fmt.Errorf("listing the runs: %w", err)
		}
		for i := range list.Items {
			stripped, err := runcache.StripRun(&list.Items[i])
			if err != nil {
				return nil, err
			}
			runs = append(runs, *stripped.(*v1alpha1.TestRun))
		}
		if page = list.Continue; page == "" {
			return runs, nil
		}
	}
}

// fill tells the queues of a run that has not finished, and has that Job; nil is none.
func (r *Reconciler) fill(ctx context.Context, run *v1alpha1.TestRun, job *batchv1.Job) (err error) {
	seen := lifecycle.Observation{Request: jobspec.Request{Run: run}, Job: job}
	if job == nil {
		if seen.Asked, err = r.readAsked(ctx, run); err != nil {
			return err
		}
		if seen.Test, err = r.readTest(ctx, run.Namespace, seen.Asked.TestRef); err != nil {
			return err
		}
	}
	seen.Resolve()
	r.reportToQueue(seen)
	return nil
}

// fillEnded tells the queues of the finished runs whose unique key may still count.
func (r *Reconciler) fillEnded(ctx context.Context) error {
	runs := &v1alpha1.TestRunList{}
	if err := r.Client.List(ctx, runs, client.MatchingFields{runcache.KeepsUniqueKey: "true"}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing the finished runs: %w", err)
	}
	for i := range runs.Items {
		r.reportToQueue(lifecycle.Observation{Request: jobspec.Request{Run: &runs.Items[i]}})
	}
	return nil
}

const (
	// jobsPerPage is how many Jobs are read at a time.
	jobsPerPage = 500
	// fewRuns are so many that to read the Job of each takes no longer than a second or two.
	fewRuns = 500
)

// foundJobs are Jobs that the API server has told of.
type foundJobs struct {
	// jobs has one for each run that has any, by the UID of the run.
	jobs map[types.UID]*batchv1.Job
	// all are those that have not succeeded: of these runs, and of others if they may still have a pod.
	all []*batchv1.Job
}

// jobsOf asks the API server for the Jobs of these runs, one for each run that has any, and remembers those of their attempts: the
// cache does not have those that have succeeded. Of some only the metadata is known. Every run that is kept has a Job that has
// succeeded, so those are not listed unless many runs may have one: they are asked for by name.
func (r *Reconciler) jobsOf(ctx context.Context, runs []v1alpha1.TestRun) (*foundJobs, error) {
	found := &foundJobs{jobs: map[types.UID]*batchv1.Job{}}
	if err := r.listJobs(ctx, runs, runcache.HasNotSucceeded, found); err != nil {
		return nil, err
	}
	var unknown []*v1alpha1.TestRun
	for i := range runs {
		if !isCurrent(found.jobs[runs[i].UID], &runs[i]) {
			unknown = append(unknown, &runs[i])
		}
	}
	if len(unknown) > fewRuns {
		return found, r.listJobs(ctx, runs, runcache.HasSucceeded, &foundJobs{jobs: found.jobs})
	}
	for _, run := range unknown {
		job, err := ownJob(ctx, r.APIReader, run, lifecycle.CurrentAttempt(run.Status).Number)
		if last := lifecycle.LastEnded(run.Status); job == nil && err == nil && last != nil && found.jobs[run.UID] == nil {
			job, err = ownJob(ctx, r.APIReader, run, last.Number)
		}
		if err != nil {
			return nil, err
		}
		if job != nil {
			r.found(run, job, found.jobs)
		}
	}
	return found, nil
}

// listJobs adds to found those that the selector selects.
func (r *Reconciler) listJobs(ctx context.Context, runs []v1alpha1.TestRun, which fields.Selector, found *foundJobs) error {
	byUID := make(map[types.UID]*v1alpha1.TestRun, len(runs))
	for i := range runs {
		byUID[runs[i].UID] = &runs[i]
	}
	return r.eachMetadata(ctx, batchv1.SchemeGroupVersion.WithKind("JobList"), which, func(metadata metav1.ObjectMeta) {
		job := &batchv1.Job{ObjectMeta: metadata}
		run := byUID[ownerOf(job)]
		if run != nil {
			r.found(run, job, found.jobs)
		}
		if run != nil || r.mayHavePods(ctx, job) {
			found.all = append(found.all, job)
		}
	})
}

// eachMetadata asks the API server for the objects of all runs that the selector selects.
func (r *Reconciler) eachMetadata(ctx context.Context, list schema.GroupVersionKind, which fields.Selector, visit func(metav1.ObjectMeta)) error {
	for page := ""; ; {
		objects := &metav1.PartialObjectMetadataList{}
		objects.SetGroupVersionKind(list)
		err := r.APIReader.List(ctx, objects, client.HasLabels{v1alpha1.LabelRun}, client.MatchingFieldsSelector{Selector: which},
			client.Limit(jobsPerPage), client.Continue(page))
		if err != nil {
			return fmt.Errorf("listing %s: %w", list.Kind, err)
		}
		for i := range objects.Items {
			visit(objects.Items[i].ObjectMeta)
		}
		if page = objects.Continue; page == "" {
			return nil
		}
	}
}

// found adds the Job of the run to jobs. That of the current attempt is the one that counts.
func (r *Reconciler) found(run *v1alpha1.TestRun, job *batchv1.Job, jobs map[types.UID]*batchv1.Job) {
	switch {
	case isCurrent(job, run):
		r.jobsSeen.Add(attemptOf(run), nil)
		jobs[run.UID] = job
	case jobs[run.UID] == nil:
		jobs[run.UID] = job
	}
}

// isCurrent says whether this is the Job of the run's current attempt.
func isCurrent(job *batchv1.Job, run *v1alpha1.TestRun) bool {
	return job != nil && job.Name == jobspec.JobName(run, lifecycle.CurrentAttempt(run.Status).Number)
}
