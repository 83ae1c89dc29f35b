package security

import (
	"context"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/operator"
)

// startOperator runs the operator for the namespace until the test ends.
func startOperator(t *testing.T, namespace string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	mgr, err := operator.New(ctx, apiserver.Config, namespace, operator.Changes{})
	must(t, err)
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	t.Cleanup(sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the manager: %v", err)
		}
	}))
}

// allow gives the tenant of the namespace more rights: those verbs on those resources.
func allow(t *testing.T, namespace, group string, resources, verbs []string) {
	t.Helper()
	name := metav1.ObjectMeta{Namespace: namespace, Name: "more-" + group + resources[0]}
	must(t, apiserver.Client.Create(t.Context(), &rbacv1.Role{
		ObjectMeta: name, Rules: []rbacv1.PolicyRule{{APIGroups: []string{group}, Resources: resources, Verbs: verbs}},
	}))
	must(t, apiserver.Client.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: name, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name.Name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "tenant-of-" + namespace}},
	}))
}

// almostOver tells when the time of the whole test binary is nearly over: nothing here is given up sooner, since a busy machine is slow,
// and not stuck.
func almostOver(t *testing.T) <-chan time.Time {
	t.Helper()
	if deadline, limited := t.Deadline(); limited {
		return time.After(time.Until(deadline) - 10*time.Second)
	}
	return nil
}

// waitFor reads the object until it is as asked for.
func waitFor[T client.Object](t *testing.T, obj T, what string, holds func(T) bool) T {
	t.Helper()
	tooLate := almostOver(t)
	for ; ; time.Sleep(50 * time.Millisecond) {
		err := apiserver.Client.Get(t.Context(), client.ObjectKeyFromObject(obj), obj)
		switch {
		case err == nil && holds(obj):
			return obj
		case client.IgnoreNotFound(err) != nil:
			t.Fatal(err)
		}
		select {
		case <-tooLate:
			t.Fatalf("it did not happen: %s; it is %+v (%v)", what, obj, err)
		default:
		}
	}
}

func waitForJob(t *testing.T, namespace, run string) *batchv1.Job {
	t.Helper()
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: run + "-1"}}
	return waitFor(t, job, "the Job of "+run+" exists", func(*batchv1.Job) bool { return true })
}

func waitForRun(t *testing.T, namespace, run, what string, holds func(*v1alpha1.TestRun) bool) *v1alpha1.TestRun {
	t.Helper()
	return waitFor(t, &v1alpha1.TestRun{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: run}}, what, holds)
}

func hasFinished(run *v1alpha1.TestRun) bool { return run.Status.Phase == v1alpha1.PhaseFinished }

// podFor is a pod like those that the Job controller makes, with that owner.
func podFor(job *batchv1.Job, owner metav1.OwnerReference) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: job.Namespace, GenerateName: "pod-", OwnerReferences: []metav1.OwnerReference{owner},
			Labels: map[string]string{v1alpha1.LabelRun: job.Labels[v1alpha1.LabelRun], batchv1.ControllerUidLabel: string(job.UID)},
		},
		Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "test", Image: "perl:5-slim"}}},
	}
}

// controllerRef is a reference to a controller of that kind.
func controllerRef(apiVersion, kind, name string, uid types.UID) metav1.OwnerReference {
	controls := true
	return metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: name, UID: uid, Controller: &controls}
}
