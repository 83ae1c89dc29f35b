// Package testrun reads and writes what the life of one TestRun takes. What to do is decided in internal/lifecycle.
//
// A reconcile reads everything (observe), asks what to do (lifecycle.Decide), writes the children (apply), stores the whole status
// (lifecycle.NextStatus) with one write (patchStatus), and only then speaks (announce).
package testrun

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobspec"
	"github.com/testrun-dev/testrun/internal/leadership"
	"github.com/testrun-dev/testrun/internal/lifecycle"
	"github.com/testrun-dev/testrun/internal/queueing"
)

// Reconciler moves TestRuns forward.
type Reconciler struct {
	// Client reads from the cache and writes to the API server.
	Client client.Client
	// APIReader reads from the API server itself, for the answers that a stale cache could get wrong.
	APIReader client.Reader
	// Recorder takes the events.
	Recorder events.EventRecorder
	// Clock tells the time.
	Clock clock.PassiveClock
	// Metrics counts the transitions.
	Metrics *Metrics
	// TestGracePeriod is how long a run waits for a Test that does not exist.
	TestGracePeriod time.Duration
	// QueueGracePeriod is how long a run waits for a TestQueue that does not exist.
	QueueGracePeriod time.Duration
	// Lease says whether this process still leads. Nil means that there is no other.
	Lease *leadership.Lease
	// Queues say whose turn it is.
	Queues *queueing.Service
	// Runner is what reads a test's results.
	Runner jobspec.Runner
	// Archive says to which archive the runner pushes, when a Job is made. Nil means that there is none.
	Archive func(context.Context) jobspec.Archive

	// jobsSeen holds the attempts whose Job exists or existed, until the status says so too: see vanished.
	jobsSeen *lru.Cache
	// leftovers keep the slots of what has not ended.
	leftovers *leftovers
	// stored are the statuses that the cache may not show yet.
	stored storedStatuses
	// refused are the runs for which the API server takes no status.
	refused refusedRuns
	// pace spaces out slow writes.
	pace *pace
	// warnings are what Kubernetes says about attempts that are slow to start.
	warnings *warnings
}

// Reconcile moves one run as far as it can go now.
func (r *Reconciler) Reconcile(ctx context.Context, run *v1alpha1.TestRun) (reconcile.Result, error) {
	ctx = log.IntoContext(ctx, log.FromContext(ctx).WithValues("runUID", run.UID))
	if !r.Queues.IsOpen() { // what is told to them now might be overtaken by what fillQueues tells
		return reconcile.Result{RequeueAfter: firstRetry}, nil
	}
	now := r.Clock.Now()
	if left := max(r.stored.left(run, now), r.refused.left(run, now)); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	seen, err := r.observe(ctx, run, now)
	if err != nil {
		return reconcile.Result{}, err
	}
	plan := lifecycle.Decide(seen, now)
	log.FromContext(ctx).V(1).Info("Decided", "rule", plan.Rule)
	if err := r.confirm(ctx, seen, plan); err != nil {
		return again(ctx, err)
	}
	applyErr := r.apply(ctx, seen, plan)
	status := lifecycle.NextStatus(seen, plan, applyErr, now)
	if err := r.store(ctx, run, plan, status); apierrors.IsInvalid(err) {
		return r.endRefused(ctx, seen, status, err, now)
	} else if err != nil {
		return again(ctx, err)
	}
	if status.Phase == v1alpha1.PhaseFinished {
		ended := *run
		ended.Status = status
		seen.Run = &ended
		r.leavesQueue(seen)
	}
	r.announce(ctx, run, status)
	if refused := (*jobspec.Refusal)(nil); errors.As(applyErr, &refused) {
		return afterRefusal(ctx, seen, status, refused, now), nil
	}
	if applyErr != nil {
		return again(ctx, applyErr)
	}
	result := reconcile.Result{RequeueAfter: plan.RequeueAfter}
	if plan.WhenIdle {
		result.Priority = ptr.To(handler.LowPriority)
	}
	return result, nil
}

// again looks again later. It is ordinary, and no error, that the cache is behind, or that what is written to has just been deleted:
// the news is on its way.
func again(ctx context.Context, err error) (reconcile.Result, error) {
	switch {
	case errors.Is(err, errStale), apierrors.IsConflict(err):
		log.FromContext(ctx).V(1).Info("The cache was behind the API server", "cause", err.Error())
		return reconcile.Result{RequeueAfter: firstRetry}, nil
	case errors.Is(err, leadership.ErrNotLeading):
		log.FromContext(ctx).Info("The Lease could not be renewed in time: nothing is started until it is")
		return reconcile.Result{RequeueAfter: leaseRetry}, nil
	case errors.Is(err, errPaced):
		return reconcile.Result{RequeueAfter: wait.Jitter(pacedRetry, 4), Priority: ptr.To(handler.LowPriority)}, nil
	case apierrors.IsNotFound(err):
		log.FromContext(ctx).V(1).Info("It has just been deleted", "cause", err.Error())
		return reconcile.Result{RequeueAfter: lastRetry}, nil
	default:
		return reconcile.Result{}, err
	}
}

// store stores the status. If it only says why the run waits, it may have to wait for its turn: errPaced.
func (r *Reconciler) store(ctx context.Context, run *v1alpha1.TestRun, plan lifecycle.Plan, status v1alpha1.TestRunStatus) error {
	if plan.OnlyExplains() && !equality.Semantic.DeepEqual(run.Status, status) {
		end, ok := r.pace.begin(run.Namespace, r.Clock.Now())
		if !ok {
			return errPaced
		}
		defer func() { end(r.Clock.Now()) }()
	}
	return r.patchStatus(ctx, run, status)
}

// patchStatus stores the status, unless it is stored already. It is refused when the run has changed since it was read:
// a status is only ever written over the one that it was computed from.
func (r *Reconciler) patchStatus(ctx context.Context, run *v1alpha1.TestRun, status v1alpha1.TestRunStatus) error {
	if equality.Semantic.DeepEqual(run.Status, status) {
		return nil
	}
	version := metav1.ObjectMeta{ResourceVersion: run.ResourceVersion}
	patch := client.MergeFromWithOptions(&v1alpha1.TestRun{ObjectMeta: version, Status: run.Status}, client.MergeFromWithOptimisticLock{})
	data, err := patch.Data(&v1alpha1.TestRun{ObjectMeta: version, Status: status})
	if err != nil {
		return fmt.Errorf("computing the change of the status: %w", err)
	}
	stored := metadataOf(run)
	if err := r.Client.Status().Patch(ctx, stored, client.RawPatch(patch.Type(), data)); err != nil {
		return err
	}
	r.stored.add(run, stored.ResourceVersion, r.Clock.Now())
	return nil
}

// metadataOf is what to read or write a run with when nothing but its metadata is to be answered: decoding the rest would be for
// nothing.
func metadataOf(run *v1alpha1.TestRun) *metav1.PartialObjectMetadata {
	metadata := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: run.Namespace, Name: run.Name}}
	metadata.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("TestRun"))
	return metadata
}
