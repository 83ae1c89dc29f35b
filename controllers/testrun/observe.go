package testrun

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/admission"
	"github.com/testrun-dev/testrun/internal/results"
)

// observation is all that a decision is based on.
type observation struct {
	run *v1alpha1.TestRun
	// asked is what the run asks for: its own spec, or that of the run that it repeats. It is empty if there is no such run.
	asked v1alpha1.TestRunSpec
	// test is the Test that asked refers to; nil when it does not exist, or when the run defines its test inline.
	test *v1alpha1.Test
	// job is the attempt's Job; nil when it does not exist.
	job *batchv1.Job
	// lastJob is the Job of the attempt before, if that has ended and the next one has no Job yet; nil when it does not exist.
	lastJob *batchv1.Job
	// definitionLost is why nobody knows any more what the next attempt is to execute; nil while it is known.
	definitionLost error
	// jobVanished says that the attempt's Job existed, and does not any more.
	jobVanished bool
	// pod is the Job's pod; nil when there is none.
	pod *corev1.Pod
	// report is what the runner left in the pod; nil if it left nothing, or if there was no runner.
	report *results.Report
	// silentSince is when the pod's node stopped to look after the pod; zero while it does.
	silentSince time.Time
	// warnings are the messages of Kubernetes' Warning events about the Job (without a pod) or its pod, newest first. They
	// are read only for an attempt that is slow to start, or whose test was told to stop by nobody knows whom.
	warnings []warning
	// nodeMissing says that the pod's node does not exist. It is asked only for a pod that no kubelet has taken after seconds.
	nodeMissing bool
	// workload is what Kueue says of the Job; nil if it says nothing, or was not asked.
	workload *workload
	// turn is what the run's queue has decided about it.
	turn admission.Turn
	// testGracePeriod is how long the run waits for its Test, and queueGracePeriod for its TestQueue.
	testGracePeriod, queueGracePeriod time.Duration
	// runner is what reads a test's results.
	runner Runner
}

// setPod takes the pod, and the report that is in it.
func (seen *observation) setPod(pod *corev1.Pod) {
	seen.pod = pod
	seen.report = reportIn(testContainer(*seen).Terminated, formatReadOf(seen.job))
}

// observe reads what decide needs, and writes nothing. It tells the run's queue of what it has seen, and asks for its decision.
func (r *Reconciler) observe(ctx context.Context, run *v1alpha1.TestRun, now time.Time) (observation, error) {
	seen, err := r.observeObjects(ctx, run, now)
	if err == nil && run.DeletionTimestamp.IsZero() {
		seen.turn = r.reportToQueue(seen)
	}
	return seen, err
}

func (r *Reconciler) observeObjects(ctx context.Context, run *v1alpha1.TestRun, now time.Time) (observation, error) {
	seen := observation{run: run, testGracePeriod: r.TestGracePeriod, queueGracePeriod: r.QueueGracePeriod, runner: r.Runner}
	if !run.DeletionTimestamp.IsZero() {
		r.runEnds(run, nil, true)
		return seen, nil
	}
	var err error
	if seen.job, err = r.readJob(ctx, run); err != nil {
		return seen, err
	}
	if seen.job == nil {
		return r.observeWithoutJob(ctx, seen)
	}
	r.jobsSeen.Add(attemptOf(run), nil)
	if run.Status.Phase == v1alpha1.PhaseFinished && jobEnd(seen.job) != nil {
		return seen, nil
	}
	pod, err := r.readPod(ctx, seen.job)
	if err != nil {
		return seen, err
	}
	seen.setPod(pod)
	switch {
	case isWorthAskingKueue(seen, now):
		seen.workload, err = r.readWorkload(ctx, seen.job)
	case isSlowToStart(seen, now):
		return r.observeSlowStart(ctx, seen)
	case wasStoppedAlone(seen):
		seen.warnings, err = r.warnings.about(ctx, run.Namespace, subjectOf(seen))
	case mayBeSilent(seen, now):
		seen.silentSince, err = r.readSilence(ctx, seen, now)
	}
	return seen, err
}

// observeSlowStart asks why an attempt has not started.
func (r *Reconciler) observeSlowStart(ctx context.Context, seen observation) (observation, error) {
	var err error
	if seen.warnings, err = r.warnings.about(ctx, seen.run.Namespace, subjectOf(seen)); err != nil {
		return seen, err
	}
	if seen.pod != nil && seen.pod.Spec.NodeName != "" && seen.pod.Status.StartTime == nil {
		err = r.APIReader.Get(ctx, client.ObjectKey{Name: seen.pod.Spec.NodeName}, &corev1.Node{})
		if seen.nodeMissing = apierrors.IsNotFound(err); !seen.nodeMissing && err != nil {
			return seen, fmt.Errorf("reading the node: %w", err)
		}
	}
	return seen, nil
}

// observeWithoutJob reads what the attempt's Job is to be made of.
func (r *Reconciler) observeWithoutJob(ctx context.Context, seen observation) (observation, error) {
	var err error
	if seen.jobVanished = r.vanished(seen.run); seen.jobVanished {
		return seen, nil
	}
	if last := lastEnded(seen.run.Status); last != nil && seen.run.Status.Phase != v1alpha1.PhaseFinished {
		// The cache knows nothing of the Job's template.
		if seen.lastJob, err = ownJob(ctx, r.APIReader, seen.run, last.Number); err != nil || seen.lastJob == nil {
			return seen, err
		}
		return r.observeAgain(ctx, seen)
	}
	if seen.run.Status.Phase == v1alpha1.PhaseFinished {
		return seen, nil
	}
	if seen.asked, err = r.readAsked(ctx, seen.run); err != nil {
		return seen, err
	}
	seen.test, err = r.readTest(ctx, seen.run.Namespace, seen.asked.TestRef)
	return seen, err
}

// maxReruns bounds how many runs are looked at to find the one that was first. Names may be used again, and so form a circle.
const maxReruns = 100

// readAsked finds what the run asks for: a run that repeats another one asks for what that one asked for. The cache does not know
// any more what a finished run asked for.
func (r *Reconciler) readAsked(ctx context.Context, run *v1alpha1.TestRun) (v1alpha1.TestRunSpec, error) {
	asked := run.Spec
	for range maxReruns {
		if asked.RerunOf == nil {
			return asked, nil
		}
		repeated := &v1alpha1.TestRun{}
		err := r.APIReader.Get(ctx, client.ObjectKey{Namespace: run.Namespace, Name: asked.RerunOf.Name}, repeated)
		if apierrors.IsNotFound(err) {
			return v1alpha1.TestRunSpec{RerunOf: asked.RerunOf}, nil
		}
		if err != nil {
			return v1alpha1.TestRunSpec{}, fmt.Errorf("reading the run that is to be repeated: %w", err)
		}
		asked = repeated.Spec
	}
	return asked, nil
}

// vanished says whether the attempt's Job, which does not exist now, has existed before: the status says so, or, between the
// creation of the Job and the next write of the status, this process remembers.
func (r *Reconciler) vanished(run *v1alpha1.TestRun) bool {
	_, remembered := r.jobsSeen.Get(attemptOf(run))
	return remembered || currentAttempt(run.Status).Job != ""
}

// attemptOf names the current attempt of a run.
func attemptOf(run *v1alpha1.TestRun) string {
	return fmt.Sprintf("%s/%d", run.UID, currentAttempt(run.Status).Number)
}

// readJob finds the attempt's Job. The cache holds none that has succeeded, and may lag: that one which existed does not any more is
// believed only of the API server. Whether one exists of which nobody knows yet is asked where it matters: see createJob and confirm.
func (r *Reconciler) readJob(ctx context.Context, run *v1alpha1.TestRun) (*batchv1.Job, error) {
	number := currentAttempt(run.Status).Number
	if run.Status.Phase == v1alpha1.PhaseFinished {
		// Another controller may have begun one more attempt while this one finished the run.
		if job, err := ownJob(ctx, r.Client, run, number+1); job != nil || err != nil {
			return job, err
		}
		return ownJob(ctx, r.Client, run, number)
	}
	job, err := ownJob(ctx, r.Client, run, number)
	if job != nil || err != nil || !r.vanished(run) {
		return job, err
	}
	return ownJob(ctx, r.APIReader, run, number)
}

// confirm asks the API server before a run ends in a way that a stale cache may have made up.
func (r *Reconciler) confirm(ctx context.Context, seen observation, plan plan) error {
	switch {
	case plan.state == nil, plan.state.phase != v1alpha1.PhaseFinished, seen.jobVanished:
		return nil
	case seen.job == nil:
		return r.confirmNoJob(ctx, seen, plan.state.reason)
	case plan.state.reason == v1alpha1.ReasonPodDeleted:
		return r.confirmNotSuspended(ctx, seen)
	default:
		return nil
	}
}

// confirmNoJob: the cache may not have seen yet that the run has a Job.
func (r *Reconciler) confirmNoJob(ctx context.Context, seen observation, reason string) error {
	job, err := ownJob(ctx, r.APIReader, seen.run, currentAttempt(seen.run.Status).Number)
	if job != nil {
		return fmt.Errorf("the run has a Job: %w", errStale)
	}
	if err == nil && reason == v1alpha1.ReasonQueueNotFound {
		return r.confirmNoQueue(ctx, seen)
	}
	return err
}

// confirmNotSuspended: a Job that is suspended has its pod deleted, and the cache may have seen only the second.
func (r *Reconciler) confirmNotSuspended(ctx context.Context, seen observation) error {
	job, err := ownJob(ctx, r.APIReader, seen.run, currentAttempt(seen.run.Status).Number)
	if isSuspended(job) && !isSuspended(seen.job) {
		return fmt.Errorf("the Job was suspended: %w", errStale)
	}
	return err
}

// confirmNoQueue: that a TestQueue does not exist is believed only of the API server.
func (r *Reconciler) confirmNoQueue(ctx context.Context, seen observation) error {
	name := placeOf(seen, definitionOf(seen)).Queue
	switch err := r.APIReader.Get(ctx, client.ObjectKey{Name: name}, &v1alpha1.TestQueue{}); {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("reading the TestQueue: %w", err)
	default:
		return fmt.Errorf("there is a TestQueue %s: %w", name, errStale)
	}
}

// ownJob reads the Job of the attempt; nil if there is none. A Job of that name that is not the run's does not count.
func ownJob(ctx context.Context, reader client.Reader, run *v1alpha1.TestRun, attempt int32) (*batchv1.Job, error) {
	job := &batchv1.Job{}
	err := reader.Get(ctx, client.ObjectKey{Namespace: run.Namespace, Name: jobName(run, attempt)}, job)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the Job: %w", err)
	case !metav1.IsControlledBy(job, run):
		return nil, nil
	}
	return job, nil
}

// readPod finds the Job's pod. That an ended Job has none is believed only of the API server, which is also asked how a pod ended that
// the cache has forgotten.
func (r *Reconciler) readPod(ctx context.Context, job *batchv1.Job) (*corev1.Pod, error) {
	pods := &corev1.PodList{}
	err := r.Client.List(ctx, pods, client.InNamespace(job.Namespace), client.MatchingFields{podsByJob: string(job.UID)})
	if err != nil {
		return nil, fmt.Errorf("listing the pods of the Job: %w", err)
	}
	pod := firstPod(pods.Items)
	if pod == nil && jobEnd(job) != nil || isForgotten(pod) {
		return r.readPodUncached(ctx, job)
	}
	return pod, nil
}

// podsPerPage is how many pods are read at a time. Anybody may give as many as they like the label of a Job's pods.
const podsPerPage = 100

func (r *Reconciler) readPodUncached(ctx context.Context, job *batchv1.Job) (*corev1.Pod, error) {
	var own []corev1.Pod
	for page := ""; ; {
		pods := &corev1.PodList{}
		err := r.APIReader.List(ctx, pods, client.InNamespace(job.Namespace),
			client.MatchingLabels{batchv1.ControllerUidLabel: string(job.UID)}, client.Limit(podsPerPage), client.Continue(page))
		if err != nil {
			return nil, fmt.Errorf("listing the pods of the Job: %w", err)
		}
		for _, pod := range pods.Items {
			if metav1.IsControlledBy(&pod, job) {
				own = append(own, pod)
			}
		}
		if page = pods.Continue; page == "" {
			return firstPod(own), nil
		}
	}
}

// firstPod is the one that was made first; nil if there is none. A Job never has more than one, unless Kubernetes itself made a second.
func firstPod(pods []corev1.Pod) *corev1.Pod {
	if len(pods) == 0 {
		return nil
	}
	first := slices.MinFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return &first
}

// readTest reads the Test that a run asks for; nil if it does not exist, or if the run asks for none. That it does not exist is
// believed only of the API server. The cache holds no template: see readWhole.
func (r *Reconciler) readTest(ctx context.Context, namespace string, ref *v1alpha1.TestReference) (*v1alpha1.Test, error) {
	if ref == nil {
		return nil, nil
	}
	key := client.ObjectKey{Namespace: namespace, Name: ref.Name}
	if test, err := readTestFrom(ctx, r.Client, key); test != nil || err != nil {
		return test, err
	}
	return readTestFrom(ctx, r.APIReader, key)
}
