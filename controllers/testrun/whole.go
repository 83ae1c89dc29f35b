package testrun

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// readWhole reads from the API server what the cache holds in part: the run, and its Test. They must be those that were decided about.
func (r *Reconciler) readWhole(ctx context.Context, seen observation) (observation, error) {
	run := &v1alpha1.TestRun{}
	if err := r.APIReader.Get(ctx, client.ObjectKeyFromObject(seen.run), run); err != nil {
		return seen, fmt.Errorf("reading the run: %w", err)
	}
	if run.UID != seen.run.UID || run.ResourceVersion != seen.run.ResourceVersion {
		return seen, fmt.Errorf("the run has changed: %w", errStale)
	}
	seen.run = run
	if run.Spec.RerunOf == nil {
		seen.asked = run.Spec
	}
	if seen.lastJob != nil || seen.test == nil { // what a further attempt executes has been read from the last one's Job
		return seen, nil
	}
	test, err := readTestFrom(ctx, r.APIReader, client.ObjectKeyFromObject(seen.test))
	switch {
	case err != nil:
		return seen, err
	case test == nil, test.UID != seen.test.UID, test.Generation != seen.test.Generation:
		return seen, fmt.Errorf("the Test has changed: %w", errStale)
	}
	seen.test = test
	return seen, nil
}

// readTestFrom reads a Test; nil if it does not exist.
func readTestFrom(ctx context.Context, reader client.Reader, key client.ObjectKey) (*v1alpha1.Test, error) {
	test := &v1alpha1.Test{}
	err := reader.Get(ctx, key, test)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the Test: %w", err)
	}
	return test, nil
}

// render makes the Job of an attempt from the whole definition, or says why there can be none.
func render(seen observation, attempt int32) (*batchv1.Job, error) {
	def := definitionOf(seen)
	if err := paramsFit(seen, def); err != nil { // the cache does not hold all that params have to fit
		return nil, &refusal{v1alpha1.ReasonInvalidParams, true, err}
	}
	params, err := paramValues(def, seen.asked.Params)
	if err != nil {
		return nil, &refusal{v1alpha1.ReasonInvalidParams, true, err}
	}
	if size := sizeOfJob(def.spec.Template, params); size > maxJob {
		return nil, &refusal{v1alpha1.ReasonJobTooLarge, true, tooLarge(def.spec.Template, params, size)}
	}
	job := newJob(seen, attempt)
	if err := argumentsTooLong(&job.Spec.Template.Spec); err != nil {
		return nil, &refusal{v1alpha1.ReasonStartFailed, true, err}
	}
	return job, nil
}
