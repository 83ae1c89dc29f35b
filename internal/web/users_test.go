package web

import (
	"context"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/test/apiserver"
)

func create(t *testing.T, object client.Object) {
	t.Helper()
	if err := apiserver.Client.Create(context.Background(), object); err != nil {
		t.Fatal(err)
	}
}

// tokenOf makes a ServiceAccount and returns a token of it, for audiences if there are any.
func tokenOf(t *testing.T, namespace, name string, audiences ...string) string {
	t.Helper()
	create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}})
	clients, err := kubernetes.NewForConfig(apiserver.Config)
	if err != nil {
		t.Fatal(err)
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences}}
	request, err = clients.CoreV1().ServiceAccounts(namespace).CreateToken(context.Background(), name, request, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

// rule is a right on resources of testrun.dev.
func rule(verb string, resources ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{"testrun.dev"}, Resources: resources, Verbs: []string{verb}}
}

// allow gives the ServiceAccount rights in a namespace.
func allow(t *testing.T, namespace, accountNamespace, account string, rules ...rbacv1.PolicyRule) {
	t.Helper()
	create(t, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}, Rules: rules})
	create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: account},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: accountNamespace, Name: account}},
	})
	waitForRights(t, namespace, accountNamespace, account, rules)
}

// waitForRights waits until the API server knows the rights, which it reads through a cache. The server under test remembers a no.
func waitForRights(t *testing.T, namespace, accountNamespace, account string, rules []rbacv1.PolicyRule) {
	t.Helper()
	for _, rule := range rules {
		for _, resource := range rule.Resources {
			name, subresource, _ := strings.Cut(resource, "/")
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: "system:serviceaccount:" + accountNamespace + ":" + account,
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: namespace, Verb: rule.Verbs[0], Group: rule.APIGroups[0], Resource: name, Subresource: subresource,
				},
			}}
			for !review.Status.Allowed {
				create(t, review)
			}
		}
	}
}

// allowEverywhere gives the ServiceAccount rights in all namespaces.
func allowEverywhere(t *testing.T, accountNamespace, account string, rules ...rbacv1.PolicyRule) {
	t.Helper()
	name := accountNamespace + "-" + account
	create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules})
	create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: accountNamespace, Name: account}},
	})
	waitForRights(t, "", accountNamespace, account, rules)
}

// serverAccount is who the server is: it may create reviews, and nothing else.
func serverAccount(t *testing.T) *rest.Config {
	t.Helper()
	namespace := apiserver.Namespace(t)
	token := tokenOf(t, namespace, "server")
	allowEverywhere(t, namespace, "server",
		rbacv1.PolicyRule{APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"tokenreviews"}, Verbs: []string{"create"}},
		rbacv1.PolicyRule{APIGroups: []string{"authorization.k8s.io"}, Resources: []string{"subjectaccessreviews"}, Verbs: []string{"create"}})
	config := rest.AnonymousClientConfig(apiserver.Config)
	config.BearerToken, config.QPS = token, -1
	return config
}

// viewer returns the token of a ServiceAccount that may see all of a namespace's runs.
func viewer(t *testing.T, namespace string) string {
	t.Helper()
	token := tokenOf(t, namespace, "viewer")
	allow(t, namespace, namespace, "viewer", rule("get", "testruns", "testruns/log", "testruns/artifacts"))
	return token
}
