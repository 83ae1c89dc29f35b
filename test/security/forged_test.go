package security

import (
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/node"
)

// ownPod makes the Job's pod, as the Job controller does. There is none in these tests.
func ownPod(t *testing.T, job *batchv1.Job) *corev1.Pod {
	t.Helper()
	pod := podFor(job, controllerRef("batch/v1", "Job", job.Name, job.UID))
	must(t, apiserver.Client.Create(t.Context(), pod))
	must(t, node.Bind(t.Context(), apiserver.Client, pod))
	return pod
}

func report(t *testing.T, pod *corev1.Pod, change func(*corev1.PodStatus)) {
	t.Helper()
	must(t, apiserver.Client.Get(t.Context(), client.ObjectKeyFromObject(pod), pod))
	must(t, node.Report(t.Context(), apiserver.Client, pod, change))
}

func exits(code int32) func(*corev1.PodStatus) {
	return func(status *corev1.PodStatus) { node.SetExit(status, corev1.ContainerStateTerminated{ExitCode: code}) }
}

// created is a run that the tenant has created in the namespace.
func created(t *testing.T, tenant client.Client, namespace, name string, change ...func(*v1alpha1.TestRun)) *v1alpha1.TestRun {
	t.Helper()
	run := builders.TestRun(name).In(namespace).Once().Build()
	run.Spec.TestSpec.Results.Format = v1alpha1.ResultsNone
	for _, change := range change {
		change(run)
	}
	must(t, tenant.Create(t.Context(), run))
	return run
}

// A pod with the labels of the Job's pods is not the Job's: the tenant's passes, and the test fails.
func TestAForeignPodIsNotTakenForTheTests(t *testing.T) {
	t.Parallel()
	namespace := apiserver.Namespace(t)
	tenant := tenantOf(t, namespace)
	allow(t, namespace, "", []string{"pods"}, []string{"create"})
	startOperator(t, namespace)
	created(t, tenant, namespace, "priv")
	job := waitForJob(t, namespace, "priv")

	for _, owner := range []struct{ apiVersion, kind string }{{"v1", "ConfigMap"}, {"batch/v1", "Job"}} {
		foreign := podFor(job, controllerRef(owner.apiVersion, owner.kind, "owner", "37d73d50-de7d-4870-baff-9ac2245024d2"))
		must(t, tenant.Create(t.Context(), foreign))
		must(t, node.Bind(t.Context(), apiserver.Client, foreign))
		report(t, foreign, node.SetRunning)
		report(t, foreign, exits(0))
	}
	own := ownPod(t, job)
	report(t, own, node.SetRunning)
	report(t, own, exits(1))

	run := waitForRun(t, namespace, "priv", "the run finishes", hasFinished)
	if run.Status.Verdict != v1alpha1.VerdictFailed || run.Status.Attempts[0].Pod != own.Name {
		t.Errorf("the run is %s by pod %s, want Failed by %s", run.Status.Verdict, run.Status.Attempts[0].Pod, own.Name)
	}
}

// A tenant who may change pods marks a pod that runs as stopped. It keeps its slot, and can be cancelled.
func TestAForgedStopNeitherFreesASlotNorHindersACancel(t *testing.T) {
	t.Parallel()
	namespace := apiserver.Namespace(t)
	tenant := tenantOf(t, namespace)
	allow(t, namespace, "", []string{"pods"}, []string{"get", "patch"})
	queue := &v1alpha1.TestQueue{}
	queue.Name = namespace
	queue.Spec.MaxRunning = 1
	must(t, apiserver.Client.Create(t.Context(), queue))
	startOperator(t, namespace)

	inQueue := func(run *v1alpha1.TestRun) { run.Spec.Queue = queue.Name }
	run := created(t, tenant, namespace, "forged", inQueue)
	pod := ownPod(t, waitForJob(t, namespace, "forged"))
	report(t, pod, node.SetRunning)
	waitForRun(t, namespace, "forged", "the test runs", func(run *v1alpha1.TestRun) bool { return run.Status.Phase == v1alpha1.PhaseInProgress })
	must(t, tenant.Get(t.Context(), client.ObjectKeyFromObject(pod), pod))
	before := pod.DeepCopy()
	pod.Annotations = map[string]string{
		v1alpha1.AnnotationStopVerdict: "Passed", v1alpha1.AnnotationStopReason: v1alpha1.ReasonTestPassed, v1alpha1.AnnotationStopMessage: "42 of 42 cases passed",
	}
	must(t, tenant.Patch(t.Context(), pod, client.MergeFrom(before)))
	created(t, tenant, namespace, "waiting", inQueue)

	must(t, tenant.Get(t.Context(), client.ObjectKeyFromObject(run), run))
	asked := run.DeepCopy()
	run.Spec.Cancel = ptr.To(true)
	must(t, tenant.Patch(t.Context(), run, client.MergeFrom(asked)))
	stopped := waitFor(t, pod, "the pod is stopped", func(pod *corev1.Pod) bool { return ptr.Deref(pod.Spec.ActiveDeadlineSeconds, 0) == 1 })
	if verdict := stopped.Annotations[v1alpha1.AnnotationStopVerdict]; verdict != string(v1alpha1.VerdictCancelled) {
		t.Errorf("the pod was stopped with verdict %s", verdict)
	}
	if err := apiserver.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "waiting-1"}, &batchv1.Job{}); client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("another run started while the pod runs: %v", err)
	}
	report(t, pod, func(status *corev1.PodStatus) {
		exits(143)(status)
		status.Reason = "DeadlineExceeded"
	})
	if run := waitForRun(t, namespace, "forged", "the run finishes", hasFinished); run.Status.Verdict != v1alpha1.VerdictCancelled {
		t.Errorf("the run is %s, want Cancelled", run.Status.Verdict)
	}
	waitForJob(t, namespace, "waiting")
}

// A tenant who may change Jobs writes nonsense into what the operator reads back. The run ends all the same, with what its test did.
func TestAJobWithNonsenseInItsAnnotationsEndsItsRun(t *testing.T) {
	t.Parallel()
	namespace := apiserver.Namespace(t)
	tenant := tenantOf(t, namespace)
	allow(t, namespace, "batch", []string{"jobs"}, []string{"get", "patch"})
	startOperator(t, namespace)
	created(t, tenant, namespace, "poison")
	job := waitForJob(t, namespace, "poison")
	changed := job.DeepCopy()
	for key, value := range map[string]string{
		v1alpha1.AnnotationRecord:      `{"testGeneration":-5,"retry":{"failure":1000000},"queueing":{"queue":"","max":-1},"startTimeout":-1}`,
		v1alpha1.AnnotationStopVerdict: "Nonsense", v1alpha1.AnnotationStopReason: "no reason!",
	} {
		metav1.SetMetaDataAnnotation(&changed.ObjectMeta, key, value)
	}
	must(t, tenant.Patch(t.Context(), changed, client.MergeFrom(job)))
	pod := ownPod(t, job)
	report(t, pod, node.SetRunning)
	report(t, pod, exits(1))
	if run := waitForRun(t, namespace, "poison", "the run finishes", hasFinished); run.Status.Verdict != v1alpha1.VerdictFailed {
		t.Errorf("the run is %s, want Failed", run.Status.Verdict)
	}
}
