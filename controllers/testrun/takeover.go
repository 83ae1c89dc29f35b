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

// openQueues reports every existing run to the queues, and then lets them decide. It learns from the API server which runs have Jobs,
// because the leader before this one may have created some a moment ago. See docs/decisions/admission.md.
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

// fillQueues reads from the API server, because the cache may be behind. Only the finished runs that keep a unique key come from the cache.
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
	found, err := r.jobsOf(ctx, runs) // after the runs, so that it holds the newest Jobs
	if err != nil {
		return err
	}
	for i := range runs {
		if !runs[i].DeletionTimestamp.IsZero() {
			continue // its Jobs and pods count, see fillLeftovers: the run itself starts nothing any more
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

// runsPerPage is how many runs are read at a time. Each may be as large as etcd allows, and takes several times that in memory.
const runsPerPage = 50

// unfinishedRuns reads the runs that have not finished, reduced to what the cache would hold of them.
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

// fill reports an unfinished run to the queues. job is its Job; nil if it has none.
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

// fillEnded reports to the queues the finished runs whose unique key may still count.
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
	// fewRuns is the number of runs up to which reading the Job of each takes a second or two at most.
	fewRuns = 500
)

// foundJobs are Jobs that the API server has reported.
type foundJobs struct {
	// jobs holds one Job for each run that has any, by the UID of the run.
	jobs map[types.UID]*batchv1.Job
	// all holds the Jobs that have not succeeded: those of these runs, and those of other runs that may still have a pod.
	all []*batchv1.Job
}

// jobsOf reads the Jobs of these runs from the API server, one for each run that has any, and remembers those of current attempts. Of some
// it reads only the metadata. The cache does not hold Jobs that have succeeded, and every kept run has one. So jobsOf does not list those,
// but reads them by name, unless many runs may have one. See docs/decisions/memory.md.
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

// listJobs adds to found the Jobs that the selector selects.
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

// eachMetadata calls visit with the metadata of each object of a run that the selector selects, as the API server has it.
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

// found adds the Job of the run to jobs. The Job of the current attempt takes precedence.
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
