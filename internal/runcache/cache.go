// Package runcache says what the operator's cache keeps in memory, and how objects are found in it. Objects are stripped before they are kept; what
// is missing is read from the API server.
//
//	kept         stripped to                                            read by
//	TestRun      what its queue and its status need (unfinished)        controllers/testrun
//	             what retention and the queues need (finished)          controllers/retention, internal/queueing
//	Test         queue, params, retention; no template                  controllers/testrun, controllers/retention
//	Job          conditions, suspension, time limits; no template       controllers/testrun
//	Pod          where it runs and how it stands; of one whose end has  controllers/testrun
//	             been counted, only that it has ended
//
// See docs/decisions/memory.md.
package runcache

import (
	"cmp"
	"slices"
	"strings"
	"unique"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/lifecycle"
)

var (
	// HasNotSucceeded selects the Jobs that the cache holds.
	HasNotSucceeded = fields.OneTermEqualSelector("status.successful", "0")
	// HasSucceeded selects the Jobs that the cache does not hold.
	HasSucceeded = fields.OneTermNotEqualSelector("status.successful", "0")
)

// Options keeps in memory only what the controllers read from the cache: see docs/decisions/memory.md. Jobs that have succeeded are left
// out, because every kept run has one.
func Options() cache.Options {
	ofRuns, err := labels.NewRequirement(v1alpha1.LabelRun, selection.Exists, nil)
	if err != nil {
		panic(err) // the label is a constant
	}
	selector := labels.NewSelector().Add(*ofRuns)
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.Test{}:    {Transform: stripTest},
			&v1alpha1.TestRun{}: {Transform: StripRun},
			&batchv1.Job{}:      {Label: selector, Field: HasNotSucceeded, Transform: stripJob},
			&corev1.Pod{}:       {Label: selector, Transform: stripPod},
		},
	}
}

// StripRun reduces a run that has not finished to what its queue needs and what its status is computed from. It reduces a finished run to
// what retention and the queues need, its last attempt, why it ended, and its owner. What a run executes is read from the API server when
// its Job is made.
func StripRun(obj any) (any, error) {
	run, ok := obj.(*v1alpha1.TestRun)
	if !ok {
		return obj, nil
	}
	stripped := &v1alpha1.TestRun{ObjectMeta: metav1.ObjectMeta{
		Namespace: unique.Make(run.Namespace).Value(), Name: run.Name, UID: run.UID, ResourceVersion: run.ResourceVersion,
		Generation: run.Generation, CreationTimestamp: run.CreationTimestamp, DeletionTimestamp: run.DeletionTimestamp,
		Annotations: only(run.Annotations, v1alpha1.AnnotationPinned), OwnerReferences: run.OwnerReferences,
	}}
	if run.Status.Phase != v1alpha1.PhaseFinished {
		stripped.Spec, stripped.Status = waitingOnly(run.Spec), run.Status
		return stripped, nil
	}
	stripped.Spec = v1alpha1.TestRunSpec{
		TestRef: run.Spec.TestRef, TestSpec: retentionOnly(run.Spec.TestSpec), TTLAfterFinished: run.Spec.TTLAfterFinished,
		Queue: unique.Make(run.Spec.Queue).Value(), Unique: run.Spec.Unique,
	}
	stripped.Status = v1alpha1.TestRunStatus{
		ObservedGeneration: run.Status.ObservedGeneration,
		Phase:              v1alpha1.PhaseFinished, Verdict: unique.Make(run.Status.Verdict).Value(), FinishTime: run.Status.FinishTime,
		Test: unique.Make(run.Status.Test).Value(), Attempts: lastAttemptOnly(run.Status.Attempts),
		Conditions: reasonOnly(run.Status.Conditions),
	}
	return stripped, nil
}

// reasonOnly is the condition that gives the reason for the run's end, without its message.
func reasonOnly(conditions []metav1.Condition) []metav1.Condition {
	ended := meta.FindStatusCondition(conditions, v1alpha1.ConditionSucceeded)
	if ended == nil {
		return nil
	}
	return []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: unique.Make(ended.Status).Value(), Reason: unique.Make(ended.Reason).Value()}}
}

// waitingOnly is what a run that has not finished asks for, without its template. The API server has checked that the params fit an inline
// definition. So their values are only needed for a concurrency key.
func waitingOnly(spec v1alpha1.TestRunSpec) v1alpha1.TestRunSpec {
	if spec.TestSpec == nil {
		return spec
	}
	inline := *spec.TestSpec
	if !strings.Contains(cmp.Or(spec.Concurrency.Key, inline.Concurrency.Key), "$(") {
		inline.Params, spec.Params = nil, nil
	}
	for i := range inline.Params {
		inline.Params[i].Enum = nil
	}
	spec.TestSpec = new(withoutTemplate(inline))
	return spec
}

// maxEnums is how many bytes of enums the cache holds of a Test. Beyond that it holds none, and a param is checked against them when the
// Job is made.
const maxEnums = 4096

// stripTest reduces a Test to what the queues, retention and params need.
func stripTest(obj any) (any, error) {
	test, ok := obj.(*v1alpha1.Test)
	if !ok {
		return obj, nil
	}
	enums := 0
	for _, param := range test.Spec.Params {
		for _, value := range param.Enum {
			enums += len(value)
		}
	}
	stripped := &v1alpha1.Test{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: unique.Make(test.Namespace).Value(), Name: test.Name, UID: test.UID, ResourceVersion: test.ResourceVersion,
			Generation: test.Generation, CreationTimestamp: test.CreationTimestamp, DeletionTimestamp: test.DeletionTimestamp,
		},
		Spec: withoutTemplate(test.Spec),
	}
	for i := range stripped.Spec.Params {
		if enums > maxEnums {
			stripped.Spec.Params[i].Enum = nil
		}
	}
	return stripped, nil
}

func withoutTemplate(spec v1alpha1.TestSpec) v1alpha1.TestSpec {
	spec.Template, spec.Description = corev1.PodTemplateSpec{}, ""
	for i := range spec.Params {
		spec.Params[i].Description = ""
	}
	return spec
}

func retentionOnly(test *v1alpha1.TestSpec) *v1alpha1.TestSpec {
	if test == nil || test.Retention == (v1alpha1.Retention{}) {
		return nil
	}
	return &v1alpha1.TestSpec{Retention: test.Retention}
}

func lastAttemptOnly(attempts []v1alpha1.Attempt) []v1alpha1.Attempt {
	if len(attempts) == 0 {
		return nil
	}
	last := attempts[len(attempts)-1]
	return []v1alpha1.Attempt{{
		Number: last.Number, Job: last.Job, Verdict: unique.Make(last.Verdict).Value(), Reason: unique.Make(last.Reason).Value(),
	}}
}

// only returns the labels or annotations with these keys; nil if there are none.
func only(all map[string]string, keys ...string) map[string]string {
	kept := map[string]string{}
	for _, key := range keys {
		if value, ok := all[key]; ok {
			kept[key] = value
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

func stripJob(obj any) (any, error) {
	if job, ok := obj.(*batchv1.Job); ok {
		deadline := job.Spec.Template.Spec.ActiveDeadlineSeconds
		job.ManagedFields, job.Finalizers = nil, nil
		job.Status = batchv1.JobStatus{Conditions: job.Status.Conditions}
		job.Spec = batchv1.JobSpec{
			Suspend: job.Spec.Suspend, Parallelism: job.Spec.Parallelism, ActiveDeadlineSeconds: job.Spec.ActiveDeadlineSeconds,
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{ActiveDeadlineSeconds: deadline}},
		}
	}
	return obj, nil
}

// stripPod keeps where the pod runs and how it stands, and the label that names its Job if that Job controls it. If the Job has counted the
// pod's end, it keeps only that the pod has ended: see lifecycle.IsForgotten. A Job may count that before the last container has stopped,
// so all containers must have stopped, too.
func stripPod(obj any) (any, error) {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return obj, nil
	}
	forgotten := lifecycle.HasStopped(pod) && !slices.Contains(pod.Finalizers, batchv1.JobTrackingFinalizer)
	isOfJob := ownedByItsJob(pod)
	pod.ManagedFields, pod.OwnerReferences, pod.Finalizers = nil, nil, nil
	pod.Labels = only(pod.Labels, v1alpha1.LabelRun, batchv1.ControllerUidLabel)
	if !isOfJob {
		delete(pod.Labels, batchv1.ControllerUidLabel)
	}
	pod.Annotations = only(pod.Annotations, v1alpha1.AnnotationStopVerdict, v1alpha1.AnnotationStopReason,
		v1alpha1.AnnotationStopMessage, v1alpha1.AnnotationStopInFavorOf, v1alpha1.AnnotationHelpersStopped)
	pod.Spec = corev1.PodSpec{
		NodeName: pod.Spec.NodeName, TerminationGracePeriodSeconds: pod.Spec.TerminationGracePeriodSeconds,
		SchedulerName:         unique.Make(pod.Spec.SchedulerName).Value(),
		ActiveDeadlineSeconds: pod.Spec.ActiveDeadlineSeconds, Containers: withPreStopHook(pod.Spec.Containers),
	}
	status := &pod.Status
	if forgotten {
		*status = corev1.PodStatus{Phase: status.Phase}
	}
	status.HostIP, status.HostIPs, status.PodIP, status.PodIPs, status.EphemeralContainerStatuses = "", nil, "", nil, nil
	for _, containers := range [][]corev1.ContainerStatus{status.InitContainerStatuses, status.ContainerStatuses} {
		for i := range containers {
			containers[i] = corev1.ContainerStatus{Name: containers[i].Name, State: containers[i].State}
		}
	}
	return pod, nil
}

// ownedByItsJob says whether the Job that the pod's label names controls the pod. Anybody may give a pod that label. Only the owner
// reference proves it. See docs/decisions/trust.md.
func ownedByItsJob(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	return owner != nil && owner.Kind == "Job" && string(owner.UID) == pod.Labels[batchv1.ControllerUidLabel]
}

// withPreStopHook keeps the names of the containers that have such a hook. Few have one.
func withPreStopHook(containers []corev1.Container) []corev1.Container {
	var hooked []corev1.Container
	for _, container := range containers {
		if container.Lifecycle != nil && container.Lifecycle.PreStop != nil {
			hooked = append(hooked, corev1.Container{Name: container.Name, Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{}}})
		}
	}
	return hooked
}

// ChangesWhatIsHeld passes an update only if it changes what the cache holds of the object, and does not just drop how a pod ended. Most
// updates of Jobs only change their counts of pods.
var ChangesWhatIsHeld = predicate.Funcs{UpdateFunc: func(update event.UpdateEvent) bool {
	before, ok := update.ObjectOld.DeepCopyObject().(client.Object)
	if !ok {
		return true
	}
	before.SetResourceVersion(update.ObjectNew.GetResourceVersion())
	pod, isPod := before.(*corev1.Pod)
	if after, ok := update.ObjectNew.(*corev1.Pod); ok && isPod && lifecycle.HasStopped(pod) && lifecycle.IsForgotten(after) {
		pod.Status = after.Status
	}
	return !equality.Semantic.DeepEqual(before, update.ObjectNew)
}}
