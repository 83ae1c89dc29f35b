package security

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/test/apiserver"
)

// operatorAccount is the user name of the operator's ServiceAccount, as config/ deploys it.
const operatorAccount = "system:serviceaccount:testrun-system:testrun-controller-manager"

// as returns a client with the rights of that user.
func as(t *testing.T, user string) client.Client {
	t.Helper()
	config := rest.CopyConfig(apiserver.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:authenticated"}}
	impersonated, err := client.New(config, client.Options{Scheme: apiserver.Scheme})
	must(t, err)
	return impersonated
}

// tenantOf returns a client with the rights of a user who may edit the namespace's Tests and TestRuns, and nothing else anywhere.
func tenantOf(t *testing.T, namespace string) client.Client {
	t.Helper()
	installRoles(t)
	user := "tenant-of-" + namespace
	must(t, apiserver.Client.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "tenant"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "testrun-editor"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}))
	return as(t, user)
}

// installRoles creates the namespace and the roles that config/ deploys.
func installRoles(t *testing.T) {
	t.Helper()
	install(t, "manager/namespace.yaml", "rbac/role.yaml", "rbac/role_binding.yaml", "rbac/testrun_editor.yaml", "rbac/testrun_viewer.yaml")
}

// install creates the objects of files below config/. Those that exist stay as they are.
func install(t *testing.T, files ...string) {
	t.Helper()
	for _, file := range files {
		for _, object := range objectsOf(t, file) {
			if err := apiserver.Client.Create(t.Context(), object); err != nil && !apierrors.IsAlreadyExists(err) {
				t.Fatalf("creating %s %s of %s: %v", object.GetKind(), object.GetName(), file, err)
			}
		}
	}
}

func objectsOf(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "..", "config", file))
	must(t, err)
	var objects []*unstructured.Unstructured
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(source), 4096); ; {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		must(t, err)
		if len(object.Object) > 0 { // a comment in front of "---" is a document too
			objects = append(objects, object)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
