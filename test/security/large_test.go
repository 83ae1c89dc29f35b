package security

import (
	"fmt"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/conditions"
	"github.com/testrun-dev/testrun/test/node"
)

// withContainers is a definition with so many containers, each changed like that, and so many params.
func withContainers(containers, params int, change func(int, *corev1.Container)) v1alpha1.TestSpec {
	spec := builders.TestSpec("true")
	spec.Results.Format = v1alpha1.ResultsNone
	spec.Template.Spec.Containers = make([]corev1.Container, containers)
	for i := range containers {
		container := &spec.Template.Spec.Containers[i]
		container.Name, container.Image = fmt.Sprintf("c%d", i), builders.Image
		if change != nil {
			change(i, container)
		}
	}
	for i := range params {
		spec.Params = append(spec.Params, v1alpha1.ParamSpec{Name: fmt.Sprintf("P%d", i)})
	}
	return spec
}

// longParams are values for so many params, each a KiB of the sign.
func longParams(n int, sign string) []v1alpha1.Param {
	params := make([]v1alpha1.Param, n)
	for i := range params {
		params[i] = v1alpha1.Param{Name: fmt.Sprintf("P%d", i), Value: ptr.To(strings.Repeat(sign, 1024))}
	}
	return params
}

// The definition of 8,000 containers took the operator down: 194 KB of JSON, and gigabytes once it was rendered.
func TestADefinitionThatWouldBeGigabytesIsRefused(t *testing.T) {
	t.Parallel()
	namespace := apiserver.Namespace(t)
	tenant := tenantOf(t, namespace)
	run := builders.TestRun("huge").In(namespace).Running(withContainers(8000, 64, nil)).Build()
	run.Spec.Params = longParams(64, "$")
	if err := tenant.Create(t.Context(), run); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "must have at most 64 items") {
		t.Errorf("the API server says: %v", err)
	}
}

// What a Test and a run's params come to together, only the operator can tell.
func TestARunWhoseJobWouldBeTooLargeEnds(t *testing.T) {
	t.Parallel()
	namespace := apiserver.Namespace(t)
	tenant := tenantOf(t, namespace)
	must(t, tenant.Create(t.Context(), namespaced(builders.Test("wide", withContainers(60, 64, nil)), namespace)))
	startOperator(t, namespace)
	run := builders.TestRun("large").In(namespace).Of("wide").Build()
	run.Spec.Params = longParams(64, "$")
	must(t, tenant.Create(t.Context(), run))
	run = waitForRun(t, namespace, "large", "the run finishes", hasFinished)
	if run.Status.Verdict != v1alpha1.VerdictError || conditions.Reason(run) != v1alpha1.ReasonJobTooLarge ||
		!strings.Contains(conditions.Message(run), "may take 768 KiB") {
		t.Errorf("the run is %s (%s: %s)", run.Status.Verdict, conditions.Reason(run), conditions.Message(run))
	}
	if err := apiserver.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "large-1"}, &batchv1.Job{}); !apierrors.IsNotFound(err) {
		t.Errorf("it has a Job: %v", err)
	}
}

// namespaced puts the object into the namespace.
func namespaced[T client.Object](object T, namespace string) T {
	object.SetNamespace(namespace)
	return object
}

// The largest definitions that the operator takes fit into etcd, as a Job and as a pod with the status of all its containers.
func TestTheLargestJobsFitIntoTheAPIServer(t *testing.T) {
	t.Parallel()
	namespace := apiserver.Namespace(t)
	tenant := tenantOf(t, namespace)
	startOperator(t, namespace)
	mounts := withContainers(8, 0, func(_ int, container *corev1.Container) {
		for i := range 128 {
			container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: fmt.Sprintf("v%d", i), MountPath: fmt.Sprintf("/mnt/%d", i)})
		}
	})
	for i := range 128 {
		mounts.Template.Spec.Volumes = append(mounts.Template.Spec.Volumes, corev1.Volume{
			Name: fmt.Sprintf("v%d", i), VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}},
		})
	}
	for name, spec := range map[string]v1alpha1.TestSpec{
		"params":    withContainers(60, 64, nil),
		"variables": withContainers(10, 0, func(_ int, container *corev1.Container) { container.Env = shortVariables(400) }),
		"text": withContainers(2, 0, func(_ int, container *corev1.Container) {
			container.Args = []string{strings.Repeat("a", 128*1024-10)}
		}),
		"mounts": mounts,
	} {
		t.Run(name, func(t *testing.T) {
			run := builders.TestRun(name).In(namespace).Running(spec).Build()
			for _, param := range spec.Params {
				run.Spec.Params = append(run.Spec.Params, v1alpha1.Param{Name: param.Name, Value: ptr.To("x")})
			}
			must(t, tenant.Create(t.Context(), run))
			job := waitForJob(t, namespace, name)
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: job.Spec.Template.Spec}
			must(t, apiserver.Client.Create(t.Context(), pod))
			must(t, node.Bind(t.Context(), apiserver.Client, pod))
			report(t, pod, func(status *corev1.PodStatus) {
				status.Phase = corev1.PodRunning
				for _, container := range pod.Spec.Containers {
					status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
						Name: container.Name, Image: container.Image, ImageID: strings.Repeat("i", 128), ContainerID: "containerd://" + strings.Repeat("c", 64),
						State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
					})
				}
			})
			t.Logf("the Job has %d KiB, the pod %d KiB", job.Size()>>10, pod.Size()>>10)
		})
	}
}

func shortVariables(n int) []corev1.EnvVar {
	variables := make([]corev1.EnvVar, n)
	for i := range variables {
		variables[i] = corev1.EnvVar{Name: fmt.Sprintf("V%d", i), Value: "x"}
	}
	return variables
}
