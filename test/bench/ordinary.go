package main

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/test/node"
)

// casesKept is how many cases an ordinary test reports.
const casesKept = 10

// ordinaryTest is an inline test such as people write.
func ordinaryTest() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "shop", "team": "checkout"}},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Name: "test", Image: "registry.example.com/shop/tests:1.14.2", Command: []string{"prove", "-rv", "t/checkout"},
				Env: []corev1.EnvVar{
					{Name: "SHOP_URL", Value: "https://shop.staging.example.com"},
					{Name: "BROWSER", Value: "firefox"},
					{Name: "COMMIT", Value: "4f2a9d1c7be03865a1f0c2d94b7e6a35d8c0917e"},
				},
				Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("256Mi")},
					Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")},
				},
			}},
		},
	}
}

// keepOne lets the operator bring an ordinary run to its end, and returns what is stored of it. Job controller, scheduler and
// kubelet are this function.
func (c *cluster) keepOne(ctx context.Context, program, logFile string) (*kept, error) {
	namespace, err := c.newNamespace(ctx, false)
	if err != nil {
		return nil, err
	}
	operator, err := startManager(ctx, c, program, logFile)
	defer operator.stop()
	if err != nil {
		return nil, err
	}
	run := newRun(namespace, keptName(0), ordinaryTest())
	if err := c.Create(ctx, run); err != nil {
		return nil, err
	}
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: run.Name + "-1"}}
	if err := c.until(ctx, job, func() bool { return true }); err != nil {
		return nil, fmt.Errorf("waiting for the Job: %w", err)
	}
	pod, err := c.runPod(ctx, job)
	if err != nil {
		return nil, err
	}
	if err := c.finishJob(ctx, job); err != nil {
		return nil, err
	}
	if err := c.until(ctx, run, func() bool { return run.Status.Phase == v1alpha1.PhaseFinished }); err != nil {
		return nil, fmt.Errorf("waiting for the run's end: %w", err)
	}
	if run.Status.Verdict != v1alpha1.VerdictPassed || len(run.Status.Results.Cases) != casesKept {
		return nil, fmt.Errorf("the run to be copied is not as it should be: %+v", run.Status)
	}
	k := &kept{cluster: c, n: 1, name: run.Name, uids: []string{string(run.UID), string(job.UID), string(pod.UID)}}
	for key, stored := range map[string]*entry{
		"testrun.dev/testruns/" + namespace + "/" + run.Name: &k.run,
		"jobs/" + namespace + "/" + job.Name:                 &k.job,
		"pods/" + namespace + "/" + pod.Name:                 &k.pod,
	} {
		if *stored, err = c.etcd.get(ctx, "/registry/"+key); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// until waits for the object to exist and to be so.
func (c *cluster) until(ctx context.Context, obj client.Object, isSo func() bool) error {
	return wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, client.ObjectKeyFromObject(obj), obj)
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil && isSo(), err
	})
}

// runPod makes the Job's pod and has it run and succeed.
func (c *cluster) runPod(ctx context.Context, job *batchv1.Job) (*corev1.Pod, error) {
	pod := &corev1.Pod{ObjectMeta: *job.Spec.Template.ObjectMeta.DeepCopy(), Spec: *job.Spec.Template.Spec.DeepCopy()}
	pod.Namespace, pod.Name = job.Namespace, job.Name+"-x7kq2"
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))}
	if err := c.Create(ctx, pod); err != nil {
		return nil, err
	}
	if err := node.Bind(ctx, c, pod); err != nil {
		return nil, err
	}
	if err := c.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
		return nil, err
	}
	if err := node.Report(ctx, c, pod, node.SetRunning); err != nil {
		return nil, err
	}
	return pod, node.Report(ctx, c, pod, func(status *corev1.PodStatus) {
		status.HostIP, status.HostIPs = "10.0.0.7", []corev1.HostIP{{IP: "10.0.0.7"}}
		status.PodIP, status.PodIPs = "10.244.3.17", []corev1.PodIP{{IP: "10.244.3.17"}}
		for _, condition := range []corev1.PodConditionType{corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady} {
			node.SetCondition(status, condition, corev1.ConditionFalse, "PodCompleted", "")
		}
		node.SetExit(status, corev1.ContainerStateTerminated{
			Reason: "Completed", Message: string(ordinaryReport()),
			ContainerID: "containerd://9c4a1f0be7d25836c1f0a2d94b7e6a35d8c0917e4f2a9d1c7be03865a1f0c2d9",
		})
		status.ContainerStatuses[0].Image = pod.Spec.Containers[0].Image
		status.ContainerStatuses[0].ImageID = "registry.example.com/shop/tests@sha256:5b1c7f0a2e9d4836c1f0a2d94b7e6a35d8c0917e4f2a9d1c7be03865a1f0c2d9"
		status.ContainerStatuses[0].Started = ptr.To(false)
	})
}

// finishJob says that the Job has completed.
func (c *cluster) finishJob(ctx context.Context, job *batchv1.Job) error {
	before := job.DeepCopy()
	now := metav1.Now()
	job.Status.StartTime, job.Status.CompletionTime, job.Status.Succeeded = &now, &now, 1
	for _, condition := range []batchv1.JobConditionType{batchv1.JobSuccessCriteriaMet, batchv1.JobComplete} {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{
			Type: condition, Status: corev1.ConditionTrue, LastTransitionTime: now,
			Reason: batchv1.JobReasonCompletionsReached, Message: "Finished by the benchmark",
		})
	}
	return c.Status().Patch(ctx, job, client.MergeFrom(before))
}

func ordinaryReport() []byte {
	report := &results.Report{Format: results.TAP, Final: true}
	for i := range casesKept {
		report.Add(results.Case{
			Suite: "t/checkout/basket.t", Name: fmt.Sprintf("a basket of %d articles has the right total", i+1),
			Outcome: results.Passed, Duration: time.Duration(120+i) * time.Millisecond,
		})
	}
	return report.Encode(4096)
}
