package testrun

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobspec"
	"github.com/testrun-dev/testrun/internal/lifecycle"
)

// readWhole reads from the API server the run and its Test, of which the cache holds only a part. Both must still be those that were
// decided about. See docs/decisions/memory.md.
func (r *Reconciler) readWhole(ctx context.Context, seen lifecycle.Observation) (lifecycle.Observation, error) {
	run := &v1alpha1.TestRun{}
	if err := r.APIReader.Get(ctx, client.ObjectKeyFromObject(seen.Run), run); err != nil {
		return seen, fmt.Errorf("reading the run: %w", err)
	}
	if run.UID != seen.Run.UID || run.ResourceVersion != seen.Run.ResourceVersion {
		return seen, fmt.Errorf("the run has changed: %w", errStale)
	}
	seen.Run = run
	if run.Spec.RerunOf == nil {
		seen.Asked = run.Spec
	}
	if seen.LastJob != nil || seen.Test == nil { // observeAgain has read what a further attempt executes
		return seen, nil
	}
	test, err := readTestFrom(ctx, r.APIReader, client.ObjectKeyFromObject(seen.Test))
	switch {
	case err != nil:
		return seen, err
	case test == nil, test.UID != seen.Test.UID, test.Generation != seen.Test.Generation:
		return seen, fmt.Errorf("the Test has changed: %w", errStale)
	}
	seen.Test = test
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

// observeAgain finds what the next attempt executes: what the last one executed, whatever others have changed on its Job since. See
// docs/decisions/retries.md.
func (r *Reconciler) observeAgain(ctx context.Context, seen lifecycle.Observation) (lifecycle.Observation, error) {
	last := jobspec.RecordOn(seen.LastJob)
	if !last.IsDigest() {
		request, err := jobspec.RequestKept(seen.Run, last)
		if err != nil {
			seen.DefinitionLost = fmt.Errorf("annotation %s of Job %s cannot be read: %w", v1alpha1.AnnotationRecord, seen.LastJob.Name, err)
			return seen, nil
		}
		seen.Request = request
		return seen, nil
	}
	now := seen
	var err error
	if now.Asked, err = r.readAsked(ctx, seen.Run); err != nil {
		return seen, err
	}
	if now.Asked.TestRef != nil {
		key := client.ObjectKey{Namespace: seen.Run.Namespace, Name: now.Asked.TestRef.Name}
		if now.Test, err = readTestFrom(ctx, r.APIReader, key); err != nil { // the cache does not hold its template
			return seen, err
		}
	}
	if !last.IsDigestOf(now.Request) {
		seen.DefinitionLost = errors.New("it was too large to be kept on the Job, and has changed or was deleted since")
		return seen, nil
	}
	return now, nil
}
