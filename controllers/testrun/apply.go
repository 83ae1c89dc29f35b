package testrun

import (
	"context"
	"fmt"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobspec"
	"github.com/testrun-dev/testrun/internal/lifecycle"
)

// afterRefusal says when to ask the API server again: less and less often, until timeouts.start is over. A final refusal has ended the run.
// A refusal, such as a full quota, is not an error of the operator: the transition has been announced, so more is only logged at V(1).
func afterRefusal(ctx context.Context, seen lifecycle.Observation, status v1alpha1.TestRunStatus, refused *jobspec.Refusal, now time.Time) reconcile.Result {
	if refused.Final {
		return reconcile.Result{}
	}
	log.FromContext(ctx).V(1).Info("The API server has refused the Job", "reason", refused.Reason, "cause", refused.Error())
	wait := lastRetry
	if since := lifecycle.CurrentAttempt(status).CreateTime; since != nil {
		wait = min(max(now.Sub(since.Time), firstRefusalRetry), lastRetry)
	}
	if deadline, _ := lifecycle.StartDeadline(seen); !deadline.IsZero() {
		wait = min(wait, max(deadline.Sub(now), firstRetry))
	}
	return reconcile.Result{RequeueAfter: wait}
}

// apply carries out what the plan says about the children of the run, and nothing else.
func (r *Reconciler) apply(ctx context.Context, seen lifecycle.Observation, plan lifecycle.Plan) error {
	if plan.LeaveKueue != nil {
		if err := r.patch(ctx, "taking the stopped Job out of Kueue's queue", plan.LeaveKueue, lifecycle.WithoutPods(plan.LeaveKueue)); err != nil {
			return err
		}
	}
	switch {
	case plan.Create != 0:
		return r.Lease.WhileLeading(ctx, func(ctx context.Context) error { return r.createJob(ctx, seen, plan.Create) })
	case plan.Stop != nil:
		return r.stop(ctx, seen, plan.Stop)
	case plan.StopHelpers:
		return r.patch(ctx, "stopping the helpers", seen.Pod, lifecycle.PodWithoutHelpers(seen.Pod))
	default:
		return nil
	}
}

// createJob creates the Job of an attempt, once. The name of the Job is fixed, so the API server refuses a second creation. Whether the
// attempt is still to be made is read from the API server right before, not from the cache. See docs/decisions/one-job-per-attempt.md.
func (r *Reconciler) createJob(ctx context.Context, seen lifecycle.Observation, attempt int32) error {
	defer r.leftovers.beginCreation(seen.Run.UID)()
	run := seen.Run
	whole, err := r.readWhole(ctx, seen)
	if err != nil {
		return err
	}
	job, err := jobspec.Render(whole.Request, r.program(ctx), attempt)
	if err != nil {
		return err
	}
	err = r.Client.Create(ctx, job)
	switch {
	case err == nil:
		r.jobsSeen.Add(attemptOf(run), nil)
		log.FromContext(ctx).Info("Created the Job", "job", job.Name)
		if job.Labels[v1alpha1.LabelAttempt] == strconv.Itoa(jobspec.FirstAttempt) { // the Jobs of further attempts have the same references
			r.warnOfReferences(run, job)
		}
		return nil
	case apierrors.IsAlreadyExists(err):
		return r.whoseJob(ctx, run, job.Name)
	case apierrors.IsInvalid(err), apierrors.IsRequestEntityTooLargeError(err):
		return &jobspec.Refusal{Reason: v1alpha1.ReasonJobInvalid, Final: true, Err: err}
	case apierrors.IsForbidden(err), apierrors.IsBadRequest(err):
		return &jobspec.Refusal{Reason: lifecycle.ReasonOfRefusal(err.Error(), v1alpha1.ReasonJobRefused), Final: false, Err: err}
	case apierrors.IsInternalError(err): // an admission webhook does not answer, for instance Kueue's
		return &jobspec.Refusal{Reason: v1alpha1.ReasonJobRefused, Final: false, Err: err}
	default:
		return fmt.Errorf("creating the Job: %w", err)
	}
}

// program is the runner for a Job that is made now, with the key that the archive has now.
func (r *Reconciler) program(ctx context.Context) jobspec.Runner {
	program := r.Runner
	if r.Archive != nil {
		program.Archive = r.Archive(ctx)
	}
	return program
}

// whoseJob finds out to whom the Job belongs that already has the attempt's name. It may be the run's own, which the cache does not hold
// yet or any more. It may belong to a deleted run of the same name, and is about to go. Or it is somebody else's.
func (r *Reconciler) whoseJob(ctx context.Context, run *v1alpha1.TestRun, name string) error {
	job := &batchv1.Job{}
	if err := r.APIReader.Get(ctx, client.ObjectKey{Namespace: run.Namespace, Name: name}, job); err != nil {
		return fmt.Errorf("reading the Job: %w", err)
	}
	owner := metav1.GetControllerOf(job)
	switch {
	case owner != nil && owner.UID == run.UID:
		r.jobsSeen.Add(attemptOf(run), nil)
		return fmt.Errorf("the run has its Job: %w", errStale)
	case owner != nil && owner.Kind == "TestRun" && owner.Name == run.Name:
		return &jobspec.Refusal{Reason: v1alpha1.ReasonJobNameTaken, Final: false, Err: fmt.Errorf("the name %s still belongs to the Job of a deleted run of the same name", name)}
	default:
		return &jobspec.Refusal{
			Reason: v1alpha1.ReasonJobNameTaken, Final: true,
			Err: fmt.Errorf("the name %s belongs to a Job that is not this run's: delete it, or give the run another name", name),
		}
	}
}
