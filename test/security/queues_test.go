package security

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// TestQueues belong to no namespace: who views one namespace cannot list them, and docs/queues.md says which role to bind.
func TestTestQueuesAreListedByThoseWhoHaveTheRoleInTheWholeCluster(t *testing.T) {
	namespace := apiserver.Namespace(t)
	installRoles(t)
	install(t, "rbac/queue_viewer.yaml")
	const user = "wants-to-know-why"
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	must(t, apiserver.Client.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: user}, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "testrun-viewer"},
	}))
	viewer := as(t, user)
	if err := viewer.List(t.Context(), &v1alpha1.TestQueueList{}); !apierrors.IsForbidden(err) {
		t.Fatalf("a viewer of one namespace lists TestQueues: %v", err)
	}

	must(t, apiserver.Client.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user}, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "testrun-queue-viewer"},
	}))

	// The API server learns of a binding a moment after it is made.
	err := viewer.List(t.Context(), &v1alpha1.TestQueueList{})
	for apierrors.IsForbidden(err) && t.Context().Err() == nil {
		err = viewer.List(t.Context(), &v1alpha1.TestQueueList{})
	}
	must(t, err)
}
