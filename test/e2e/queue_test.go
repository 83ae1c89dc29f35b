package e2e

import (
	"context"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

func TestARunThatWaitsInAQueueSaysWhyAndWhere(t *testing.T) {
	w := newWorld(t)
	queue := &v1alpha1.TestQueue{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}, Spec: v1alpha1.TestQueueSpec{MaxRunning: 1}}
	w.Must(w.Client.Create(w.Ctx, queue))
	t.Cleanup(func() { w.Must(w.Client.Delete(context.Background(), queue)) })
	w.Create(builders.TestRun("running").Running(builders.TestSpec(forEver)).Waiting(queue.Name).Build())
	w.WaitForInProgress("running")
	w.Create(builders.TestRun("waiting").Waiting(queue.Name).Build())
	w.WaitForPending("waiting", v1alpha1.ReasonQueued)
	expectOutput(t, "kubectl describe", w.mustKubectl("describe", "testrun", "waiting"), "1 of 1 runs run .maxRunning")
	w.WaitFor("kubectl get testqueues shows it", func() bool {
		w.Must(w.Client.Get(w.Ctx, w.Key(queue.Name), queue))
		return queue.Status.Pending != nil && *queue.Status.Pending == 1
	})
	expectOutput(t, "kubectl get testqueues", w.mustKubectl("get", "testqueues", queue.Name), `^NAME +RUNNING +LIMIT +PENDING +OLDEST +SUSPENDED +AGE$`, `^\S+ +1 +1 +1 +\d+s +\d+s`)

	w.Create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "reader"}})
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: w.Namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "testrun-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "reader", Namespace: w.Namespace}},
	}
	w.Must(w.Client.Create(w.Ctx, binding))
	t.Cleanup(func() { w.Must(w.Client.Delete(context.Background(), binding)) })
	operator := "https://" + w.forwardOperator("8443")
	if status, _ := w.get(operator+"/queues", ""); status != http.StatusUnauthorized {
		t.Errorf("/queues answers %d without a token, want 401", status)
	}
	_, body := w.get(operator+"/queues/"+queue.Name, w.token("reader"))
	expectOutput(t, "/queues/NAME", body, `"running":1,"pending":1`, `"name":"waiting","position":1,"reason":"Queued"`)
	if status, body := w.get(operator+"/queues/"+queue.Name+"/"+w.Namespace+"/waiting", w.token("reader")); status != http.StatusOK {
		t.Errorf("/queues/NAME/NAMESPACE/RUN answers %d: %s", status, body)
	}
	w.Cancel("running")
	w.WaitForPassed("waiting")
}
