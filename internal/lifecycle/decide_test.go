package lifecycle

import (
	"encoding/json"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/admission"
	"github.com/testrun-dev/testrun/internal/jobspec"
	"github.com/testrun-dev/testrun/test/builders"
)

// t0 is when every run and Job below was created, and every step below began. The Jobs may take a minute to start.
var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func after(d time.Duration) metav1.Time { return metav1.NewTime(t0.Add(d)) }

// scene builds an observation.
type scene struct{ Observation }

func aRun(change ...func(*v1alpha1.TestRun)) *scene {
	run := builders.TestRun("smoke").Build()
	run.CreationTimestamp = after(0)
	run.Status.Phase = v1alpha1.PhasePending
	for _, change := range change {
		change(run)
	}
	return &scene{Observation{Request: jobspec.Request{Run: run, Asked: run.Spec}, Turn: admission.Turn{Action: admission.Start}, TestGracePeriod: 30 * time.Second}}
}

// look is the observation, after its objects have been read.
func (s *scene) look() Observation {
	s.Resolve()
	return s.Observation
}

// jobOf is the Job of an attempt of the observed run.
func jobOf(seen Observation, attempt int32) *batchv1.Job {
	job, err := jobspec.Render(seen.Request, seen.Runner, attempt)
	if err != nil {
		panic(err)
	}
	return job
}

func (s *scene) withJob(conditions ...batchv1.JobCondition) *scene {
	s.Job = jobOf(s.look(), jobspec.FirstAttempt)
	s.Job.CreationTimestamp = after(0)
	s.record("startTimeout", time.Minute)
	s.Job.Status.Conditions = conditions
	return s
}

// record changes a field of the record on the Job.
func (s *scene) record(field string, value any) {
	fields := map[string]any{}
	if text, ok := s.Job.Annotations[v1alpha1.AnnotationRecord]; ok {
		if err := json.Unmarshal([]byte(text), &fields); err != nil {
			panic(err)
		}
	}
	fields[field] = value
	encoded, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	metav1.SetMetaDataAnnotation(&s.Job.ObjectMeta, v1alpha1.AnnotationRecord, string(encoded))
}

func (s *scene) withPod(change ...func(*corev1.Pod)) *scene {
	s.withJob()
	s.Pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "smoke-1-x", CreationTimestamp: after(0)}}
	for _, change := range change {
		change(s.Pod)
	}
	return s
}

func (s *scene) withWarning(reason, message string) *scene {
	s.Warnings = append(s.Warnings, Warning{reason, message, t0})
	return s
}

func (s *scene) jobGone() *scene {
	s.JobVanished = true
	return s
}

func (s *scene) jobStopped(why *State) *scene {
	s.Job.Annotations = withStopRequest(s.Job.Annotations, why)
	s.Job.Spec.Suspend, s.Job.Spec.ActiveDeadlineSeconds = ptr.To(true), ptr.To[int64](0)
	return s
}

// jobMarked says that somebody gave the Job the annotations of a stop, and did not stop it.
func (s *scene) jobMarked(why *State) *scene {
	s.Job.Annotations = withStopRequest(s.Job.Annotations, why)
	return s
}

// nodeSilentSince0 says that the pod's node has been silent since t0.
func (s *scene) nodeSilentSince0() *scene {
	s.SilentSince = t0
	return s
}

func cancelled(run *v1alpha1.TestRun) { run.Spec.Cancel = ptr.To(true) }
func deleted(run *v1alpha1.TestRun)   { run.DeletionTimestamp = ptr.To(after(0)) }
func ofATest(run *v1alpha1.TestRun) {
	run.Spec.TestSpec, run.Spec.TestRef = nil, &v1alpha1.TestReference{Name: "suite"}
}

func repeating(run *v1alpha1.TestRun) {
	run.Spec = v1alpha1.TestRunSpec{RerunOf: &v1alpha1.RunReference{Name: "gone"}}
}

// once allows a run only one attempt.
func once(run *v1alpha1.TestRun) { run.Spec.Retry.Disruption = ptr.To[int32](0) }

func byExitCode(run *v1alpha1.TestRun) { run.Spec.TestSpec.Results.Format = v1alpha1.ResultsNone }

func withUnknownParam(run *v1alpha1.TestRun) {
	run.Spec.Params = []v1alpha1.Param{{Name: "NO", Value: ptr.To("")}}
}

func over(run *v1alpha1.TestRun) {
	run.Status.Phase, run.Status.Verdict, run.Status.FinishTime = v1alpha1.PhaseFinished, v1alpha1.VerdictPassed, ptr.To(after(0))
}

func refusedSince0(run *v1alpha1.TestRun) {
	run.Spec.Timeouts.Start = &v1alpha1.PositiveDuration{Duration: time.Minute}
	run.Status.Attempts = []v1alpha1.Attempt{{Number: 1, CreateTime: ptr.To(after(0))}}
	run.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Reason: v1alpha1.ReasonJobRefused, Message: "exceeded quota"}}
}

func hasRun(run *v1alpha1.TestRun) {
	run.Status.Phase = v1alpha1.PhaseInProgress
	run.Status.Attempts = []v1alpha1.Attempt{{Number: 1, Job: "smoke-1", StartTime: ptr.To(after(0))}}
}

func storedUnready(run *v1alpha1.TestRun) {
	run.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Reason: v1alpha1.ReasonVolumeNotReady}}
}

func onANode(pod *corev1.Pod) {
	pod.Spec.NodeName = "node-1"
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: after(0)})
}

func ready(pod *corev1.Pod) {
	onANode(pod)
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodReadyToStartContainers, Status: corev1.ConditionTrue, LastTransitionTime: after(0)})
}

func schedulerFails(pod *corev1.Pod) {
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "SchedulerError", Message: "no answer from a plugin", LastTransitionTime: after(0),
	})
}

func unschedulable(pod *corev1.Pod) {
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/3 nodes are available", LastTransitionTime: after(0),
	})
}

func container(pod *corev1.Pod, state corev1.ContainerState) {
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "test", State: state}}
}

func running(pod *corev1.Pod) {
	ready(pod)
	pod.Status.Phase = corev1.PodRunning
	container(pod, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: after(0)}})
}

func acceptedAt(at time.Duration) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Status.StartTime = ptr.To(after(at)) }
}

func waits(reason, message string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		ready(pod)
		container(pod, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}})
	}
}

func exited(code int32, at time.Duration) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		ready(pod)
		pod.Status.Phase = corev1.PodFailed
		if code == 0 {
			pod.Status.Phase = corev1.PodSucceeded
		}
		end := &corev1.ContainerStateTerminated{ExitCode: code, StartedAt: after(0), FinishedAt: after(at)}
		if code != exitKilled {
			end.Message = reported(noFormat)
		}
		container(pod, corev1.ContainerState{Terminated: end})
	}
}

// failsWhileItRuns is what a kubelet may say of a pod that is stopped at its deadline.
func failsWhileItRuns(pod *corev1.Pod) {
	deadlineExceeded(pod)
	pod.Status.Phase = corev1.PodFailed
	pod.Spec.TerminationGracePeriodSeconds = ptr.To[int64](5)
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: after(0)})
}

func notExecuted(pod *corev1.Pod) {
	end := pod.Status.ContainerStatuses[0].State.Terminated
	end.Reason, end.Message = reasonStartError, `exec: "nope": executable file not found in $PATH`
}

func neverMade(pod *corev1.Pod) {
	end := pod.Status.ContainerStatuses[0].State.Terminated
	end.Reason, end.StartedAt, end.FinishedAt = reasonContainerStatusUnknown, metav1.Time{}, metav1.Time{}
}

func notInitialized(pod *corev1.Pod) {
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodInitialized, Status: corev1.ConditionFalse, Message: "[fetch]"})
}

func initFailed(pod *corev1.Pod) {
	ready(pod)
	pod.Status.Phase = corev1.PodFailed
	pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "fetch", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}}}
	container(pod, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}})
}

func rejected(pod *corev1.Pod) {
	onANode(pod)
	pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, "OutOfcpu"
}

func deadlineExceeded(pod *corev1.Pod) {
	pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, reasonDeadlineExceeded
}

// podTakenAwayAt is a deleted pod as it is last seen: its kubelet has stopped it and removes it.
func podTakenAwayAt(at time.Duration) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = ptr.To(after(at)), ptr.To[int64](0)
	}
}

func podDeletedAt(at time.Duration) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = ptr.To(after(at+30*time.Second)), ptr.To[int64](30)
	}
}

func disruptedAt(at time.Duration) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
			Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "EvictionByEvictionAPI", LastTransitionTime: after(at),
		})
	}
}

func stoppedFor(why *State) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		markedAs(why)(pod)
		pod.Spec.ActiveDeadlineSeconds = ptr.To[int64](1)
	}
}

// markedAs says that somebody gave the pod the annotations of a stop, and did not stop it.
func markedAs(why *State) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Annotations = withStopRequest(pod.Annotations, why) }
}

func TestDecide(t *testing.T) {
	const soon, late, tooLate = time.Second, 10 * time.Second, time.Minute
	cancel := Finished(v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled, "")
	tooSlow := Finished(v1alpha1.VerdictError, v1alpha1.ReasonUnschedulable, "")
	jobFailed := batchv1.JobCondition{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded"}
	jobComplete := batchv1.JobCondition{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}

	tests := map[string]struct {
		seen    *scene
		now     time.Duration
		does    string // create, stop, or nothing
		says    string // PHASE VERDICT REASON, or nothing
		requeue time.Duration
	}{
		"a run that is being deleted is left alone":              {seen: aRun(deleted)},
		"a finished run is left alone":                           {seen: aRun(over).withPod(exited(0, 0))},
		"a finished run with a Job that is active is stopped":    {seen: aRun(over).withPod(running), does: "stop"},
		"a finished run with a stopped Job is left alone":        {seen: aRun(over).withJob().jobStopped(cancel)},
		"a finished run whose pod is about to end is left alone": {seen: aRun(over).withPod(besideATestThatEnded(0))},
		"a finished run whose pod is stopping is left alone":     {seen: aRun(over).withPod(running, stoppedFor(cancel))},
		"what a suspended Job was stopped for ends the run":      {seen: aRun().withJob().jobStopped(tooSlow), says: "Finished Error Unschedulable"},
		"what a pod was stopped for ends a run not started":      {seen: aRun().withPod(waits("ContainerCreating", ""), stoppedFor(tooSlow)), says: "Finished Error Unschedulable"},
		"what a pod was stopped for ends a run that ran":         {seen: aRun(cancelled).withPod(exited(143, 0), deadlineExceeded, stoppedFor(cancel)), says: "Finished Cancelled Cancelled"},
		"a pod that ended before the stop has its own verdict":   {seen: aRun(cancelled).withPod(exited(0, 0), stoppedFor(cancel)), says: "Finished Passed TestPassed"},

		"a pod that failed before its container has ended is waited for": {seen: aRun().withPod(running, failsWhileItRuns), now: soon, requeue: 14 * time.Second},
		"a pod whose container never ends is not waited for any longer":  {seen: aRun().withPod(running, failsWhileItRuns), now: 15 * time.Second, says: "Finished TimedOut RunTimeout"},
		"what a pod was stopped for is not said before it has ended":     {seen: aRun(cancelled).withPod(running, failsWhileItRuns, stoppedFor(cancel)), now: soon, requeue: 14 * time.Second},
		"the kubelet's deadline is the run timeout":                      {seen: aRun().withPod(exited(143, 0), deadlineExceeded), says: "Finished TimedOut RunTimeout"},
		"a test that catches the stop and exits 0 timed out":             {seen: aRun().withPod(exited(0, 0), deadlineExceeded), says: "Finished TimedOut RunTimeout"},
		"the deadline before the test ran is an error":                   {seen: aRun().withPod(waits("ImagePullBackOff", "no"), deadlineExceeded), says: "Finished Error ImagePullFailed"},
		"a container ended by the deadline before it was made":           {seen: aRun().withPod(exited(137, 0), neverMade, deadlineExceeded), says: "Finished Error StartTimeout"},
		"the same on a node that says when it accepted the pod":          {seen: aRun().withPod(exited(137, 0), neverMade, deadlineExceeded, acceptedAt(0)), now: 2 * time.Hour, says: "Finished Error StartTimeout"},
		"an evicted pod of which its node forgot the end is disrupted":   {seen: aRun(once).withPod(exited(137, 0), neverMade, disruptedAt(0)), says: "Finished Error Disrupted"},
		"a container that its node forgot is lost":                       {seen: aRun(once).withPod(exited(137, 0), neverMade), says: "Finished Error PodLost"},
		"the deadline before the test ran quotes what was stored":        {seen: aRun(storedUnready).withPod(exited(137, 0), neverMade, deadlineExceeded), says: "Finished Error VolumeNotReady"},
		"an evicted pod is disrupted":                                    {seen: aRun(once).withPod(exited(137, time.Second), disruptedAt(0)), says: "Finished Error Disrupted"},
		"a test that failed before the eviction failed":                  {seen: aRun().withPod(exited(1, 0), disruptedAt(time.Second)), says: "Finished Failed TestFailed"},
		"a pod deleted while it ran is an error":                         {seen: aRun().withPod(exited(143, time.Second), podDeletedAt(0)), says: "Finished Error PodDeleted"},
		"a pod deleted without a node is an error":                       {seen: aRun().withPod(podDeletedAt(0)), says: "Finished Error PodDeleted"},
		"a pod that is being deleted is waited for":                      {seen: aRun().withPod(running, podDeletedAt(0)), says: "InProgress  Running"},
		"a pod that its kubelet takes away had been deleted before":      {seen: aRun().withPod(exited(143, time.Second), saying(reported(stoppedBy("SIGTERM"))), podTakenAwayAt(3*time.Second)), says: "Finished Error PodDeleted"},
		"a test that failed long before its pod was taken away failed":   {seen: aRun().withPod(exited(1, 0), podTakenAwayAt(time.Minute)), says: "Finished Failed TestFailed"},
		"a test that failed before its pod's deletion failed":            {seen: aRun().withPod(exited(1, 0), podDeletedAt(time.Second)), says: "Finished Failed TestFailed"},
		"a command that cannot be executed never ran":                    {seen: aRun(byExitCode).withPod(exited(128, 0), notExecuted), says: "Finished Error StartFailed"},
		"a failed init container is not the test's failure":              {seen: aRun().withPod(initFailed), says: "Finished Error InitFailed"},
		"a pod that the node did not admit never ran":                    {seen: aRun(once).withPod(rejected), says: "Finished Error PodRejected"},
		"an exit code other than 0 fails":                                {seen: aRun().withPod(exited(7, 0)), says: "Finished Failed TestFailed"},
		"a Job that failed without a pod is lost":                        {seen: aRun(once).withJob(jobFailed), says: "Finished Error PodLost"},
		"a Job that completed without a pod lost its results":            {seen: aRun(once).withJob(jobComplete), says: "Finished Error PodLost"},
		"a Job that completed, whose exit code decides, passed":          {seen: aRun(byExitCode).withJob(jobComplete), says: "Finished Passed TestPassed"},
		"a Job that vanished is an error":                                {seen: aRun().jobGone(), says: "Finished Error JobDeleted"},
		"a Job that vanished is an error, cancelled or not":              {seen: aRun(cancelled).jobGone(), says: "Finished Error JobDeleted"},
		"cancel without a Job ends the run":                              {seen: aRun(cancelled), says: "Finished Cancelled Cancelled"},
		"cancel without a Test ends the run":                             {seen: aRun(cancelled, ofATest), says: "Finished Cancelled Cancelled"},
		"cancel before the test runs stops and ends":                     {seen: aRun(cancelled).withPod(onANode), does: "stop", says: "Finished Cancelled Cancelled"},
		"cancel while the test runs stops and waits":                     {seen: aRun(cancelled).withPod(running), does: "stop", says: "InProgress  Cancelling"},
		"cancel is asked of a pod once":                                  {seen: aRun(cancelled).withPod(running, stoppedFor(cancel)), says: "InProgress  Cancelling"},

		"a pod that has gone while its test ran is waited for": {seen: aRun(hasRun).withJob(), now: tooLate},
		"cancel when the pod has gone stops the Job and ends":  {seen: aRun(hasRun, cancelled).withJob(), does: "stop", says: "Finished Cancelled Cancelled"},
		"a start that takes too long is stopped":               {seen: aRun().withPod(unschedulable), now: tooLate, does: "stop", says: "Finished Error Unschedulable"},
		"a start that is slow for no known cause says so":      {seen: aRun().withPod(), now: tooLate, does: "stop", says: "Finished Error StartTimeout"},
		"a Job that is refused for too long is an error":       {seen: aRun(refusedSince0), now: tooLate, says: "Finished Error JobRefused"},
		"a Job that was refused is tried again":                {seen: aRun(refusedSince0), now: late, does: "create"},
		"a test that runs is no slow start":                    {seen: aRun().withPod(running), now: tooLate, says: "InProgress  Running"},
		"a short step is not told":                             {seen: aRun().withPod(), now: soon, requeue: 4 * time.Second},
		"a Job without a pod is asked about soon":              {seen: aRun().withJob(), now: soon, requeue: 4 * time.Second},
		"a Job without a pod for seconds is not told":          {seen: aRun().withJob(), now: late, requeue: 20 * time.Second},
		"a Job without a pod for half a minute is":             {seen: aRun().withJob(), now: 30 * time.Second, says: "Pending  CreatingPod", requeue: 30 * time.Second},
		"a quota that is exhausted":                            {seen: aRun().withJob().withWarning("FailedCreate", `pods "a" is forbidden: exceeded quota: q`), now: late, says: "Pending  QuotaExceeded", requeue: 10 * time.Second},
		"a ServiceAccount that is missing":                     {seen: aRun().withJob().withWarning("FailedCreate", `error looking up service account a/b: serviceaccount "b" not found`), now: late, says: "Pending  ServiceAccountNotFound", requeue: 10 * time.Second},
		"a pod that the API server refuses":                    {seen: aRun().withJob().withWarning("FailedCreate", `violates PodSecurity "restricted:latest"`), now: late, says: "Pending  PodRefused", requeue: 10 * time.Second},
		"a pod that no scheduler has seen for seconds":         {seen: aRun().withPod(), now: late, requeue: 20 * time.Second},
		"a pod that no scheduler has seen":                     {seen: aRun().withPod(), now: 30 * time.Second, says: "Pending  Scheduling", requeue: 30 * time.Second},
		"a pod at which the scheduler fails":                   {seen: aRun().withPod(schedulerFails), now: late, says: "Pending  Scheduling", requeue: 10 * time.Second},
		"a pod that fits no node":                              {seen: aRun().withPod(unschedulable), now: late, says: "Pending  Unschedulable", requeue: 10 * time.Second},
		"a pod that gets its volumes and network":              {seen: aRun().withPod(onANode), now: late, says: "Pending  Preparing", requeue: 10 * time.Second},
		"a volume that cannot be mounted":                      {seen: aRun().withPod(onANode).withWarning("FailedMount", `configmap "c" not found`), now: late, says: "Pending  VolumeNotReady", requeue: 10 * time.Second},
		"an image on its way":                                  {seen: aRun().withPod(waits("ContainerCreating", "")), now: late, says: "Pending  PullingImage", requeue: 10 * time.Second},
		"init containers that run":                             {seen: aRun().withPod(ready, notInitialized), now: late, says: "Pending  Initializing", requeue: 10 * time.Second},
		"an image that cannot be pulled":                       {seen: aRun().withPod(waits("ErrImagePull", "no")), now: late, says: "Pending  ImagePullFailed", requeue: 10 * time.Second},
		"a step that lasts is looked at by the deadline":       {seen: aRun().withPod(unschedulable), now: 40 * time.Second, says: "Pending  Unschedulable", requeue: 20 * time.Second},
		"a ConfigMap that is missing":                          {seen: aRun().withPod(waits("CreateContainerConfigError", "no")), now: late, says: "Pending  ContainerConfigError", requeue: 10 * time.Second},

		"a node that is silent is given time":                   {seen: aRun().withPod(running).nodeSilentSince0(), now: soon, says: "InProgress  NodeUnreachable", requeue: 10*time.Minute - soon},
		"a node that is silent for too long ends the run":       {seen: aRun().withPod(running).nodeSilentSince0(), now: 10 * time.Minute, does: "stop", says: "Finished Error NodeUnreachable"},
		"a cancelled run stops its pod on a silent node":        {seen: aRun(cancelled).withPod(running).nodeSilentSince0(), now: soon, does: "stop", says: "InProgress  Cancelling"},
		"a cancelled run waits for its silent node":             {seen: aRun(cancelled).withPod(running, stoppedFor(cancel)).nodeSilentSince0(), now: soon, says: "InProgress  NodeUnreachable", requeue: 10*time.Minute - soon},
		"a cancelled run does not wait for its node for ever":   {seen: aRun(cancelled).withPod(running, stoppedFor(cancel)).nodeSilentSince0(), now: 10 * time.Minute, does: "stop", says: "Finished Cancelled Cancelled"},
		"a pod whose time is long over is looked at again":      {seen: aRun().withPod(running, acceptedAt(0)), now: soon, says: "InProgress  Running", requeue: time.Hour + time.Minute - soon},
		"a cancelled pod that goes on running is looked at too": {seen: aRun(cancelled).withPod(running, acceptedAt(0), stoppedFor(cancel)), now: soon, says: "InProgress  Cancelling", requeue: time.Hour + time.Minute - soon},

		"a run to repeat that is missing is an error": {seen: aRun(repeating), says: "Finished Error RunNotFound"},

		"a missing Test is not told at once":      {seen: aRun(ofATest), now: soon, requeue: 4 * time.Second},
		"a missing Test is waited for":            {seen: aRun(ofATest), now: late, says: "Pending  TestNotFound", requeue: 20 * time.Second},
		"a Test missing for too long is an error": {seen: aRun(ofATest), now: 30 * time.Second, says: "Finished Error TestNotFound"},
		"params that do not fit are an error":     {seen: aRun(withUnknownParam), says: "Finished Error InvalidParams"},
		"a run that can start gets its Job":       {seen: aRun(), does: "create"},
		"a run of an hour ago gets its Job":       {seen: aRun(), now: time.Hour, does: "create"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			plan := Decide(test.seen.look(), t0.Add(test.now))
			if got := deed(plan); got != test.does {
				t.Errorf("it does %q, want %q", got, test.does)
			}
			if got := words(plan.State); got != test.says {
				t.Errorf("it says %q, want %q", got, test.says)
			}
			if plan.RequeueAfter != test.requeue {
				t.Errorf("it looks again after %s, want %s", plan.RequeueAfter, test.requeue)
			}
		})
	}
}

// The annotations of a stop count only together with the stop itself, and only with values that the operator may have written.
func TestAForgedStopIsNotBelieved(t *testing.T) {
	cancel := Finished(v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled, "")
	passed := Finished(v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, "42 of 42 cases passed")
	nonsense := Finished("Nonsense", "no reason!", "")
	unknown := Finished(v1alpha1.VerdictError, "NoReasonOfOurs", "")
	tests := map[string]struct {
		seen *scene
		does string
		says string
	}{
		"a pod that only says it was stopped runs on":            {seen: aRun().withPod(running, markedAs(cancel)), says: "InProgress  Running"},
		"a pod that only says it was stopped can be cancelled":   {seen: aRun(cancelled).withPod(running, markedAs(cancel)), does: "stop", says: "InProgress  Cancelling"},
		"a pod that says it passed is waited for":                {seen: aRun().withPod(onANode, markedAs(passed)), says: ""},
		"a stopped pod that says it passed timed out":            {seen: aRun().withPod(exited(143, 0), deadlineExceeded, stoppedFor(passed)), says: "Finished TimedOut RunTimeout"},
		"a stopped pod with a verdict of nobody timed out":       {seen: aRun().withPod(exited(143, 0), deadlineExceeded, stoppedFor(nonsense)), says: "Finished TimedOut RunTimeout"},
		"a stopped pod with a reason of nobody timed out":        {seen: aRun().withPod(exited(143, 0), deadlineExceeded, stoppedFor(unknown)), says: "Finished TimedOut RunTimeout"},
		"a Job that only says it was stopped goes on":            {seen: aRun().withPod(running).jobMarked(cancel), says: "InProgress  Running"},
		"a Job that only says it was stopped can be cancelled":   {seen: aRun(cancelled).withPod(onANode).jobMarked(cancel), does: "stop", says: "Finished Cancelled Cancelled"},
		"a suspended Job that says it passed has not":            {seen: aRun().withJob().jobStopped(passed), says: ""},
		"a finished run's Job that only says so is stopped":      {seen: aRun(over).withPod(running).jobMarked(cancel), does: "stop"},
		"a finished run's pod that only says so is stopped":      {seen: aRun(over).withPod(running, markedAs(cancel)), does: "stop"},
		"a pod marked as stopped does not end a run by its exit": {seen: aRun().withPod(exited(0, 0), markedAs(cancel)), says: "Finished Passed TestPassed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			plan := Decide(test.seen.look(), t0.Add(time.Second))
			if deed(plan) != test.does || words(plan.State) != test.says {
				t.Errorf("it does %q and says %q, want %q and %q", deed(plan), words(plan.State), test.does, test.says)
			}
		})
	}
}

func deed(plan Plan) string {
	switch {
	case plan.Create != 0:
		return "create"
	case plan.Stop != nil:
		return "stop"
	default:
		return ""
	}
}

func words(state *State) string {
	if state == nil {
		return ""
	}
	return string(state.Phase) + " " + string(state.Verdict) + " " + state.Reason
}
